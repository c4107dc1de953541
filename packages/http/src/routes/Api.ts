/**
 * The routes, described: for OpenAPI, for a typed client, and to mount in an Effect server.
 *
 * Paths, bodies and answers are those that KavachOS documents for its Polar plugin.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import { cancellationReasons, Health } from "@kavach-polar/core/Billing"
import { DateFromTimestamp } from "@kavach-polar/core/Timestamp"
import * as Schema from "effect/Schema"
import { polarId } from "./polarId.ts"

/** BCP 47, as far as it can be seen: `fr`, `pt-BR`. */
const language = /^[a-z]{2,3}(-[a-z\d]{2,8})*$/i

const aProduct = Schema.NonEmptyString.annotations({ description: "Polar's id of the product, a UUID" })

/** What a buyer may choose of a checkout. */
export const CheckoutChoices = Schema.Struct({
  returnUrl: Schema.optional(
    Schema.String.annotations({ description: "Where the checkout's back button leads: of a trusted origin, or a path" })
  ),
  seats: Schema.optional(
    Schema.Int.pipe(Schema.between(1, 10_000)).annotations({ description: "For a product that is sold by the seat" })
  ),
  units: Schema.optional(
    Schema.Int.pipe(Schema.positive()).annotations({ description: "For a product that is sold by the unit" })
  ),
  discountCode: Schema.optional(Schema.NonEmptyTrimmedString.pipe(Schema.maxLength(256))),
  locale: Schema.optional(Schema.String.pipe(Schema.pattern(language))),
  embedOrigin: Schema.optional(
    Schema.String.annotations({ description: "The origin of the page that embeds the checkout: a trusted one" })
  )
})

/** Body of `POST /auth/polar/checkout`. */
export const CheckoutRequest = Schema.Struct({
  productId: Schema.optional(aProduct),
  productIds: Schema.optional(
    Schema.NonEmptyArray(aProduct)
      .pipe(Schema.maxItems(20))
      .annotations({ description: "Instead of productId: several of which the buyer chooses, the first preselected" })
  ),
  successUrl: Schema.optional(
    Schema.String.annotations({
      description:
        "Where the buyer comes back to: of a trusted origin, or a path of the app's own. {CHECKOUT_ID} in it becomes the checkout's id."
    })
  ),
  ...CheckoutChoices.fields
}).annotations({ identifier: "CheckoutRequest" })
export type CheckoutRequest = typeof CheckoutRequest.Type

/** Answer of `POST /auth/polar/checkout`. */
export const CheckoutResponse = Schema.Struct({
  url: Schema.String.annotations({ description: "Polar's checkout page: send the buyer there" }),
  id: Schema.String
}).annotations({ identifier: "CheckoutResponse" })

/** Answer of `GET /auth/polar/subscription`. */
export const SubscriptionResponse = Schema.Struct({
  subscription: Schema.NullOr(
    Schema.Struct({
      id: Schema.String,
      status: Schema.String,
      productId: Schema.String,
      currentPeriodEnd: Schema.NullOr(DateFromTimestamp),
      cancelAtPeriodEnd: Schema.Boolean
    })
  )
}).annotations({ identifier: "SubscriptionResponse" })

const textOrNull = Schema.NullOr(Schema.String)
const timeOrNull = Schema.NullOr(DateFromTimestamp)
const amountOrNull = Schema.NullOr(Schema.Int)
const anything = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const accessFields = {
  entitlement: Schema.Literal("granted", "grace", "denied"),
  reason: Schema.String.annotations({ description: "A sentence for a log or a support page" }),
  until: timeOrNull.annotations({ description: "When the entitlement ends by itself, if that is known" })
}

/** Answer of `GET /auth/polar/access`. */
export const AccessResponse = Schema.Struct({
  hasAccess: Schema.Boolean.annotations({ description: "Whether the entitlement is another than denied" }),
  ...accessFields
}).annotations({ identifier: "AccessResponse" })

/** A benefit that the signed-in user has. */
export const UsersBenefit = Schema.Struct({
  benefitId: Schema.String,
  key: Schema.String.annotations({ description: "The benefit's metadata.key, or its id where it has none" }),
  type: Schema.String,
  description: textOrNull,
  metadata: anything.annotations({ description: "The merchant's own values, such as those of a feature flag" }),
  properties: anything,
  grantedAt: timeOrNull,
  source: Schema.NullOr(
    Schema.Union(Schema.Struct({ subscriptionId: Schema.String }), Schema.Struct({ orderId: Schema.String }))
  )
}).annotations({ identifier: "UsersBenefit" })

/** Answer of `GET /auth/polar/benefits`. */
export const BenefitsResponse = Schema.Struct({ benefits: Schema.Array(UsersBenefit) }).annotations({
  identifier: "BenefitsResponse"
})

/** An order of the signed-in user's, without what is the app's own, such as its metadata. */
export const UsersOrder = Schema.Struct({
  id: Schema.String,
  status: Schema.String,
  productId: textOrNull,
  subscriptionId: textOrNull,
  billingReason: textOrNull,
  description: textOrNull,
  currency: textOrNull,
  netAmount: amountOrNull,
  taxAmount: amountOrNull,
  totalAmount: amountOrNull,
  refundedAmount: amountOrNull,
  refundedTaxAmount: amountOrNull,
  invoiceNumber: textOrNull,
  receiptNumber: textOrNull,
  createdAt: timeOrNull
}).annotations({ identifier: "UsersOrder", description: "Amounts are in minor units (cents) of the currency" })

/** Answer of `GET /auth/polar/health`: `ok` or `degraded`. */
export const HealthResponse = Health.annotations({ identifier: "HealthResponse" })

/** The same where billing is down. */
export const HealthDown = Health.annotations({
  identifier: "HealthDown",
  ...HttpApiSchema.annotations({ status: 503 })
})

/** Answer of `GET /auth/polar/orders`. */
export const OrdersResponse = Schema.Struct({ orders: Schema.Array(UsersOrder) }).annotations({
  identifier: "OrdersResponse"
})

/** An id of Polar's, which is a UUID, in whichever case. */
const PolarId = Schema.compose(Schema.Lowercase, Schema.String.pipe(Schema.pattern(polarId)))

const which = {
  subscriptionId: Schema.optionalWith(PolarId.annotations({ description: "Which one, of several that are live" }), {
    exact: true
  })
}
const quantity = Schema.Int.pipe(Schema.positive())

/** Body of the routes that need to know no more than which subscription. It may be missing. */
export const SubscriptionRequest = Schema.Struct(which).annotations({ identifier: "SubscriptionRequest" })

/** Body of `POST /auth/polar/subscription/change` and `/preview`: one of `productId`, `seats` and `units`. */
export const ChangeRequest = Schema.Struct({
  ...which,
  productId: Schema.optional(
    Schema.NonEmptyString.annotations({ description: "Polar's id of the product, or the app's name for it" })
  ),
  seats: Schema.optional(quantity),
  units: Schema.optional(quantity)
}).annotations({ identifier: "ChangeRequest" })

/** Body of `POST /auth/polar/subscription/cancel`. */
export const CancelRequest = Schema.Struct({
  ...which,
  reason: Schema.optional(Schema.Literal(...cancellationReasons)),
  comment: Schema.optional(Schema.String.pipe(Schema.maxLength(2000)))
}).annotations({ identifier: "CancelRequest" })

/** Body of `POST /auth/polar/subscription/pause`. */
export const PauseRequest = Schema.Struct({
  ...which,
  resumesAt: Schema.optional(DateFromTimestamp.annotations({ description: "Default: when it is resumed" }))
}).annotations({ identifier: "PauseRequest" })

/** Body of `POST /auth/polar/portal`. */
export const PortalRequest = Schema.Struct({
  returnUrl: Schema.optional(
    Schema.String.annotations({ description: "Where the portal's back button leads: of a trusted origin, or a path" })
  )
}).annotations({ identifier: "PortalRequest" })

/** The signed-in user's subscription, as their page shows it. */
export const UsersSubscription = Schema.Struct({
  id: Schema.String,
  status: Schema.String,
  productId: Schema.String,
  currentPeriodEnd: timeOrNull,
  cancelAtPeriodEnd: Schema.Boolean,
  pauseAtPeriodEnd: Schema.Boolean,
  resumesAt: timeOrNull,
  trialEnd: timeOrNull,
  seats: Schema.NullOr(Schema.Number),
  units: Schema.NullOr(Schema.Number),
  pendingUpdate: Schema.NullOr(
    Schema.Struct({
      appliesAt: DateFromTimestamp,
      productId: textOrNull,
      seats: Schema.NullOr(Schema.Number),
      units: Schema.NullOr(Schema.Number)
    })
  ).annotations({ description: "A change that waits for the next period" })
}).annotations({ identifier: "UsersSubscription" })

/** Answer of the routes that change a subscription: what it is now. */
export const ChangedResponse = Schema.Struct({ subscription: UsersSubscription }).annotations({
  identifier: "ChangedResponse"
})

/** Answer of `POST /auth/polar/subscription/preview`. Amounts are in minor units (cents) of `currency`. */
export const PreviewResponse = Schema.Union(
  Schema.Struct({ available: Schema.Literal(false) }),
  Schema.Struct({
    available: Schema.Literal(true),
    currency: textOrNull,
    baseAmount: Schema.Int,
    meteredAmount: Schema.Int,
    prorationAmount: Schema.Int,
    prorations: Schema.Array(Schema.Struct({ label: Schema.String, amount: Schema.Int })),
    subtotal: Schema.Int,
    discount: Schema.Int,
    net: Schema.Int,
    tax: Schema.Int,
    total: Schema.Int,
    appliedBalance: Schema.Int,
    due: Schema.Int.annotations({ description: "What the buyer is charged" })
  })
).annotations({ identifier: "PreviewResponse" })

/** Answer of `GET /auth/polar/checkout/:id`. */
export const CheckoutResultResponse = Schema.Struct({
  status: Schema.String.annotations({
    description: "open: not paid; confirmed: being paid; succeeded: bought, and stored; expired, failed: over"
  }),
  subscription: Schema.NullOr(UsersSubscription),
  order: Schema.NullOr(UsersOrder),
  access: Schema.Struct(accessFields)
}).annotations({ identifier: "CheckoutResultResponse" })

/** Answer of `POST /auth/polar/portal`. */
export const PortalResponse = Schema.Struct({
  url: Schema.String.annotations({
    description: "Opens the portal for an hour, without a sign-in: send the user there"
  })
}).annotations({ identifier: "PortalResponse" })

/** Answer of `POST /auth/polar/webhook`. */
export const WebhookResponse = Schema.Struct({ received: Schema.Literal(true) }).annotations({
  identifier: "WebhookResponse"
})

const failure = (status: number, identifier: string, description: string) =>
  Schema.Struct({ error: Schema.String }).annotations(HttpApiSchema.annotations({ status, identifier, description }))

export const BadRequest = failure(400, "BadRequest", "The request is not as described; the sentence names the field.")
export const Unauthorized = failure(401, "Unauthorized", "Nobody is signed in.")
export const Forbidden = failure(403, "Forbidden", "The delivery's signature does not verify.")
export const ForeignPage = failure(403, "ForeignPage", "The request comes from a page of another origin.")
export const UnsupportedMediaType = failure(415, "UnsupportedMediaType", "The body is not said to be JSON.")
export const PaymentRequired = failure(
  402,
  "PaymentRequired",
  "The payment failed; the portal is where it is put right."
)
export const NotAllowed = failure(403, "NotAllowed", "The app does not allow it, or the page is of another origin.")
export const Missing = failure(404, "Missing", "The user has no such thing, or the app has switched this route off.")
export const Refused = failure(409, "Refused", "As things stand it cannot be done; the sentence says why.")
export const NotFound = failure(404, "NotFound", "The app has switched this route off.")
export const RequestTimeout = failure(408, "RequestTimeout", "The body did not arrive in time.")
export const Conflict = failure(409, "Conflict", "The user has a subscription already.")
export const PayloadTooLarge = failure(413, "PayloadTooLarge", "The body is larger than is allowed.")
export const TooManyRequests = failure(
  429,
  "TooManyRequests",
  "Polar's rate limit, or the user's own; see the Retry-After header."
)
export const InternalError = failure(500, "InternalError", "A defect; the server's log has it.")
export const BadGateway = failure(502, "BadGateway", "Polar failed, or does not accept this server.")
export const ServiceUnavailable = failure(503, "ServiceUnavailable", "Storage is out of reach; see Retry-After.")
export const GatewayTimeout = failure(504, "GatewayTimeout", "Polar did not answer in time.")

/** What goes wrong where Polar is asked for the signed-in user. */
const AskingFailed = Schema.Union(
  BadRequest,
  Unauthorized,
  NotAllowed,
  Missing,
  Refused,
  TooManyRequests,
  InternalError,
  BadGateway,
  ServiceUnavailable,
  GatewayTimeout
)

/** What goes wrong besides where a body says what to change. */
const ChangeFailed = Schema.Union(PaymentRequired, RequestTimeout, PayloadTooLarge, UnsupportedMediaType)

const signedIn = { security: [{ session: [] }] }

export const checkout = HttpApiEndpoint.post("checkout", "/checkout")
  .setPayload(CheckoutRequest)
  .addSuccess(CheckoutResponse)
  .addError(BadRequest)
  .addError(Unauthorized)
  .addError(ForeignPage)
  .addError(Conflict)
  .addError(RequestTimeout)
  .addError(PayloadTooLarge)
  .addError(UnsupportedMediaType)
  .addError(TooManyRequests)
  .addError(InternalError)
  .addError(BadGateway)
  .addError(ServiceUnavailable)
  .addError(GatewayTimeout)
  .annotate(OpenApi.Description, "Creates a checkout session for the signed-in user.")
  .annotate(OpenApi.Override, signedIn)

export const subscription = HttpApiEndpoint.get("subscription", "/subscription")
  .addSuccess(SubscriptionResponse)
  .addError(Unauthorized)
  .addError(InternalError)
  .addError(ServiceUnavailable)
  .annotate(OpenApi.Description, "The signed-in user's current subscription, or null.")
  .annotate(OpenApi.Override, signedIn)

export const access = HttpApiEndpoint.get("access", "/access")
  .setUrlParams(
    Schema.Struct({
      product: Schema.optional(
        Schema.Union(Schema.String, Schema.Array(Schema.String)).annotations({
          description:
            "Only subscriptions to this product, or to one of these: Polar's ids, or the app's names for them"
        })
      )
    })
  )
  .addSuccess(AccessResponse)
  .addError(BadRequest)
  .addError(Unauthorized)
  .addError(NotFound)
  .addError(InternalError)
  .addError(ServiceUnavailable)
  .annotate(OpenApi.Description, "Whether the signed-in user has access, and why.")
  .annotate(OpenApi.Override, signedIn)

export const benefits = HttpApiEndpoint.get("benefits", "/benefits")
  .addSuccess(BenefitsResponse)
  .addError(Unauthorized)
  .addError(NotFound)
  .addError(InternalError)
  .addError(ServiceUnavailable)
  .annotate(OpenApi.Description, "What the signed-in user was granted, the oldest first.")
  .annotate(OpenApi.Override, signedIn)

export const orders = HttpApiEndpoint.get("orders", "/orders")
  .addSuccess(OrdersResponse)
  .addError(Unauthorized)
  .addError(NotFound)
  .addError(InternalError)
  .addError(ServiceUnavailable)
  .annotate(OpenApi.Description, "The signed-in user's orders, the newest first.")
  .annotate(OpenApi.Override, signedIn)

export const changeSubscription = HttpApiEndpoint.post("changeSubscription", "/subscription/change")
  .setPayload(ChangeRequest)
  .addSuccess(ChangedResponse)
  .addError(AskingFailed)
  .addError(ChangeFailed)
  .annotate(
    OpenApi.Description,
    "Changes the signed-in user's subscription to another product, or another number of seats or units."
  )
  .annotate(OpenApi.Override, signedIn)

export const previewChange = HttpApiEndpoint.post("previewChange", "/subscription/preview")
  .setPayload(ChangeRequest)
  .addSuccess(PreviewResponse)
  .addError(AskingFailed)
  .addError(ChangeFailed)
  .annotate(OpenApi.Description, "What such a change would cost; changes nothing.")
  .annotate(OpenApi.Override, signedIn)

export const cancelSubscription = HttpApiEndpoint.post("cancelSubscription", "/subscription/cancel")
  .setPayload(CancelRequest)
  .addSuccess(ChangedResponse)
  .addError(AskingFailed)
  .addError(ChangeFailed)
  .annotate(OpenApi.Description, "Ends the signed-in user's subscription with its period.")
  .annotate(OpenApi.Override, signedIn)

export const uncancelSubscription = HttpApiEndpoint.post("uncancelSubscription", "/subscription/uncancel")
  .setPayload(SubscriptionRequest)
  .addSuccess(ChangedResponse)
  .addError(AskingFailed)
  .addError(ChangeFailed)
  .annotate(OpenApi.Description, "Undoes a cancellation while the period lasts.")
  .annotate(OpenApi.Override, signedIn)

export const pauseSubscription = HttpApiEndpoint.post("pauseSubscription", "/subscription/pause")
  .setPayload(PauseRequest)
  .addSuccess(ChangedResponse)
  .addError(AskingFailed)
  .addError(ChangeFailed)
  .annotate(OpenApi.Description, "Pauses the signed-in user's subscription at the end of its period.")
  .annotate(OpenApi.Override, signedIn)

export const resumeSubscription = HttpApiEndpoint.post("resumeSubscription", "/subscription/resume")
  .setPayload(SubscriptionRequest)
  .addSuccess(ChangedResponse)
  .addError(AskingFailed)
  .addError(ChangeFailed)
  .annotate(OpenApi.Description, "Goes on with a paused subscription, or undoes a pause that is only scheduled.")
  .annotate(OpenApi.Override, signedIn)

export const portalUrl = HttpApiEndpoint.post("portalUrl", "/portal")
  .setPayload(PortalRequest)
  .addSuccess(PortalResponse)
  .addError(AskingFailed)
  .addError(ChangeFailed)
  .annotate(OpenApi.Description, "Where Polar's portal is for the signed-in user.")
  .annotate(OpenApi.Override, signedIn)

export const completeCheckout = HttpApiEndpoint.get("completeCheckout", "/checkout/:id")
  .setPath(Schema.Struct({ id: Schema.String }))
  .addSuccess(CheckoutResultResponse)
  .addError(AskingFailed)
  .annotate(OpenApi.Description, "What became of the signed-in user's checkout: for the page that they come back to.")
  .annotate(OpenApi.Override, signedIn)

export const openPortal = HttpApiEndpoint.get("openPortal", "/portal")
  .setUrlParams(Schema.Struct({ returnUrl: Schema.optional(Schema.String) }))
  .addSuccess(Schema.Void.annotations(HttpApiSchema.annotations({ status: 303, description: "To Polar's portal" })))
  .addError(AskingFailed)
  .annotate(OpenApi.Description, "Sends the signed-in user to Polar's portal.")
  .annotate(OpenApi.Override, signedIn)

export const health = HttpApiEndpoint.get("health", "/health")
  .addSuccess(HealthResponse)
  .addError(NotFound)
  .addError(HealthDown)
  .addError(ServiceUnavailable)
  .annotate(OpenApi.Description, "Whether billing works, for a monitor. Off unless the app switches it on.")

export const webhook = HttpApiEndpoint.post("webhook", "/webhook")
  .addSuccess(WebhookResponse)
  .addError(BadRequest)
  .addError(Forbidden)
  .addError(RequestTimeout)
  .addError(PayloadTooLarge)
  .addError(InternalError)
  .addError(ServiceUnavailable)
  .annotate(OpenApi.Description, "Receives Polar's webhook deliveries, authenticated by their signature.")

/** The routes under `/auth/polar`. */
export class PolarGroup extends HttpApiGroup.make("polar")
  .add(checkout)
  .add(subscription)
  .add(access)
  .add(benefits)
  .add(orders)
  .add(changeSubscription)
  .add(previewChange)
  .add(cancelSubscription)
  .add(uncancelSubscription)
  .add(pauseSubscription)
  .add(resumeSubscription)
  .add(completeCheckout)
  .add(openPortal)
  .add(portalUrl)
  .add(health)
  .add(webhook)
  .prefix("/auth/polar") {}

/** The routes as an API of their own; or add `PolarGroup` to yours. */
export class PolarApi extends HttpApi.make("kavach-polar")
  .add(PolarGroup)
  .annotate(OpenApi.Title, "Polar billing")
  .annotate(OpenApi.Transform, (spec) => ({
    ...spec,
    components: {
      ...(typeof spec["components"] === "object" ? spec["components"] : {}),
      securitySchemes: {
        session: { type: "http", scheme: "bearer", description: "The host's session, as a bearer token or its cookie" }
      }
    }
  })) {}

/**
 * The three routes, described: for OpenAPI, for a typed client, and to mount in an Effect server.
 *
 * Paths, bodies and answers are those that KavachOS documents for its Polar plugin.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import { DateFromTimestamp } from "@kavach-polar/core/Timestamp"
import * as Schema from "effect/Schema"

/** Body of `POST /auth/polar/checkout`. */
export const CheckoutRequest = Schema.Struct({
  productId: Schema.NonEmptyString.annotations({ description: "Polar's id of the product, a UUID" }),
  successUrl: Schema.optional(
    Schema.String.annotations({
      description: "Where the buyer comes back to: http(s). {CHECKOUT_ID} in it becomes the checkout's id."
    })
  )
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

/** Answer of `POST /auth/polar/webhook`. */
export const WebhookResponse = Schema.Struct({ received: Schema.Literal(true) }).annotations({
  identifier: "WebhookResponse"
})

const failure = (status: number, identifier: string, description: string) =>
  Schema.Struct({ error: Schema.String }).annotations(HttpApiSchema.annotations({ status, identifier, description }))

export const BadRequest = failure(400, "BadRequest", "The request is not as described; the sentence names the field.")
export const Unauthorized = failure(401, "Unauthorized", "Nobody is signed in.")
export const Forbidden = failure(403, "Forbidden", "The delivery's signature does not verify.")
export const PayloadTooLarge = failure(413, "PayloadTooLarge", "The body is larger than is allowed.")
export const TooManyRequests = failure(429, "TooManyRequests", "Polar's rate limit; see the Retry-After header.")
export const InternalError = failure(500, "InternalError", "A defect; the server's log has it.")
export const BadGateway = failure(502, "BadGateway", "Polar failed, or does not accept this server.")
export const ServiceUnavailable = failure(503, "ServiceUnavailable", "Storage is out of reach; see Retry-After.")
export const GatewayTimeout = failure(504, "GatewayTimeout", "Polar did not answer in time.")

const signedIn = { security: [{ session: [] }] }

export const checkout = HttpApiEndpoint.post("checkout", "/checkout")
  .setPayload(CheckoutRequest)
  .addSuccess(CheckoutResponse)
  .addError(BadRequest)
  .addError(Unauthorized)
  .addError(PayloadTooLarge)
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

export const webhook = HttpApiEndpoint.post("webhook", "/webhook")
  .addSuccess(WebhookResponse)
  .addError(BadRequest)
  .addError(Forbidden)
  .addError(PayloadTooLarge)
  .addError(InternalError)
  .addError(ServiceUnavailable)
  .annotate(OpenApi.Description, "Receives Polar's webhook deliveries, authenticated by their signature.")

/** The routes under `/auth/polar`. */
export class PolarGroup extends HttpApiGroup.make("polar")
  .add(checkout)
  .add(subscription)
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

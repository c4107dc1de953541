/**
 * Gates before the endpoints of your own `HttpApi`: only who has access, a benefit or a product gets through.
 *
 * A gate is what a middleware of yours is made of. Its failures are in your API's description, and its typed client's.
 */
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Billing, type BillingService } from "@kavach-polar/core/Billing"
import { causeLine } from "@kavach-polar/core/logText"
import type { StoreError } from "@kavach-polar/core/StoreError"
import type { UserId } from "@kavach-polar/core/Subscription"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { makeCaller } from "./caller.ts"
import { Session } from "./Session.ts"

/** 401: nobody is signed in. */
export class NotSignedIn extends Schema.Class<NotSignedIn>("NotSignedIn")(
  { error: Schema.Literal("Not signed in") },
  HttpApiSchema.annotations({ status: 401 })
) {}

/** 402: they have not bought it. */
export class PaymentRequired extends Schema.Class<PaymentRequired>("PaymentRequired")(
  {
    error: Schema.Literal("Payment required"),
    buyUrl: Schema.optionalWith(Schema.String.annotations({ description: "Where to buy" }), { exact: true })
  },
  HttpApiSchema.annotations({ status: 402 })
) {}

/** 503: billing could not be asked. The reason is in the log. */
export class BillingUnavailable extends Schema.Class<BillingUnavailable>("BillingUnavailable")(
  { error: Schema.Literal("Billing is temporarily unavailable") },
  HttpApiSchema.annotations({ status: 503 })
) {}

/** What a gate fails with: `failure` of your middleware. */
export const Refused = Schema.Union(NotSignedIn, PaymentRequired, BillingUnavailable)
export type Refused = typeof Refused.Type

/**
 * @example
 * import * as Gate from "@kavach-polar/http/Gate"
 *
 * const options: Gate.GateOptions = { buyUrl: "/plans" }
 */
export interface GateOptions {
  /** Where to buy: it is in the answer to who may not get through. */
  readonly buyUrl?: string | undefined
}

/**
 * Which subscriptions count: by the names in `products`, or by their ids at Polar. Default: all.
 *
 * @example
 * import * as Gate from "@kavach-polar/http/Gate"
 *
 * const one: Gate.AccessGateOptions = { product: "pro", buyUrl: "/plans" }
 * const several: Gate.AccessGateOptions = { products: ["pro", "team"] }
 */
export interface AccessGateOptions extends GateOptions {
  readonly product?: string
  readonly products?: ReadonlyArray<string>
}

/** What a middleware runs before the endpoint. */
export type Gate = Effect.Effect<void, Refused, HttpServerRequest.HttpServerRequest>

const gate = (
  { buyUrl }: GateOptions,
  mayPass: (billing: BillingService, userId: UserId) => Effect.Effect<boolean, StoreError>
): Effect.Effect<Gate, never, Billing | Session> =>
  Effect.gen(function* () {
    const billing = yield* Billing
    const { signedIn } = makeCaller({ session: yield* Session, trustedOrigins: undefined })
    const refused = new PaymentRequired({ error: "Payment required", ...(buyUrl === undefined ? {} : { buyUrl }) })
    const check = Effect.gen(function* () {
      const { id } = yield* signedIn(yield* HttpServerRequest.HttpServerRequest)
      return yield* mayPass(billing, id)
    })
    return check.pipe(
      Effect.catchTags({
        NotSignedIn: () => Effect.fail(new NotSignedIn({ error: "Not signed in" })),
        StoreError: unavailable,
        SessionUnavailable: unavailable,
        UnusableUserId: unavailable
      }),
      Effect.flatMap((passes) => (passes ? Effect.void : Effect.fail(refused))),
      Effect.tapError((refusal) => HttpApp.appendPreResponseHandler((_request, response) => marked(refusal, response)))
    )
  })

/** Never let through: who has not paid could else break something to get in. */
const unavailable = (error: Error) =>
  Effect.zipRight(
    Effect.logError("Nobody gets through a gate while billing cannot be asked.", causeLine(Cause.fail(error))),
    Effect.fail(new BillingUnavailable({ error: "Billing is temporarily unavailable" }))
  )

/** It is one user's, and no cache's. */
const marked = (refusal: Refused, response: HttpServerResponse.HttpServerResponse) =>
  Effect.succeed(
    HttpServerResponse.setHeaders(response, {
      "cache-control": "no-store",
      ...(refusal instanceof BillingUnavailable ? { "retry-after": "5" } : {})
    })
  )

/**
 * Lets through who has access, a grace period included; with `product` or `products`, by a subscription to these.
 *
 * @example
 * import { HttpApiMiddleware } from "@effect/platform"
 * import * as Gate from "@kavach-polar/http/Gate"
 * import { Layer } from "effect"
 *
 * class RequirePro extends HttpApiMiddleware.Tag<RequirePro>()("RequirePro", { failure: Gate.Refused }) {}
 *
 * export const RequireProLive = Layer.effect(RequirePro, Gate.requireAccess({ product: "pro", buyUrl: "/plans" }))
 */
export const requireAccess = ({
  buyUrl,
  ...asked
}: AccessGateOptions = {}): Effect.Effect<Gate, never, Billing | Session> =>
  gate({ buyUrl }, (billing, userId) =>
    Effect.map(billing.access(userId, asked), ({ entitlement }) => entitlement !== "denied")
  )

/**
 * Lets through who has the benefit with this `metadata.key`, or this id.
 *
 * @example
 * import * as Gate from "@kavach-polar/http/Gate"
 *
 * Gate.requireBenefit("export", { buyUrl: "/plans" })
 */
export const requireBenefit = (key: string, options: GateOptions = {}): Effect.Effect<Gate, never, Billing | Session> =>
  gate(options, (billing, userId) => billing.benefits.has(userId, key))

/**
 * Lets through who bought this product, which is bought once, and has not had all of it back.
 *
 * @example
 * import * as Gate from "@kavach-polar/http/Gate"
 *
 * Gate.requireProduct("templates", { buyUrl: "/plans" })
 */
export const requireProduct = (
  product: string,
  options: GateOptions = {}
): Effect.Effect<Gate, never, Billing | Session> =>
  gate(options, (billing, userId) => billing.orders.owns(userId, product))

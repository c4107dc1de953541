/** The routes themselves: what each does with a request. They never fail. */
import type { IncomingMessage } from "node:http"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Billing } from "@kavach-polar/core/Billing"
import { ProductId, UserId, visible } from "@kavach-polar/core/Subscription"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { readAll } from "../node/incomingBody.ts"
import { type BodyTooLarge, type BodyUnreadable, readBody } from "../node/requestBody.ts"
import { InvalidRequest, NotSignedIn, refuse } from "./errorResponse.ts"
import { checkRedirectUrl } from "./redirectUrl.ts"
import { Session, type SessionUser } from "./Session.ts"

export interface EndpointOptions {
  /** Origins that a buyer may be sent back to, such as `https://app.example.com`. Default: any http(s) URL. */
  readonly trustedOrigins?: ReadonlyArray<string> | undefined
  /** The largest delivery that is read, in bytes. Default 1 MiB. */
  readonly webhookBodyLimit?: number | undefined
}

type Route = (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<HttpServerResponse.HttpServerResponse>

export class Endpoints extends Context.Tag("@kavach-polar/http/Endpoints")<
  Endpoints,
  {
    readonly checkout: Route
    readonly subscription: Route
    readonly webhook: Route
    /** The same as `webhook`, for a request of Node's own server. */
    readonly nodeWebhook: (incoming: IncomingMessage) => Effect.Effect<HttpServerResponse.HttpServerResponse>
  }
>() {}

const checkoutBodyLimit = 16 * 1024

const received = HttpServerResponse.unsafeJson({ received: true })

const make = (options: EndpointOptions = {}) =>
  Effect.gen(function* () {
    const billing = yield* Billing
    const session = yield* Session
    const webhookBodyLimit = options.webhookBodyLimit ?? 1024 * 1024

    const signedIn = (request: HttpServerRequest.HttpServerRequest) =>
      Effect.flatMap(session.user(request), (user) =>
        Option.match(Option.filter(user, hasUserId), {
          onNone: () => Effect.fail(new NotSignedIn()),
          onSome: Effect.succeed
        })
      )

    const receive = (
      headers: Readonly<Record<string, string | undefined>>,
      body: Effect.Effect<Uint8Array, BodyTooLarge | BodyUnreadable>
    ) =>
      body.pipe(
        Effect.flatMap((bytes) => billing.receiveWebhook(headers, bytes)),
        Effect.as(received),
        refuse
      )

    return {
      checkout: (request) =>
        Effect.gen(function* () {
          const user = yield* signedIn(request)
          const { productId, successUrl } = yield* readCheckoutRequest(request)
          const checkout = yield* billing.createCheckout(user.id, productId, {
            successUrl:
              successUrl === undefined
                ? undefined
                : yield* checkRedirectUrl("successUrl", successUrl, options.trustedOrigins),
            customerEmail: unlessBlank(user.email),
            customerName: unlessBlank(user.name)
          })
          return HttpServerResponse.unsafeJson({ url: checkout.url, id: checkout.id })
        }).pipe(refuse),

      subscription: (request) =>
        Effect.gen(function* () {
          const user = yield* signedIn(request)
          const subscription = yield* billing.getSubscription(user.id)
          return HttpServerResponse.unsafeJson(
            { subscription: Option.getOrNull(Option.map(subscription, visible)) },
            { headers: { "cache-control": "no-store" } }
          )
        }).pipe(refuse),

      webhook: (request) => receive(request.headers, readBody(request, webhookBodyLimit)),

      nodeWebhook: (incoming) => receive(deliveryHeaders(incoming), readAll(incoming, webhookBodyLimit))
    } satisfies Context.Tag.Service<typeof Endpoints>
  })

export const layer = (options?: EndpointOptions): Layer.Layer<Endpoints, never, Billing | Session> =>
  Layer.effect(Endpoints, make(options))

const deliveryHeaders = ({ headers }: IncomingMessage): Readonly<Record<string, string | undefined>> => ({
  "webhook-id": headers["webhook-id"]?.toString(),
  "webhook-timestamp": headers["webhook-timestamp"]?.toString(),
  "webhook-signature": headers["webhook-signature"]?.toString()
})

const isUserId = Schema.is(UserId)

const hasUserId = (user: SessionUser): user is SessionUser & { readonly id: UserId } => isUserId(user.id)

/** A session without the field may have it as an empty text; then what the users' table says is better. */
const unlessBlank = (text: string | null | undefined): string | undefined =>
  text === null || text === undefined || text.trim() === "" ? undefined : text

const isProductId = Schema.is(ProductId)

/** The body by hand rather than by schema, to answer in KavachOS's own words. */
const readCheckoutRequest = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.gen(function* () {
    const bytes = yield* readBody(request, checkoutBodyLimit)
    const body = yield* Effect.try({
      try: (): unknown => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)),
      catch: () => new InvalidRequest({ problem: "Invalid JSON body" })
    })
    if (typeof body !== "object" || body === null || Array.isArray(body)) {
      return yield* new InvalidRequest({ problem: "Invalid JSON body" })
    }
    const productId = "productId" in body ? body.productId : undefined
    const successUrl = "successUrl" in body ? body.successUrl : undefined
    if (productId === undefined || productId === null || productId === "") {
      return yield* new InvalidRequest({ problem: "Missing required field: productId" })
    }
    if (!isProductId(productId)) {
      return yield* new InvalidRequest({ problem: "Invalid productId: it must be the id of a product" })
    }
    if (successUrl !== undefined && successUrl !== null && typeof successUrl !== "string") {
      return yield* new InvalidRequest({ problem: "Invalid successUrl: it must be a URL" })
    }
    return { productId, successUrl: successUrl ?? undefined }
  })

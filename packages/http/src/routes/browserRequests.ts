/**
 * What a user's browser may ask for, and nothing else:
 *
 *     POST /auth/polar/checkout      { "productId": "…", "successUrl": "…" }   a checkout of one product
 *     GET  /auth/polar/subscription                                            the current subscription
 *
 * Both only for the user of the session. A browser can write whatever it likes, so who buys, under which address and name,
 * at what price and with which discount, seats or metadata is never read from its request. Everything else that billing can
 * do (the customer portal, links, replays, reconciliation) is for the app's own code.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { BillingService } from "@kavach-polar/core/Billing"
import { ProductId, UserId } from "@kavach-polar/core/Subscription"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { readBody } from "../node/requestBody.ts"
import { InvalidRequest, NotSignedIn, type RouteError } from "./errorResponse.ts"
import { checkRedirectUrl } from "./redirectUrl.ts"
import type { Session, SessionUser } from "./Session.ts"

type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse, RouteError>

export interface BrowserRequests {
  readonly checkout: (request: HttpServerRequest.HttpServerRequest) => Answer
  readonly subscription: (request: HttpServerRequest.HttpServerRequest) => Answer
}

export interface BrowserRequestOptions {
  readonly billing: BillingService
  readonly session: Context.Tag.Service<typeof Session>
  readonly trustedOrigins: ReadonlyArray<string> | undefined
}

export const makeBrowserRequests = ({ billing, session, trustedOrigins }: BrowserRequestOptions): BrowserRequests => {
  const signedIn = (request: HttpServerRequest.HttpServerRequest) =>
    Effect.flatMap(session.user(request), (user) =>
      Option.match(Option.filter(user, hasUserId), {
        onNone: () => Effect.fail(new NotSignedIn()),
        onSome: Effect.succeed
      })
    )

  return {
    checkout: (request) =>
      Effect.gen(function* () {
        const user = yield* signedIn(request)
        const { productId, successUrl } = yield* readCheckoutRequest(request)
        const checkout = yield* billing.createCheckout(user.id, productId, {
          successUrl:
            successUrl === undefined ? undefined : yield* checkRedirectUrl("successUrl", successUrl, trustedOrigins),
          customerEmail: unlessBlank(user.email),
          customerName: unlessBlank(user.name)
        })
        return HttpServerResponse.unsafeJson({ url: checkout.url, id: checkout.id })
      }),

    subscription: (request) =>
      Effect.gen(function* () {
        const user = yield* signedIn(request)
        const subscription = yield* billing.currentSubscription(user.id)
        return HttpServerResponse.unsafeJson(
          { subscription: Option.getOrNull(subscription) },
          { headers: { "cache-control": "no-store" } }
        )
      })
  }
}

const isUserId = Schema.is(UserId)

const hasUserId = (user: SessionUser): user is SessionUser & { readonly id: UserId } => isUserId(user.id)

/** A session without the field may have it as an empty text; then what the users' table says is better. */
const unlessBlank = (text: string | null | undefined): string | undefined =>
  text === null || text === undefined || text.trim() === "" ? undefined : text

const checkoutBodyLimit = 16 * 1024

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

/**
 * What a user's browser may ask for, and nothing else:
 *
 *     POST /auth/polar/checkout      { "productId": "…", "successUrl": "…" }   a checkout of one product
 *     GET  /auth/polar/subscription                                            the current subscription
 *     GET  /auth/polar/benefits                                                what the user was granted
 *     GET  /auth/polar/orders                                                  what the user paid, or is to pay
 *
 * All only for the user of the session, and the first only for the app's own pages. A browser can write whatever it likes, so who buys, under which address and name,
 * at what price and with which discount, seats or metadata is never read from its request. Everything else that billing can
 * do (links, replays, reconciliation) is for the app's own code. What they do with a subscription: `subscriptionRequests.ts`.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { BillingService } from "@kavach-polar/core/Billing"
import { ProductId } from "@kavach-polar/core/Subscription"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type makeCaller, ownData, readJson } from "./caller.ts"
import { InvalidRequest, ProductNotOffered, type RouteError } from "./errorResponse.ts"
import { shownOrder } from "./shownOrder.ts"

type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse, RouteError>

export interface BrowserRequests {
  readonly checkout: (request: HttpServerRequest.HttpServerRequest) => Answer
  readonly subscription: (request: HttpServerRequest.HttpServerRequest) => Answer
  readonly benefits: (request: HttpServerRequest.HttpServerRequest) => Answer
  readonly orders: (request: HttpServerRequest.HttpServerRequest) => Answer
}

export interface BrowserRequestOptions {
  readonly billing: BillingService
  readonly caller: ReturnType<typeof makeCaller>
}

export const makeBrowserRequests = ({
  billing,
  caller: { ownPage, ownUrl, signedIn }
}: BrowserRequestOptions): BrowserRequests => {
  return {
    checkout: (request) =>
      Effect.gen(function* () {
        const own = yield* ownPage(request)
        const user = yield* signedIn(request)
        const { productId: asked, successUrl } = yield* readCheckoutRequest(request)
        const productId = typeof billing.catalogue === "object" ? billing.catalogue.offered(asked) : asked
        if (productId === undefined) return yield* new ProductNotOffered({ asked })
        const checkout = yield* billing.createCheckout(user.id, productId, {
          successUrl: successUrl === undefined ? undefined : yield* ownUrl("successUrl", successUrl, own),
          customerEmail: textIn(user.email),
          customerEmailVerified: typeof user.emailVerified === "boolean" ? user.emailVerified : undefined,
          customerName: textIn(user.name)
        })
        return HttpServerResponse.unsafeJson({ url: checkout.url, id: checkout.id })
      }),

    subscription: (request) =>
      Effect.gen(function* () {
        const user = yield* signedIn(request)
        const subscription = yield* billing.currentSubscription(user.id)
        return ownData({ subscription: Option.getOrNull(subscription) })
      }),

    benefits: (request) =>
      Effect.gen(function* () {
        const user = yield* signedIn(request)
        return ownData({ benefits: yield* billing.benefits.list(user.id) })
      }),

    orders: (request) =>
      Effect.gen(function* () {
        const user = yield* signedIn(request)
        return ownData({ orders: Array.from(yield* billing.orders.list(user.id), shownOrder) })
      })
  }
}

/**
 * A session without the field may have it as an empty text, or as no text at all; then what the users' table says is better.
 */
const textIn = (value: unknown): string | undefined =>
  typeof value !== "string" || value.trim() === "" ? undefined : value

const isProductId = Schema.is(ProductId)

/** The body by hand rather than by schema, to answer in KavachOS's own words. */
const readCheckoutRequest = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.gen(function* () {
    const body = yield* readJson(request)
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

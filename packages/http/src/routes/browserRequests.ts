/**
 * What a user's browser may ask for, and nothing else:
 *
 *     POST /auth/polar/checkout      { "productId": "…", "successUrl": "…" }   a checkout of one product
 *     GET  /auth/polar/subscription                                            the current subscription
 *     GET  /auth/polar/benefits                                                what the user was granted
 *     GET  /auth/polar/orders                                                  what the user paid, or is to pay
 *
 * All only for the user of the session, and the first only for the app's own pages. A browser can write whatever it likes, so who
 * buys, under which address and name, at what price and with which metadata is never read from its request: only what the buyer
 * could as well choose on Polar's page. Everything else that billing can do (links, replays, reconciliation) is for the app's own
 * code. What they do with a subscription: `subscriptionRequests.ts`.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { BillingService } from "@kavach-polar/core/Billing"
import { ProductId } from "@kavach-polar/core/Subscription"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { CheckoutChoices } from "./Api.ts"
import { type makeCaller, ownData, readJson } from "./caller.ts"
import { InvalidRequest, ProductNotOffered, type RouteError } from "./errorResponse.ts"
import { readFields } from "./readFields.ts"
import { originOf } from "./redirectUrl.ts"
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
        const { choices, products, successUrl } = yield* readCheckoutRequest(request)
        const { catalogue } = billing
        const offered = yield* Effect.forEach(products, (asked) => {
          const productId = typeof catalogue === "object" ? catalogue.offered(asked) : asked
          return productId === undefined ? new ProductNotOffered({ asked }) : Effect.succeed(productId)
        })
        const ownOf = (field: string, url: string | undefined) =>
          url === undefined ? Effect.succeed(undefined) : ownUrl(field, url, own)
        const embedOrigin = yield* ownOf("embedOrigin", choices.embedOrigin)
        const checkout = yield* billing.createCheckout(user.id, offered, {
          ...choices,
          successUrl: yield* ownOf("successUrl", successUrl),
          returnUrl: yield* ownOf("returnUrl", choices.returnUrl),
          embedOrigin: embedOrigin === undefined ? undefined : originOf(embedOrigin),
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

interface CheckoutBody {
  readonly productId?: unknown
  readonly productIds?: unknown
  readonly successUrl?: unknown
}

/** Nobody chooses among more. */
const mostProducts = 20
const isProductId = Schema.is(ProductId)
const areProductIds = Schema.is(Schema.NonEmptyArray(ProductId).pipe(Schema.maxItems(mostProducts)))

/** The products by hand rather than by schema, to answer in KavachOS's own words. Fields that are not known are passed over. */
const readCheckoutRequest = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.gen(function* () {
    const body: CheckoutBody = yield* readJson(request)
    const { productId, productIds, successUrl } = body
    if (productIds === undefined && (productId === undefined || productId === null || productId === "")) {
      return yield* new InvalidRequest({ problem: "Missing required field: productId" })
    }
    if (productIds === undefined && !isProductId(productId)) {
      return yield* new InvalidRequest({ problem: "Invalid productId: it must be the id of a product" })
    }
    const products: unknown = productIds ?? [productId]
    if (!areProductIds(products) || (productIds !== undefined && productId !== undefined)) {
      return yield* new InvalidRequest({
        problem: `Invalid productIds: it must be a list of 1 to ${mostProducts} products' ids, without productId`
      })
    }
    if (successUrl !== undefined && successUrl !== null && typeof successUrl !== "string") {
      return yield* new InvalidRequest({ problem: "Invalid successUrl: it must be a URL" })
    }
    const choices = yield* readFields(CheckoutChoices, body, { others: "ignored" })
    return { products, successUrl: successUrl ?? undefined, choices }
  })

/**
 * What a signed-in user may do with their own subscription from the app's pages, and how they come back from a checkout:
 *
 *     POST /auth/polar/subscription/change     { "productId": "…" } or { "seats": 5 } or { "units": 5 }
 *     POST /auth/polar/subscription/preview    the same: what it would cost
 *     POST /auth/polar/subscription/cancel     { "reason"?: "…", "comment"?: "…" }
 *     POST /auth/polar/subscription/uncancel, /pause { "resumesAt"?: "…" }, /resume
 *     GET  /auth/polar/checkout/:id            what became of a checkout
 *     GET  /auth/polar/portal                  to Polar's portal; POST answers with its address
 *
 * Which of several subscriptions: `"subscriptionId"`. When a change is charged is for the app to say (at Polar, or by the
 * method): a buyer would choose "later".
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { BillingService } from "@kavach-polar/core/Billing"
import { CheckoutId, type Subscription } from "@kavach-polar/core/Subscription"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { CancelRequest, ChangeRequest, PauseRequest, PortalRequest, SubscriptionRequest } from "./Api.ts"
import type { AskedFor, Authorize, RouteAction } from "./authorize.ts"
import { type makeCaller, ownData, readJson, type SignedIn } from "./caller.ts"
import { InvalidRequest, NotAllowed, ProductNotOffered, type RouteError } from "./errorResponse.ts"
import { isPolarId } from "./polarId.ts"
import { readFields } from "./readFields.ts"
import { queryOf, urlOf } from "./requestUrl.ts"
import { shownOrder } from "./shownOrder.ts"
import { makeUserRate } from "./userRate.ts"

type Request = HttpServerRequest.HttpServerRequest
type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse, RouteError>
type Route = (request: Request) => Answer

export interface SubscriptionRequests {
  readonly changeSubscription: Route
  readonly previewChange: Route
  readonly cancelSubscription: Route
  readonly uncancelSubscription: Route
  readonly pauseSubscription: Route
  readonly resumeSubscription: Route
  readonly completeCheckout: Route
  readonly openPortal: Route
  readonly portalUrl: Route
}

export interface SubscriptionRequestOptions {
  readonly billing: BillingService
  readonly caller: ReturnType<typeof makeCaller>
  readonly authorize: Authorize | undefined
}

export const makeSubscriptionRequests = ({
  authorize,
  billing,
  caller
}: SubscriptionRequestOptions): SubscriptionRequests => {
  const takeTurn = makeUserRate()

  /** Not too often; and the app is asked, where it wants to be. */
  const mayDo = (action: RouteAction, user: SignedIn, request: Request, asked: AskedFor) =>
    Effect.gen(function* () {
      yield* takeTurn(user.id)
      if (authorize === undefined) return
      const all = yield* billing.listSubscriptions(user.id)
      const { subscriptionId } = asked
      const meant = all.find(({ id, isLive }) => (subscriptionId === undefined ? isLive : id === subscriptionId))
      const allowed = yield* authorize(action, { user, request, asked, subscription: meant ?? null })
      if (!allowed) return yield* new NotAllowed({ action })
    })

  /** A post from the app's own page, in the name of who is signed in. */
  const posted = <A extends AskedFor, I>(request: Request, action: RouteAction, schema: Schema.Schema<A, I>) =>
    Effect.gen(function* () {
      const own = yield* caller.ownPage(request)
      const user = yield* caller.signedIn(request)
      const body = withPolarsProduct(yield* readFields(schema, yield* readJson(request, { mayBeEmpty: true })))
      yield* mayDo(action, user, request, body)
      return { user, body, own }
    })

  const offered = (asked: string) => {
    const productId =
      typeof billing.catalogue === "object" ? billing.catalogue.offered(asked) : isPolarId(asked) ? asked : undefined
    return productId === undefined ? new ProductNotOffered({ asked }) : Effect.succeed(productId)
  }

  /** What to change, in the words of the method. */
  const changeIn = ({ productId, seats, subscriptionId, units }: typeof ChangeRequest.Type) =>
    Effect.gen(function* () {
      const which = subscriptionId === undefined ? {} : { subscriptionId }
      const asked = [productId, seats, units].filter((one) => one !== undefined)
      if (asked.length !== 1) {
        return yield* new InvalidRequest({ problem: "Say one of productId, seats and units" })
      }
      if (seats !== undefined) return { ...which, seats }
      if (units !== undefined) return { ...which, units }
      return { ...which, product: yield* offered(productId ?? "") }
    })

  const changed = <E extends RouteError>(change: Effect.Effect<Subscription, E>) =>
    Effect.map(change, (subscription) => ownData({ subscription: shown(subscription) }))

  const portal = (user: SignedIn, returnUrl: string | undefined, own: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const back = returnUrl === undefined ? undefined : yield* caller.ownUrl("returnUrl", returnUrl, own)
      return yield* billing.portal.url(user.id, { returnUrl: back })
    })

  return {
    changeSubscription: (request) =>
      Effect.gen(function* () {
        const { body, user } = yield* posted(request, "change", ChangeRequest)
        return yield* changed(billing.subscriptions.change(user.id, yield* changeIn(body)))
      }),

    previewChange: (request) =>
      Effect.gen(function* () {
        const { body, user } = yield* posted(request, "preview", ChangeRequest)
        return ownData(yield* billing.subscriptions.preview(user.id, yield* changeIn(body)))
      }),

    cancelSubscription: (request) =>
      Effect.gen(function* () {
        const { body, user } = yield* posted(request, "cancel", CancelRequest)
        return yield* changed(billing.subscriptions.cancel(user.id, body))
      }),

    uncancelSubscription: (request) =>
      Effect.gen(function* () {
        const { body, user } = yield* posted(request, "uncancel", SubscriptionRequest)
        return yield* changed(billing.subscriptions.uncancel(user.id, body))
      }),

    pauseSubscription: (request) =>
      Effect.gen(function* () {
        const { body, user } = yield* posted(request, "pause", PauseRequest)
        return yield* changed(billing.subscriptions.pause(user.id, body))
      }),

    resumeSubscription: (request) =>
      Effect.gen(function* () {
        const { body, user } = yield* posted(request, "resume", SubscriptionRequest)
        return yield* changed(billing.subscriptions.resume(user.id, body))
      }),

    completeCheckout: (request) =>
      Effect.gen(function* () {
        const user = yield* caller.signedIn(request)
        const id = yield* checkoutIn(request)
        yield* mayDo("completeCheckout", user, request, { checkoutId: id })
        const { access, order, status, subscription } = yield* billing.checkouts.complete(user.id, id)
        return ownData({
          status,
          subscription: subscription === null ? null : shown(subscription),
          order: order === null ? null : shownOrder(order),
          access
        })
      }),

    openPortal: (request) =>
      Effect.gen(function* () {
        const user = yield* caller.signedIn(request)
        const returnUrl = queryOf(request).get("returnUrl") ?? undefined
        yield* mayDo("portal", user, request, { returnUrl })
        const url = yield* portal(user, returnUrl, yield* caller.ownOrigins(request))
        // Its address opens the portal for whoever has it: no cache keeps it.
        return HttpServerResponse.redirect(url, { status: 303, headers: { "cache-control": "no-store" } })
      }),

    portalUrl: (request) =>
      Effect.gen(function* () {
        const { body, own, user } = yield* posted(request, "portal", PortalRequest)
        return ownData({ url: yield* portal(user, body.returnUrl, own) })
      })
  }
}

/** What the app is asked about is what will be done: a product's id in whichever case is the same product. */
const withPolarsProduct = <A extends AskedFor>(asked: A): A =>
  isPolarId(asked.productId) ? { ...asked, productId: asked.productId.toLowerCase() } : asked

/** The fields that are for the user. */
const shown = (subscription: Subscription) => ({
  id: subscription.id,
  status: subscription.status,
  productId: subscription.productId,
  currentPeriodEnd: subscription.currentPeriodEnd,
  cancelAtPeriodEnd: subscription.cancelAtPeriodEnd,
  pauseAtPeriodEnd: subscription.pauseAtPeriodEnd,
  resumesAt: subscription.resumesAt,
  trialEnd: subscription.trialEnd,
  seats: subscription.seats,
  units: subscription.units,
  pendingUpdate: subscription.pendingUpdate
})

/** The last segment of the path: each host has another way to give it. */
const checkoutIn = (request: Request) => {
  const last = urlOf(request).pathname.replace(/\/$/, "").split("/").at(-1) ?? ""
  return isCheckoutId(last)
    ? Effect.succeed(CheckoutId.make(last))
    : Effect.fail(new InvalidRequest({ problem: "Invalid checkout id" }))
}

const isCheckoutId = (text: string): boolean => /^[\w-]{1,64}$/.test(text)

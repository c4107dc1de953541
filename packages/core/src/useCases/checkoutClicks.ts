/**
 * A user's click on "buy": one checkout for clicks that ask for the same, and no checkout where the user is subscribed already and
 * the app has said what to do then.
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { CustomerSession } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { checkoutKind } from "../records/Checkout.ts"
import { orderKind } from "../records/Order.ts"
import type { ProductId, Subscription, SubscriptionId, UserId } from "../records/Subscription.ts"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import type { AlreadySubscribed } from "./BuyerError.ts"
import type { CheckoutOptions } from "./checkoutOptions.ts"
import type { Checkout, CheckoutError } from "./createCheckout.ts"
import type { PortalError } from "./openPortal.ts"
import { makeSessionLimit } from "./sessionLimit.ts"
import type { SubscriptionError, Subscriptions } from "./subscriptions.ts"

/** What came of a click with `ifSubscribed: "change"` or `"portal"`. */
export type CheckoutOutcome =
  | Checkout
  /** The user was subscribed: send them to Polar's portal. */
  | { readonly outcome: "portal"; readonly url: string }
  /** The user was subscribed: their subscription was changed to the product, or has it already. */
  | { readonly outcome: "changed"; readonly subscription: Subscription }

export type CheckoutOutcomeError = CheckoutError | SubscriptionError | PortalError

interface Ports {
  readonly store: BillingStoreService
  readonly openCheckout: (
    userId: UserId,
    products: Arr.NonEmptyReadonlyArray<ProductId>,
    options: CheckoutOptions
  ) => Effect.Effect<Checkout, CheckoutError>
  readonly openPortal: (
    userId: UserId,
    options: { readonly returnUrl: string | undefined }
  ) => Effect.Effect<CustomerSession, PortalError>
  readonly subscriptions: Pick<Subscriptions, "change">
  /** Bounds the time that a buyer waits. */
  readonly within: (operation: string) => <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | PolarError>
  readonly perMinute: number | undefined
}

interface Clicked {
  readonly outcome: CheckoutOutcome
  /** What the user had before. */
  readonly had: string
}

export const makeCheckoutClicks = ({ openCheckout, openPortal, perMinute, store, subscriptions, within }: Ports) => {
  const click = makeSessionLimit<Clicked, CheckoutOutcomeError>("checkouts", perMinute)

  /** What the user has, as far as it matters to what they may buy. */
  const whatTheyHave = (userId: UserId): Effect.Effect<string, StoreError> =>
    Effect.zipWith(store.subscriptionsOf(userId, "all"), store.recordsOf(orderKind, userId), (owned, orders) =>
      JSON.stringify([owned.map(({ id, productId, status }) => [id, productId, status]), orders.map(({ id }) => id)])
    )

  /** Whether the checkout is there to be paid, and the user as before. */
  const isOpen = (userId: UserId, { had, outcome }: Clicked) =>
    outcome.outcome !== "checkout"
      ? Effect.succeed(false)
      : Effect.zipWith(
          whatTheyHave(userId),
          store.record(checkoutKind, outcome.id),
          (has, stored) =>
            has === had && Option.match(stored, { onNone: () => true, onSome: ({ value }) => value.status === "open" })
        )

  /** What the app wants instead of the checkout. */
  const instead = (
    error: AlreadySubscribed,
    userId: UserId,
    [product]: Arr.NonEmptyReadonlyArray<ProductId>,
    { ifSubscribed, returnUrl, seats, units }: CheckoutOptions
  ): Effect.Effect<CheckoutOutcome, CheckoutOutcomeError> | undefined => {
    if (ifSubscribed === "portal") {
      return Effect.map(openPortal(userId, { returnUrl }), ({ customerPortalUrl: url }) => ({ outcome: "portal", url }))
    }
    if (ifSubscribed !== "change") return undefined
    const { subscription } = error
    const which = { subscriptionId: subscription.id }
    const changed = (subscription: Subscription): CheckoutOutcome => ({ outcome: "changed", subscription })
    if (subscription.productId !== product) {
      return Effect.map(subscriptions.change(userId, { ...which, product }), changed)
    }
    if (seats !== undefined) return Effect.map(subscriptions.change(userId, { ...which, seats }), changed)
    if (units !== undefined) return Effect.map(subscriptions.change(userId, { ...which, units }), changed)
    return Effect.flatMap(store.record(subscriptionKind, subscription.id as SubscriptionId), (stored) =>
      // A moment ago it was there.
      Option.match(stored, { onNone: () => error, onSome: ({ value }) => Effect.succeed(changed(value)) })
    )
  }

  const open = (
    userId: UserId,
    products: Arr.NonEmptyReadonlyArray<ProductId>,
    options: CheckoutOptions
  ): Effect.Effect<CheckoutOutcome, CheckoutOutcomeError> =>
    Effect.catchTag(
      within("create checkout")(openCheckout(userId, products, options)),
      "AlreadySubscribed",
      (error) => instead(error, userId, products, options) ?? Effect.fail(error)
    )

  return (userId: UserId, products: Arr.NonEmptyReadonlyArray<ProductId>, options: CheckoutOptions = {}) =>
    Effect.map(
      click({
        userId,
        same: JSON.stringify([products, options]),
        open: Effect.flatMap(whatTheyHave(userId), (had) =>
          Effect.map(open(userId, products, options), (outcome): Clicked => ({ outcome, had }))
        ),
        reuse: options.reuse !== false,
        isOpen: (clicked) => isOpen(userId, clicked)
      }),
      ({ outcome }) => outcome
    )
}

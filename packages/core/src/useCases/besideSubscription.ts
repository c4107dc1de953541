/**
 * A checkout for somebody who is subscribed already.
 *
 * Polar's organizations allow a customer one subscription at a time unless they are set otherwise, and refuse another one only
 * when the buyer pays (Polar docs: checkout sessions). So who has one by our own records is found out about before they are
 * sent there, by asking Polar what it would say. A free subscription is no obstacle: the purchase upgrades it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { CheckoutSession, PolarClient } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { refusesOnly } from "../polar/refusedFields.ts"
import { type ProductId, type Subscription, type UserId, visible } from "../records/Subscription.ts"
import { isBillable } from "../rules/billable.ts"
import { AlreadySubscribed } from "./BuyerError.ts"

/** The subscriptions that may stand in the way of another one: those that go on, the newest first. */
export const standingAt = (subscriptions: ReadonlyArray<Subscription>, now: number): ReadonlyArray<Subscription> =>
  subscriptions
    .filter((one) => isBillable(one, now))
    .sort((a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0))

export const alreadySubscribed = (userId: UserId, subscription: Subscription): AlreadySubscribed =>
  new AlreadySubscribed({ userId, subscription: visible(subscription) })

export const isFree = ({ amount }: Subscription): boolean => amount === 0

/** Upgrades a free subscription where Polar takes the product for that; else opens the checkout as for anybody. */
export const upgradeOr = <E>(
  subscription: Option.Option<Subscription>,
  upgrade: (subscriptionId: string) => Effect.Effect<CheckoutSession, PolarError>,
  open: Effect.Effect<CheckoutSession, E>
) => {
  const free = Option.filter(subscription, isFree)
  return Option.isNone(free)
    ? Effect.map(open, (session) => ({ session, upgrades: false }))
    : Effect.map(upgrade(free.value.id), (session) => ({ session, upgrades: true })).pipe(
        // Another free product, one that is bought once, or a subscription that is not entirely free after all.
        Effect.catchIf(
          (error) => refusesOnly(error, ["subscription_id", "products"]),
          () => Effect.map(open, (session) => ({ session, upgrades: false }))
        )
      )
}

/** Fails when Polar would refuse the buyer at the end. */
export const makeRefuseSecond =
  (client: typeof PolarClient.Service) =>
  (userId: UserId, productId: ProductId, subscription: Option.Option<Subscription>, session: CheckoutSession) =>
    Option.isNone(subscription)
      ? Effect.void
      : Effect.flatMap(client.allowsSubscription(session.id, productId), (allowed) =>
          allowed ? Effect.void : Effect.fail(alreadySubscribed(userId, subscription.value))
        )

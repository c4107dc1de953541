/**
 * A checkout for somebody who is subscribed already.
 *
 * Polar's organizations allow a customer one subscription at a time unless they are set otherwise, and refuse another one only
 * when the buyer pays (Polar docs: checkout sessions). So who has one by our own records is found out about before they are
 * sent there, by asking Polar what it would say. A free subscription is no obstacle: the purchase upgrades it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { CheckoutSession, PolarClient } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { refusesOnly } from "../polar/refusedFields.ts"
import { type ProductId, type Subscription, type UserId, visible } from "../records/Subscription.ts"
import { isBillable } from "../rules/billable.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import { AlreadySubscribed } from "./BuyerError.ts"

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
}

export const makeBesideSubscription = ({ client, store }: Ports) => {
  /** The subscription that stands in the way of another one, if any does: the newest. */
  const subscriptionOf = (userId: UserId) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const billable = (yield* store.subscriptionsOf(userId, "live")).filter((one) => isBillable(one, now))
      const [newest] = billable.sort((a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0))
      return Option.fromNullable(newest)
    })

  /** Upgrades a free subscription where Polar takes the product for that; else opens the checkout as for anybody. */
  const upgradeOr = <E>(
    subscription: Option.Option<Subscription>,
    upgrade: (subscriptionId: string) => Effect.Effect<CheckoutSession, PolarError>,
    open: Effect.Effect<CheckoutSession, E>
  ) => {
    const free = Option.filter(subscription, ({ amount }) => amount === 0)
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
  const refuseSecond = (
    userId: UserId,
    productId: ProductId,
    subscription: Option.Option<Subscription>,
    session: CheckoutSession
  ) =>
    Option.isNone(subscription)
      ? Effect.void
      : Effect.flatMap(client.allowsSubscription(session.id, productId), (allowed) =>
          allowed
            ? Effect.void
            : Effect.fail(new AlreadySubscribed({ userId, subscription: visible(subscription.value) }))
        )

  return { subscriptionOf, upgradeOr, refuseSecond }
}

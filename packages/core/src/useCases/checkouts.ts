/**
 * A buyer who comes back from Polar before the webhook does. Polar is asked what became of the checkout, and what it says is
 * stored as any other state that was read from Polar: with its place in the order, so that the webhook changes nothing more, and
 * may as well come first.
 *
 * A checkout of another user's, or one that this app did not make, is not found.
 */
import * as Cache from "effect/Cache"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { PolarClient } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import type { CheckoutStatus } from "../records/Checkout.ts"
import { type Order, orderKind, wasPaid } from "../records/Order.ts"
import type { CheckoutId, Subscription, UserId } from "../records/Subscription.ts"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import type { Access } from "../rules/AccessPolicy.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import type { SubscriptionId } from "../values/ids.ts"
import type { UserLookupFailed } from "./appUsers.ts"

/** This app made no such checkout for the user. */
export class CheckoutNotFound extends Schema.TaggedError<CheckoutNotFound>()("CheckoutNotFound", {
  checkoutId: Schema.String
}) {
  override get message(): string {
    return `This app has made no checkout ${this.checkoutId} for this user: only one that \`createCheckout\` made is found, by its own user.`
  }
}

/** A checkout, and for whom it was made. */
export interface UsersCheckout {
  readonly id: CheckoutId
  readonly userId: UserId
  readonly productId: string
  readonly createdAt: Date
}

/**
 * @example
 * const checkout = await billing.checkouts.get(checkoutId, { userId: "user_1" })
 */
export interface GetCheckoutOptions {
  /** For whom it is asked: the checkout of anybody else is not found. Default: for the app itself. */
  readonly userId?: string
}

/**
 * @example
 * Effect.flatMap(Billing.Billing, ({ checkouts }) => checkouts.complete(userId, Subscription.CheckoutId.make(checkoutId), { wait: "5 seconds" }))
 */
export interface CompleteOptions {
  /** How long to wait for a payment that is under way; 10 seconds unless given, and 30 at most. */
  readonly wait?: Duration.DurationInput | undefined
}

/** What became of a checkout, by now. */
export interface CompletedCheckout {
  /**
   * `open`: not paid, the buyer may go back to it. `confirmed`: Polar is at the payment. `succeeded`: bought, and stored.
   * `expired`, `failed`: over.
   */
  readonly status: CheckoutStatus
  /** What was bought with it, or upgraded; `null` for what is bought once, or not paid. */
  readonly subscription: Subscription | null
  /** The order of it, if it was paid; a trial has none yet. */
  readonly order: Order | null
  /** What the user may use now. */
  readonly access: Access
}

export type CompleteError = PolarError | StoreError | UserLookupFailed | CheckoutNotFound

export interface Checkouts {
  /** For whom this app made the checkout, and of what. */
  readonly get: (
    checkoutId: CheckoutId,
    options?: GetCheckoutOptions
  ) => Effect.Effect<UsersCheckout, CheckoutNotFound | StoreError>
  /**
   * What became of the user's checkout. Waits a while for a payment that is under way, asks Polar, and stores what it says. Only
   * what is paid, or on trial, gives anything.
   */
  readonly complete: (
    userId: UserId,
    checkoutId: CheckoutId,
    options?: CompleteOptions
  ) => Effect.Effect<CompletedCheckout, CompleteError>
}

interface CheckoutsAndAsk extends Checkouts {
  /** Asks Polar what became of a checkout, whosever it is, and stores it. */
  readonly ask: (checkoutId: CheckoutId) => Effect.Effect<unknown, PolarError | StoreError | UserLookupFailed>
}

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  /** Stores what Polar's API said. */
  readonly learn: (snapshots: ReadonlyArray<Snapshot>) => Effect.Effect<unknown, StoreError | UserLookupFailed>
  /** Bounds the time that a buyer waits. */
  readonly within: (operation: string) => <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | PolarError>
  readonly accessOf: (userId: UserId) => Effect.Effect<Access, StoreError>
}

/** Somebody waits in front of a page. */
const longestWait = Duration.seconds(30)
const defaultWait = Duration.seconds(10)

/** Until Polar is asked again: it takes a payment a second or two. */
const pause = Duration.seconds(2)

/** However many ask, Polar is asked once in so long. */
const sameFor = Duration.seconds(1)

/** Checkouts whose last answer is remembered for so long. */
const remembered = 1000

/** What a checkout has brought. */
interface Bought {
  readonly subscription: Subscription | undefined
  readonly order: Order | undefined
}

/** What Polar says of one. */
interface Asked {
  readonly status: CheckoutStatus
  /** Whether what was paid for may show in a moment. */
  readonly isUnderWay: boolean
}

export const makeCheckouts = Effect.fnUntraced(function* ({
  accessOf,
  client,
  learn,
  store,
  within
}: Ports): Effect.fn.Return<CheckoutsAndAsk> {
  const found = (checkoutId: CheckoutId, userId: string | undefined) =>
    Effect.flatMap(store.checkout(checkoutId), (checkout) =>
      Option.isSome(checkout) && (userId === undefined || checkout.value.userId === userId)
        ? Effect.succeed(checkout.value)
        : new CheckoutNotFound({ checkoutId })
    )

  /** What is stored of it as the user's. */
  const bought = (userId: UserId, checkoutId: CheckoutId): Effect.Effect<Bought, StoreError> =>
    Effect.zipWith(
      store.subscriptionsOf(userId, "all"),
      store.recordsOf(orderKind, userId),
      (subscriptions, orders) => {
        const order = orders.find((one) => one.checkoutId === checkoutId)
        // An upgraded subscription keeps the checkout that it was made by.
        const subscription = subscriptions.find(
          (one) => one.checkoutId === checkoutId || (order !== undefined && one.id === order.subscriptionId)
        )
        return { subscription, order }
      }
    )

  /** What Polar has of a checkout that succeeded: its order, and the subscription, which without an order is on trial. */
  const whatItBrought = (checkoutId: CheckoutId, customerId: string | null) =>
    Effect.gen(function* () {
      const { snapshots: orders } = yield* client.recordPage(orderKind, { checkoutId }, 1)
      const ids = new Set(orders.flatMap(({ report }) => report.subscriptionId ?? []))
      if (ids.size > 0) {
        const subscriptions = yield* Effect.forEach([...ids], (id) => client.getSubscription(id as SubscriptionId))
        return [...subscriptions.flatMap(Option.toArray), ...orders]
      }
      if (customerId === null) return orders
      const { snapshots } = yield* client.recordPage(subscriptionKind, { customerId }, 1)
      return [...snapshots.filter(({ report }) => report.checkoutId === checkoutId), ...orders]
    })

  const ask = (checkoutId: CheckoutId): Effect.Effect<Asked, PolarError | StoreError | UserLookupFailed> =>
    Effect.gen(function* () {
      const answer = yield* client.getCheckout(checkoutId)
      // Polar deletes none: it belongs to another organization than the token, or environment.
      if (Option.isNone(answer)) return { status: "expired", isUnderWay: false }
      const { report } = answer.value
      const { status } = report
      if (status !== "succeeded") {
        yield* learn([answer.value])
        return { status, isUnderWay: status === "confirmed" }
      }
      const brought = yield* whatItBrought(checkoutId, report.customer.id)
      // What it brought first: whoever looks in between finds no more than before.
      yield* learn([...brought, answer.value])
      return { status, isUnderWay: brought.length === 0 }
    })

  const answers = yield* Cache.make({
    capacity: remembered,
    timeToLive: sameFor,
    lookup: (checkoutId: CheckoutId) => within("complete checkout")(ask(checkoutId))
  })
  // Others wait for the same answer, also when whoever asked first goes away.
  const askOnce = (checkoutId: CheckoutId) => Effect.disconnect(Effect.uninterruptible(answers.get(checkoutId)))

  return {
    ask,

    get: Effect.fn("Billing.checkouts.get")(function* (checkoutId, { userId } = {}) {
      const { createdAt, productId, userId: owner } = yield* found(checkoutId, userId)
      return { id: checkoutId, userId: owner, productId, createdAt }
    }),

    complete: Effect.fn("Billing.checkouts.complete")(function* (userId, checkoutId, { wait = defaultWait } = {}) {
      yield* found(checkoutId, userId)
      const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(Duration.min(wait, longestWait))
      const answer = (status: CheckoutStatus, { order, subscription }: Bought) =>
        Effect.map(
          accessOf(userId),
          (access): CompletedCheckout => ({
            status,
            subscription: subscription ?? null,
            order: order !== undefined && wasPaid(order.status) ? order : null,
            access
          })
        )
      for (;;) {
        const before = yield* bought(userId, checkoutId)
        if (isWhole(before)) return yield* answer("succeeded", before)
        const asked = yield* Effect.either(askOnce(checkoutId))
        const isOver = (yield* Clock.currentTimeMillis) + Duration.toMillis(pause) > until
        if (asked._tag === "Right" && (isOver || !asked.right.isUnderWay)) {
          const { isUnderWay, status } = asked.right
          // It is bought once it is here: until then the buyer waits.
          return yield* answer(
            status === "succeeded" && isUnderWay ? "confirmed" : status,
            yield* bought(userId, checkoutId)
          )
        }
        if (asked._tag === "Left" && (isOver || !passes(asked.left))) {
          // Its webhook may have come meanwhile.
          const after = yield* bought(userId, checkoutId)
          return isWhole(after) ? yield* answer("succeeded", after) : yield* asked.left
        }
        yield* Effect.sleep(pause)
      }
    })
  }
})

/**
 * Whether all that a checkout brings is here. Webhooks come one by one: the order before the subscription, or before it has
 * become what was paid for; or the subscription before the order, which only a trial has not.
 */
const isWhole = ({ order, subscription }: Bought): boolean => {
  if (order === undefined) return subscription?.status === "trialing"
  if (!wasPaid(order.status)) return false
  return order.subscriptionId === null || subscription?.productId === order.productId
}

/** Whether it may go better in a second. */
const passes = ({ _tag }: PolarError | StoreError | UserLookupFailed): boolean =>
  _tag === "PolarUnavailable" || _tag === "PolarTimeout" || _tag === "PolarConflict" || _tag === "StoreError"

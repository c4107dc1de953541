/**
 * Changing a user's subscription at Polar, and storing what it is then, so that whoever asks next has the new state.
 *
 * Polar's answer is a snapshot: it has its place in the order of the webhooks, by the time at which Polar changed the
 * subscription. The webhooks of the same change come later and change nothing that is shown or told; older ones are stale.
 *
 * Doing a thing twice is no error. Polar refuses the second time, or a lost answer leaves it open whether it was done: then the
 * subscription is read, and if it is what was asked for, that is the answer.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { PolarClient } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { type ChangePreview, operationOf, updateBody } from "../polar/subscriptionCalls.ts"
import type { Subscription, SubscriptionId, UserId } from "../records/Subscription.ts"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import { isDone, type PlanChange, type SubscriptionUpdate } from "../rules/subscriptionUpdate.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { isPolarId } from "../values/ids.ts"
import type { UserLookupFailed } from "./appUsers.ts"
import type { makeProductNames } from "./namedIds.ts"
import {
  isLocked,
  NoSubscription,
  SeveralSubscriptions,
  SubscriptionChangeRefused,
  type SubscriptionLocked,
  SubscriptionNotFound,
  type SubscriptionPaymentFailed,
  subscriptionRefusal
} from "./SubscriptionError.ts"
import {
  type CancelOptions,
  type ChangeOptions,
  checkSubscriptionOptions,
  type PauseOptions,
  type RevokeOptions,
  type WhichSubscription
} from "./subscriptionOptions.ts"

export type SubscriptionError =
  | PolarError
  | StoreError
  | UserLookupFailed
  | NoSubscription
  | SeveralSubscriptions
  | SubscriptionNotFound
  | SubscriptionChangeRefused
  | SubscriptionPaymentFailed
  | SubscriptionLocked

/** What a change would cost, or that Polar does not say. */
export type SubscriptionPreview =
  | ({ readonly available: true; readonly currency: string | null } & ChangePreview)
  | { readonly available: false }

type Changed = Effect.Effect<Subscription, SubscriptionError>

/** Changes of the user's own subscriptions. Each succeeds with the subscription as it is then, which is stored by then. */
export interface Subscriptions {
  /** To another product, or another number of seats or units. */
  readonly change: (userId: UserId, options: ChangeOptions) => Changed
  /** What `change` would cost. Changes nothing. */
  readonly preview: (userId: UserId, options: ChangeOptions) => Effect.Effect<SubscriptionPreview, SubscriptionError>
  /** Ends it with its period; at once with `atPeriodEnd: false`. */
  readonly cancel: (userId: UserId, options?: CancelOptions) => Changed
  /** Undoes a cancellation while the period lasts. */
  readonly uncancel: (userId: UserId, options?: WhichSubscription) => Changed
  /** Ends it at once. Nothing is paid back: see `orders.refund`. */
  readonly revoke: (userId: UserId, options?: RevokeOptions) => Changed
  /** At the end of its period. */
  readonly pause: (userId: UserId, options?: PauseOptions) => Changed
  /** Goes on with one that is paused, which charges a new period at once; undoes a pause that is only scheduled. */
  readonly resume: (userId: UserId, options?: WhichSubscription) => Changed
  /** Until a time that is later than the end of the trial, or of the period of one that is paid: that begins a new trial. */
  readonly extendTrial: (userId: UserId, until: Date, options?: WhichSubscription) => Changed
  /** Charges it now. */
  readonly endTrial: (userId: UserId, options?: WhichSubscription) => Changed
  /** From the next period on. By its code or its id; `null` takes it away. */
  readonly applyDiscount: (userId: UserId, codeOrId: string | null, options?: WhichSubscription) => Changed
  /** Drops a change that waits for the next period. */
  readonly undoPending: (userId: UserId, options?: WhichSubscription) => Changed
}

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  /** Stores what Polar's API said. */
  readonly learn: (
    snapshots: ReadonlyArray<Snapshot>,
    asker: UserId
  ) => Effect.Effect<unknown, StoreError | UserLookupFailed>
  /** In which what was begun goes on when nobody waits any more. */
  readonly scope: Scope.Scope
  readonly named: ReturnType<typeof makeProductNames>
  /** Bounds the time that a buyer waits. */
  readonly within: (operation: string) => <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | PolarError>
}

/** A renewal takes Polar a moment; the buyer has eight seconds. */
const whileLocked = Schedule.spaced("500 millis").pipe(Schedule.jittered, Schedule.upTo("4 seconds"))

/** A database that is busy for a moment. */
const whileBusy = Schedule.spaced("300 millis").pipe(Schedule.intersect(Schedule.recurs(3)))

export const makeSubscriptions = ({ client, learn, named, scope, store, within }: Ports): Subscriptions => {
  /** The subscription that is meant, if it is the user's own. */
  const chosen = (userId: UserId, { subscriptionId }: WhichSubscription = {}) =>
    Effect.gen(function* () {
      if (subscriptionId !== undefined) {
        const all = yield* store.subscriptionsOf(userId, "all")
        const own = all.find(({ id }) => id === subscriptionId.toLowerCase())
        return own ?? (yield* new SubscriptionNotFound({ userId, subscriptionId }))
      }
      const live = [...(yield* store.subscriptionsOf(userId, "live"))].sort(
        (one, other) => (other.createdAt?.getTime() ?? 0) - (one.createdAt?.getTime() ?? 0)
      )
      const [first, second] = live
      if (first === undefined) return yield* new NoSubscription({ userId })
      if (second === undefined) return first
      return yield* new SeveralSubscriptions({
        userId,
        subscriptions: live.map(({ id, productId, status }) => ({ id, productId, status }))
      })
    })

  /**
   * Stores what Polar did, and succeeds with it, or with what a webhook has brought since. When it cannot be stored, Polar has
   * done it all the same: that is the answer, and its webhook brings it.
   */
  const stored = (userId: UserId, snapshot: Snapshot) => {
    const said = readFrom(snapshot)
    return learn([snapshot], userId).pipe(
      Effect.retry(whileBusy),
      Effect.zipRight(store.record(subscriptionKind, said.id)),
      Effect.map(Option.match({ onNone: () => said, onSome: ({ value }) => newer(value, said) })),
      Effect.catchAll((error) =>
        Effect.as(
          Effect.logError(
            `Polar has changed the subscription ${said.id}, and it could not be stored: its webhook or the next comparison with Polar does that. ${error.message}`
          ),
          said
        )
      )
    )
  }

  const send = (userId: UserId, subscription: Subscription, update: SubscriptionUpdate) => {
    const { id } = subscription
    const refused = (error: PolarError, hasEnded: boolean) =>
      subscriptionRefusal({ ...about(userId, id, update), hasEnded }, error)
    return client.updateSubscription(id, update).pipe(
      Effect.retry({ while: isLocked, schedule: whileLocked }),
      Effect.catchIf(isOpen, (error) =>
        // Refused, or without an answer: what the subscription is by now tells. Where it cannot be read, it is as open as before.
        Effect.flatMap(
          Effect.mapError(client.getSubscription(id), () => error),
          (found) => {
            if (Option.isNone(found)) return Effect.fail(refused(error, false))
            const now = readFrom(found.value)
            return isDone(update, now)
              ? Effect.succeed(found.value)
              : Effect.zipRight(stored(userId, found.value), Effect.fail(refused(error, now.endedAt !== null)))
          }
        )
      ),
      Effect.mapError((error) => (isPolarError(error) ? refused(error, subscription.endedAt !== null) : error)),
      Effect.flatMap((snapshot) => stored(userId, snapshot)),
      // Whoever asked waits for so long; what Polar does by then, or after, is stored all the same.
      Effect.forkIn(scope),
      Effect.flatMap(Fiber.join),
      within(operationOf(update))
    )
  }

  const apply = (
    userId: UserId,
    options: WhichSubscription | undefined,
    update: SubscriptionUpdate | ((subscription: Subscription) => SubscriptionUpdate)
  ) =>
    Effect.flatMap(chosen(userId, options), (subscription) => {
      const asked = typeof update === "function" ? update(subscription) : update
      return send(userId, subscription, asked)
    })

  const planChange = (call: string, options: ChangeOptions): Effect.Effect<PlanChange> => {
    const { prorationBehavior } = options
    if ("seats" in options) return Effect.succeed({ _tag: "Seats", seats: options.seats, prorationBehavior })
    if ("units" in options) return Effect.succeed({ _tag: "Units", units: options.units, prorationBehavior })
    return Effect.map(named.product(call, "product", options.product), (productId) => ({
      _tag: "Product",
      productId,
      prorationBehavior
    }))
  }

  const revokes = ({ comment, reason }: RevokeOptions = {}): SubscriptionUpdate => ({ _tag: "Revoke", comment, reason })

  /** The id of the discount that is named by its code or its id. */
  const discountNamed = (userId: UserId, codeOrId: string, options: WhichSubscription | undefined) =>
    isPolarId(codeOrId)
      ? Effect.succeed(codeOrId.toLowerCase())
      : Effect.flatMap(within("find discount")(client.findDiscount(codeOrId)), (found) =>
          Option.isSome(found)
            ? Effect.succeed(found.value)
            : Effect.flatMap(
                chosen(userId, options),
                ({ id }) =>
                  new SubscriptionChangeRefused({
                    subscriptionId: id,
                    operation: "change discount",
                    reason: "discount not applicable",
                    detail: null
                  })
              )
        )

  return {
    change: Effect.fn("Billing.subscriptions.change")(function* (userId, options) {
      yield* checkSubscriptionOptions.change(options)
      return yield* apply(userId, options, yield* planChange("subscriptions.change()", options))
    }),

    preview: Effect.fn("Billing.subscriptions.preview")(function* (userId, options) {
      yield* checkSubscriptionOptions.preview(options)
      const change = yield* planChange("subscriptions.preview()", options)
      const { currency, endedAt, id } = yield* chosen(userId, options)
      const preview = yield* within("preview change")(client.previewChange(id, change)).pipe(
        Effect.mapError((error) =>
          subscriptionRefusal(
            { ...about(userId, id, change), operation: "preview change", hasEnded: endedAt !== null },
            error
          )
        )
      )
      return Option.match(preview, {
        onNone: (): SubscriptionPreview => ({ available: false }),
        onSome: (amounts): SubscriptionPreview => ({ available: true, currency, ...amounts })
      })
    }),

    cancel: Effect.fn("Billing.subscriptions.cancel")(function* (userId, options = {}) {
      yield* checkSubscriptionOptions.cancel(options)
      const { atPeriodEnd = true, comment, reason } = options
      return yield* apply(userId, options, atPeriodEnd ? { _tag: "Cancel", comment, reason } : revokes(options))
    }),

    uncancel: Effect.fn("Billing.subscriptions.uncancel")(function* (userId, options) {
      yield* checkSubscriptionOptions.uncancel(options)
      return yield* apply(userId, options, { _tag: "Uncancel" })
    }),

    revoke: Effect.fn("Billing.subscriptions.revoke")(function* (userId, options) {
      yield* checkSubscriptionOptions.revoke(options)
      return yield* apply(userId, options, revokes(options))
    }),

    pause: Effect.fn("Billing.subscriptions.pause")(function* (userId, options) {
      yield* checkSubscriptionOptions.pause(options)
      return yield* apply(userId, options, { _tag: "Pause", resumesAt: options?.resumesAt })
    }),

    resume: Effect.fn("Billing.subscriptions.resume")(function* (userId, options) {
      yield* checkSubscriptionOptions.resume(options)
      return yield* apply(userId, options, ({ pauseAtPeriodEnd, status }) =>
        status !== "paused" && pauseAtPeriodEnd ? { _tag: "UnschedulePause" } : { _tag: "Resume" }
      )
    }),

    extendTrial: Effect.fn("Billing.subscriptions.extendTrial")(function* (userId, until, options) {
      yield* checkSubscriptionOptions.extendTrial(options)
      yield* checkSubscriptionOptions.until({ until })
      return yield* apply(userId, options, { _tag: "TrialEnd", trialEnd: until })
    }),

    endTrial: Effect.fn("Billing.subscriptions.endTrial")(function* (userId, options) {
      yield* checkSubscriptionOptions.endTrial(options)
      return yield* apply(userId, options, { _tag: "TrialEnd", trialEnd: "now" })
    }),

    applyDiscount: Effect.fn("Billing.subscriptions.applyDiscount")(function* (userId, codeOrId, options) {
      yield* checkSubscriptionOptions.applyDiscount(options)
      yield* checkSubscriptionOptions.discount({ codeOrId })
      const discountId = codeOrId === null ? null : yield* discountNamed(userId, codeOrId, options)
      return yield* apply(userId, options, { _tag: "Discount", discountId })
    }),

    undoPending: Effect.fn("Billing.subscriptions.undoPending")(function* (userId, options) {
      yield* checkSubscriptionOptions.undoPending(options)
      return yield* apply(userId, options, { _tag: "DropPendingUpdate" })
    })
  }
}

const about = (userId: UserId, subscriptionId: SubscriptionId, update: SubscriptionUpdate) => ({
  userId,
  subscriptionId,
  operation: operationOf(update),
  fields: Object.keys(updateBody(update))
})

const readFrom = ({ report }: Snapshot): Subscription => Option.getOrThrow(subscriptionKind.fromStored(report.data))

/** Of two states the later one; of two of one time what Polar has just said, with what it does not date, such as what waits. */
const newer = (stored: Subscription, said: Subscription): Subscription =>
  (stored.modifiedAt?.getTime() ?? 0) > (said.modifiedAt?.getTime() ?? 0) ? stored : said

/** Whether it is open if the subscription is what was asked for: it was refused as it stands, or no answer came. */
const isOpen = (error: PolarError): boolean => {
  switch (error._tag) {
    case "PolarConflict":
    case "PolarNotFound":
      return true
    case "PolarRejected":
      // What was not paid for was not done.
      return error.status !== null && error.status !== 402
    case "PolarTimeout":
    case "PolarUnavailable":
      return error.mayHaveActed
    case "PolarUnexpectedAnswer":
      return error.status < 300
    default:
      return false
  }
}

const isPolarError = (error: { readonly _tag: string }): error is PolarError => error._tag.startsWith("Polar")

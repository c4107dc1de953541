/**
 * Giving money back, once for each key. Polar has no idempotency keys: asked twice, it refunds twice. So the key travels in the
 * refund's metadata, one process at a time refunds an order, and before each call the order's refunds are looked through.
 *
 * A call whose answer was lost, or whose process died, may still be under way at Polar. Nobody refunds that order again before
 * `lease` is over; by then Polar's list has the refund, or there is none.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { PolarClient, RefundReason } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { type Order, orderKind } from "../records/Order.ts"
import { type Refund, refundKind } from "../records/Refund.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import { leftToRefund, refundKeyMetadataKey, refundWithKey } from "../rules/refunding.ts"
import { randomId } from "../runtime/randomId.ts"
import type { BillingStoreService, Job } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import type { OrderId } from "../values/ids.ts"
import type { UserLookupFailed } from "./appUsers.ts"
import { OrderNotFound } from "./OrderError.ts"
import { IdempotencyKeyReused, RefundRefused, RefundUnderWay, refundRefusal } from "./RefundError.ts"

/**
 * @example
 * await billing.orders.refund(orderId, {
 *   amount: 500,
 *   reason: "customer_request",
 *   comment: "Half of it was down",
 *   revokeBenefits: true,
 *   idempotencyKey: "ticket 7"
 * })
 */
export interface RefundOptions {
  /** In minor units (cents) of the order's currency, without the tax, which Polar adds. Default: all that is left. */
  readonly amount?: number
  readonly reason: RefundReason
  /** For you: nobody else sees it. */
  readonly comment?: string | undefined
  /** Takes the benefits of a product that was bought once, all of them, also for a part of the money. Default: false. */
  readonly revokeBenefits?: boolean | undefined
  /** What makes it one refund, however often it is asked for: such as the id of the ticket. At most 255 characters. */
  readonly idempotencyKey: string
}

export type RefundError =
  | PolarError
  | StoreError
  | UserLookupFailed
  | OrderNotFound
  | RefundRefused
  | RefundUnderWay
  | IdempotencyKeyReused

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  /** Stores what Polar's API said. */
  readonly learn: (snapshots: ReadonlyArray<Snapshot>) => Effect.Effect<unknown, StoreError | UserLookupFailed>
}

/** Much longer than a call to Polar may take, its wait for the limit of requests included. */
const lease = Duration.minutes(2)

/** How long one waits for another who refunds the same order. */
const patience = Duration.seconds(8)
const pause = Duration.millis(200)

/** Refunds that were made, by their keys: what stands in the job's report. */
const Made = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.String }))
const encodeMade = Schema.encodeSync(Made)
const madeIn = ({ report }: Job): Effect.Effect<Readonly<Record<string, string>>> =>
  report === null ? Effect.succeed({}) : Effect.orElseSucceed(Schema.decode(Made)(report), () => ({}))

export const makeRefund = ({ client, learn, store }: Ports) => {
  /** Polar's refunds of the order. Absence is certain: nothing leaves this list. */
  const refundsOf = (orderId: OrderId): Effect.Effect<ReadonlyArray<Snapshot>, PolarError> =>
    Effect.iterate(
      { page: 1, all: [] as ReadonlyArray<Snapshot>, isLast: false },
      {
        while: ({ isLast }) => !isLast,
        body: ({ all, page }) =>
          Effect.flatMap(
            client.recordPage(refundKind, { orderId }, page),
            ({ isLast, snapshots, unreadable: [first] }) =>
              // One that cannot be read may be the one that is looked for.
              first === undefined
                ? Effect.succeed({ page: page + 1, all: [...all, ...snapshots], isLast })
                : Effect.fail(first.error)
          )
      }
    ).pipe(Effect.map(({ all }) => all))

  /** None when somebody else has it for as long as one waits. */
  const claim = (name: string, owner: string): Effect.Effect<Option.Option<Job>, StoreError> =>
    Effect.flatten(store.claimJob({ name, owner, lease })).pipe(
      Effect.retry({
        while: ({ _tag }) => _tag === "NoSuchElementException",
        schedule: Schedule.spaced(pause).pipe(Schedule.jittered, Schedule.upTo(patience))
      }),
      Effect.optionFromOptional
    )

  /** One that was asked for before, and is what is asked for now. */
  const same = (orderId: OrderId, refund: Refund, options: RefundOptions) =>
    (options.amount === undefined || refund.amount === options.amount) &&
    refund.reason === options.reason &&
    (refund.revokeBenefits ?? false) === (options.revokeBenefits ?? false)
      ? Effect.succeed(refund)
      : new IdempotencyKeyReused({ orderId, refundId: refund.id, idempotencyKey: options.idempotencyKey })

  /** What Polar has by this key, stored. */
  const madeBefore = (orderId: OrderId, options: RefundOptions, all: ReadonlyArray<Snapshot>) =>
    Effect.gen(function* () {
      const refund = refundWithKey(refundsIn(all), options.idempotencyKey)
      if (refund === undefined) return Option.none<Refund>()
      yield* learn(all.filter(({ report }) => report.id === refund.id))
      return Option.some(yield* same(orderId, refund, options))
    })

  /** The order as Polar has it; as it is stored where the token may not read orders. */
  const orderNow = (orderId: OrderId, stored: Order) =>
    client.getOrder(orderId).pipe(
      Effect.map(Option.flatMap(({ report }) => orderKind.fromStored(report.data))),
      Effect.map(Option.getOrElse(() => stored)),
      Effect.catchTag("PolarForbidden", () => Effect.succeed(stored))
    )

  const amountOf = (orderId: OrderId, stored: Order, options: RefundOptions, all: ReadonlyArray<Snapshot>) =>
    options.amount !== undefined
      ? Effect.succeed(options.amount)
      : Effect.flatMap(orderNow(orderId, stored), (order) => {
          const refunds = refundsIn(all)
          const left = leftToRefund(order, refunds)
          if (left > 0) return Effect.succeed(left)
          const reason = refunds.length > 0 || order.status === "refunded" ? "already refunded" : "nothing paid"
          return new RefundRefused({ orderId, reason, detail: null })
        })

  /** What it changed of the order, too, so that `orders.owns` answers by it at once. Without it the webhook does. */
  const learnOrder = (orderId: OrderId) =>
    client.getOrder(orderId).pipe(
      Effect.map(Option.toArray),
      Effect.catchAll((error) =>
        Effect.as(
          Effect.logInfo(
            `The order ${orderId} was refunded, and its new state comes with its webhook: ${error.message}`
          ),
          []
        )
      ),
      Effect.flatMap(learn)
    )

  /** Asks Polar, once. `None` never stands for a refund that may have been made. */
  const send = (orderId: OrderId, amount: number, options: RefundOptions) =>
    Effect.flatMap(
      client
        .createRefund({
          orderId,
          amount,
          reason: options.reason,
          comment: options.comment,
          revokeBenefits: options.revokeBenefits,
          metadata: { [refundKeyMetadataKey]: options.idempotencyKey }
        })
        .pipe(
          Effect.catchIf(mayHaveActed, (error) =>
            // Perhaps it is there already. Whatever the question fails with, Polar may still be at the refund.
            Effect.flatMap(
              Effect.mapError(refundsOf(orderId), () => error),
              (all) => {
                const made = all.find((snapshot) => refundWithKey([refundIn(snapshot)], options.idempotencyKey))
                return made === undefined ? Effect.fail(error) : Effect.succeed(made)
              }
            )
          )
        ),
      (snapshot) => Effect.as(learn([snapshot]), refundIn(snapshot))
    )

  /** Looks, and asks Polar if there is no refund of this key; nobody else does at the same time. */
  const once = (
    { job, orderId, owner, progress, stored }: Turn,
    options: RefundOptions
  ): Effect.Effect<Refund, RefundError> =>
    Effect.gen(function* () {
      const { idempotencyKey } = options
      const made = yield* madeIn(job)
      // Polar may answer from a copy that lags; what was made before is known here.
      const known = yield* store.record(refundKind, made[idempotencyKey] ?? "")
      if (Option.isSome(known)) return yield* same(orderId, known.value.value, options)
      const all = yield* refundsOf(orderId)
      const before = yield* madeBefore(orderId, options, all)
      if (Option.isSome(before)) return before.value
      const amount = yield* amountOf(orderId, stored, options, all)
      // As long again, from the moment on at which Polar is asked.
      if (!(yield* store.continueJob(job.name, owner, JSON.stringify({ idempotencyKey }), lease))) {
        return yield* new RefundUnderWay({ orderId, retryAfterSeconds: Duration.toSeconds(lease) })
      }
      yield* Ref.set(progress, "sent")
      const refund = yield* Effect.tapError(send(orderId, amount, options), (error) =>
        isRefusal(error) ? Ref.set(progress, "begun") : Effect.void
      ).pipe(Effect.mapError((error) => (isRefusal(error) ? refundRefusal(orderId, error) : error)))
      yield* learnOrder(orderId)
      yield* store.finishJob(job.name, owner, encodeMade({ ...made, [idempotencyKey]: refund.id }))
      yield* Ref.set(progress, "finished")
      return refund
    })

  return (orderId: OrderId, options: RefundOptions): Effect.Effect<Refund, RefundError> =>
    Effect.gen(function* () {
      const found = yield* store.record(orderKind, orderId)
      if (Option.isNone(found)) return yield* new OrderNotFound({ orderId })
      const stored = found.value.value
      const owner = yield* randomId
      const progress = yield* Ref.make<Progress>("begun")
      const job = yield* claim(`refund ${orderId}`, owner)
      if (Option.isNone(job)) {
        const before = yield* Effect.flatMap(refundsOf(orderId), (all) => madeBefore(orderId, options, all))
        if (Option.isSome(before)) return before.value
        return yield* new RefundUnderWay({ orderId, retryAfterSeconds: Duration.toSeconds(lease) })
      }
      const turn: Turn = { orderId, stored, job: job.value, owner, progress }
      // While Polar may still be at it, the lease stays, and runs out.
      const release = Effect.flatMap(Ref.get(progress), (reached) =>
        reached === "begun"
          ? Effect.catchAll(store.releaseJob(turn.job.name, owner, null), (error) => Effect.logWarning(error.message))
          : Effect.void
      )
      return yield* Effect.ensuring(once(turn, options), release)
    })
}

type Progress = "begun" | "sent" | "finished"

/** One that refunds an order, while nobody else does. */
interface Turn {
  readonly orderId: OrderId
  readonly stored: Order
  readonly job: Job
  readonly owner: string
  /** How far it got. */
  readonly progress: Ref.Ref<Progress>
}

const refundIn = ({ report }: Snapshot): Refund => Option.getOrThrow(refundKind.fromStored(report.data))

const refundsIn = (all: ReadonlyArray<Snapshot>): ReadonlyArray<Refund> => all.map(refundIn)

/** Whether Polar may have done it although no answer says so. */
const mayHaveActed = (error: PolarError): boolean => {
  switch (error._tag) {
    case "PolarTimeout":
    case "PolarUnavailable":
      return error.mayHaveActed
    case "PolarUnexpectedAnswer":
      return error.status < 300
    default:
      return false
  }
}

/** Whether it is Polar who says no, or nobody asked it: then nothing was given back. */
const isRefusal = (error: RefundError): error is PolarError =>
  error._tag.startsWith("Polar") && !mayHaveActed(error as PolarError)

/**
 * Applying recorded deliveries again: after an upgrade that knows more types and statuses, after a mistake in the
 * configuration, or when in doubt. Order and the dedupe of notifications hold as for any delivery, so replaying what is
 * known already changes nothing.
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Delivery, DeliveryState, RecordedDelivery } from "../records/Delivery.ts"
import * as DeliveryContent from "../records/deliveryContent.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import type { NotificationDispatcher } from "./NotificationDispatcher.ts"

/** Which deliveries; every condition given must hold, and without any it is all of them. */
export interface ReplayQuery {
  /** `webhook-id`s. */
  readonly ids?: ReadonlyArray<string> | undefined
  readonly types?: ReadonlyArray<string> | undefined
  readonly states?: ReadonlyArray<DeliveryState> | undefined
  /** Received at this time or later. */
  readonly receivedAfter?: Date | undefined
  readonly receivedBefore?: Date | undefined
}

export interface ReplayReport {
  /** How many ran again. */
  readonly replayed: number
  /** How many of them are in another state than before. */
  readonly changed: number
  /** How many are in each state now. */
  readonly states: Readonly<Record<DeliveryState, number>>
  /** How many queued a notification. */
  readonly notified: number
  /** How many could not run, because their bodies were pruned. */
  readonly withoutBody: number
}

interface Ports {
  readonly store: BillingStoreService
  readonly dispatcher: typeof NotificationDispatcher.Service
  readonly policy: AccessPolicy
  readonly organizationId: string | undefined
}

const pageSize = 100

/** As many share a step, and so a commit: enough to be quick, and few enough not to keep others waiting. */
const stepSize = 20

const nothing: ReplayReport = {
  replayed: 0,
  changed: 0,
  states: { applied: 0, stale: 0, ignored: 0, unlinked: 0, failed: 0 },
  notified: 0,
  withoutBody: 0
}

export const makeReplay = ({ dispatcher, organizationId, policy, store }: Ports) => {
  /** In the order they were received, so that what is replayed last is what came last. */
  const pages = (query: ReplayQuery, until: Date) =>
    Stream.paginateChunkEffect(undefined as RecordedDelivery | undefined, (last) =>
      Effect.map(
        store.deliveries({
          ...query,
          receivedBefore: query.receivedBefore ?? until,
          order: "oldest",
          after: last,
          limit: pageSize
        }),
        (page) => [
          Chunk.unsafeFromArray(page),
          page.length < pageSize ? Option.none() : Option.fromNullable(page.at(-1))
        ]
      )
    )

  const deliveryOf = ({ body, id, receivedAt }: RecordedDelivery): Option.Option<Delivery> =>
    body === null
      ? Option.none()
      : Option.some({
          id,
          receivedAt: receivedAt.getTime(),
          body,
          content: DeliveryContent.read(body, organizationId)
        })

  const replayStep = (report: ReplayReport, recorded: Chunk.Chunk<RecordedDelivery>) =>
    Effect.gen(function* () {
      const [first, ...rest] = Chunk.toReadonlyArray(Chunk.filterMap(recorded, deliveryOf))
      const withoutBody = report.withoutBody + Chunk.size(Chunk.filter(recorded, ({ body }) => body === null))
      if (first === undefined) return { ...report, withoutBody }
      const outcomes = yield* store.applyDeliveries([first, ...rest], policy, {
        replay: true,
        notify: dispatcher.listens
      })
      const before = new Map(Chunk.toReadonlyArray(recorded).map(({ id, state }) => [id, state]))
      const states = { ...report.states }
      let { changed, notified } = report
      for (const outcome of outcomes) {
        states[outcome.state] += 1
        if (before.get(outcome.id) !== outcome.state) changed += 1
        if (outcome.notified) notified += 1
      }
      if (notified > report.notified) yield* dispatcher.wake
      return { replayed: report.replayed + outcomes.length, changed, states, notified, withoutBody }
    })

  return (
    query: ReplayQuery,
    onProgress: (report: ReplayReport) => Effect.Effect<void> = () => Effect.void
  ): Effect.Effect<ReplayReport, StoreError> =>
    Effect.gen(function* () {
      // What arrives while this runs has just been applied.
      const until = new Date((yield* Clock.currentTimeMillis) + 1)
      return yield* pages(query, until).pipe(
        Stream.grouped(stepSize),
        Stream.runFoldEffect(nothing, (report, recorded) => Effect.tap(replayStep(report, recorded), onProgress))
      )
    })
}

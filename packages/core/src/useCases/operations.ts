/** What billing's console looks at, and the audit trail of what is done there. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Action, ActionQuery } from "../records/Action.ts"
import type { DeliveryState, RecordedDelivery } from "../records/Delivery.ts"
import { nobody } from "../records/rows.ts"
import type { BillingStoreService, DeliveryQuery } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { audited } from "./audited.ts"
import type { Finding } from "./diagnosis.ts"
import { type JobSeen, latestJobs } from "./jobs.ts"
import { jobName } from "./ReconcileJob.ts"
import { ReconcileReport } from "./ReconcileReport.ts"

/** A notification that the app is yet to take. */
export interface PendingNotification {
  readonly id: string
  readonly handler: string
  /** `null` of an event that belongs to no user. */
  readonly userId: string | null
  /** How often it was called. */
  readonly attempts: number
  readonly queuedAt: Date
  /** When it is called next, or until when whoever calls it now has it. */
  readonly dueAt: Date
  readonly isUnderWay: boolean
  readonly error: string | null
}

/** What came and was told in one hour. */
export interface Hour {
  readonly startsAt: Date
  readonly received: Readonly<Record<DeliveryState, number>>
  readonly told: number
  readonly givenUp: number
}

/** The last comparison of everything with Polar. */
export interface Comparison {
  /** `null` while the first one is under way. */
  readonly finishedAt: Date | null
  readonly isUnderWay: boolean
  /** `null` where it cannot be read. */
  readonly report: ReconcileReport | null
}

export interface Operations {
  /** What needs somebody, without a question to Polar: the database, and what waits. */
  readonly findings: Effect.Effect<ReadonlyArray<Finding>>
  /** Recorded deliveries with their bodies. */
  readonly deliveries: (query: DeliveryQuery) => Effect.Effect<ReadonlyArray<RecordedDelivery>, StoreError>
  /** What the app is to be told, what is due first. */
  readonly pending: (limit: number) => Effect.Effect<ReadonlyArray<PendingNotification>, StoreError>
  /** The last 24 hours, the oldest first; this one is not over. */
  readonly lastDay: Effect.Effect<ReadonlyArray<Hour>, StoreError>
  readonly lastComparison: Effect.Effect<Option.Option<Comparison>, StoreError>
  /** At most so many jobs, those first that are under way, and of each the last that moved first. */
  readonly jobs: (limit: number) => Effect.Effect<ReadonlyArray<JobSeen>, StoreError>
  readonly actions: (query?: ActionQuery) => Effect.Effect<ReadonlyArray<Action>, StoreError>
  /**
   * Does it and keeps who did what with what result, also when it fails. What cannot be kept is not done; when the process dies in
   * between, it is kept as begun. `work` succeeds with what came of it, as a sentence.
   */
  readonly audited: <E extends { readonly message: string }>(
    action: Omit<Action, "id" | "at" | "result">,
    work: Effect.Effect<string, E>
  ) => Effect.Effect<Action, StoreError>
}

interface Ports {
  readonly store: BillingStoreService
  readonly findings: Effect.Effect<ReadonlyArray<Finding>>
}

const hours = 24
const hourMillis = 3_600_000

const decodeReport = Schema.decodeUnknownOption(Schema.parseJson(ReconcileReport))

export const makeOperations = ({ findings, store }: Ports): Operations => ({
  findings,
  deliveries: (query) => store.deliveries(query),
  pending: (limit) =>
    Effect.map(store.notifications({ states: ["pending"], limit }), (rows) =>
      rows.map(({ attempts, availableAt, createdAt, handler, id, lastError, leaseOwner, userId }) => ({
        id,
        handler,
        userId: userId === nobody ? null : userId,
        attempts,
        queuedAt: new Date(createdAt),
        dueAt: new Date(availableAt),
        isUnderWay: leaseOwner !== null,
        error: lastError
      }))
    ),
  lastDay: Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const from = (Math.floor(now / hourMillis) - hours + 1) * hourMillis
    const { deliveries, notifications } = yield* store.perHour({ from: new Date(from), count: hours })
    return Array.from({ length: hours }, (_, hour): Hour => {
      const received = { applied: 0, stale: 0, ignored: 0, unlinked: 0, failed: 0 }
      for (const one of deliveries) if (one.hour === hour) received[one.state] = one.count
      const counted = (state: "done" | "dead") =>
        notifications.find((one) => one.hour === hour && one.state === state)?.count ?? 0
      return { startsAt: new Date(from + hour * hourMillis), received, told: counted("done"), givenUp: counted("dead") }
    })
  }),
  lastComparison: Effect.map(
    Effect.suspend(() => store.job(jobName)),
    Option.map(({ finishedAt, leaseUntil, report }) => ({
      finishedAt,
      isUnderWay: leaseUntil !== null,
      report: Option.getOrNull(decodeReport(report))
    }))
  ),
  actions: (query) => store.actions(query),
  jobs: (limit) => latestJobs(store, limit),
  audited: (action, work) =>
    Effect.map(
      audited(store, action, work, (outcome) => outcome),
      (kept) => kept.action
    )
})

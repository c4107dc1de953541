/** The comparison of everything as a job: one process at a time, and whoever takes it over goes on where it stands. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import { SubscriptionId } from "../records/Subscription.ts"
import { randomId } from "../runtime/randomId.ts"
import type { BillingStoreService, Job } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { noCounts, ReconcileCounts, ReconcileReport } from "./ReconcileReport.ts"

/** The job's name in the store. */
export const jobName = "reconcile"

/** As long as a page may take at the most, with all waiting for Polar's limit of requests. */
export const lease: Duration.Duration = Duration.minutes(10)

/** Another process is at it. */
export class ReconcileRunning extends Schema.TaggedError<ReconcileRunning>()("ReconcileRunning", {}) {
  override get message(): string {
    return "Another process is comparing the store with Polar. One does it at a time: wait for it, or use dryRun."
  }
}

/** This process was so slow that another one has taken over and goes on. What was repaired stays so. */
export class ReconcileTakenOver extends Schema.TaggedError<ReconcileTakenOver>()("ReconcileTakenOver", {}) {
  override get message(): string {
    return `Comparing the store with Polar took longer than ${Duration.format(lease)} for one page, and another process has taken over.`
  }
}

/** How far it is. First Polar's records, kind by kind, then the stored subscriptions that were not among them. */
export const Position = Schema.Struct({
  phase: Schema.Literal("polar", "store"),
  /** The kind that is being listed. */
  kind: Schema.String,
  /** The page of Polar's list to read next. */
  page: Schema.Number,
  /** The stored subscription that was looked at last. */
  afterId: Schema.NullOr(SubscriptionId),
  since: Schema.NullOr(Schema.Date),
  /** When it stood there, in epoch milliseconds; nothing by a version that did not say. */
  savedAt: Schema.optional(Schema.Number),
  counts: ReconcileCounts
})
export type Position = typeof Position.Type

export interface Progress extends ReconcileCounts {
  readonly phase: Position["phase"]
}

/** One that is under way. */
export interface Run {
  readonly position: Position
  readonly startedAt: Date
  readonly resumed: boolean
  readonly save: (position: Position) => Effect.Effect<void, StoreError | ReconcileTakenOver>
}

/** For a schedule: nothing is done when it was done to the end at this time or later. */
export interface Due {
  readonly unlessFinishedSince?: Date | undefined
}

const PositionJson = Schema.parseJson(Position)
const encodePosition = Schema.encodeSync(PositionJson)
const encodeReport = Schema.encodeSync(Schema.parseJson(ReconcileReport))

/**
 * Runs `body` while no other process does. Succeeds with `None` only for `unlessFinishedSince`. A dry run changes nothing,
 * so any number of them may run, and none is remembered.
 */
export const withJob = <E, R>(
  store: BillingStoreService,
  options: { readonly since?: Date | undefined; readonly dryRun?: boolean | undefined } & Due,
  body: (run: Run) => Effect.Effect<ReconcileReport, E, R>
): Effect.Effect<Option.Option<ReconcileReport>, E | StoreError | ReconcileRunning | ReconcileTakenOver, R> => {
  const start: Position = {
    phase: "polar",
    kind: "subscription",
    page: 1,
    afterId: null,
    since: options.since ?? null,
    counts: noCounts
  }
  if (options.dryRun === true) {
    return Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.asSome(body({ position: start, startedAt: new Date(now), resumed: false, save: () => Effect.void }))
    )
  }
  const orTakenOver = (held: boolean) => (held ? Effect.void : new ReconcileTakenOver())

  return Effect.gen(function* () {
    const owner = yield* randomId
    const reached = yield* Ref.make<string | null>(null)
    return yield* Effect.acquireUseRelease(
      Effect.flatMap(store.claimJob({ name: jobName, owner, lease }), (claimed) =>
        Effect.mapError(claimed, () => new ReconcileRunning())
      ),
      (job) =>
        Effect.gen(function* () {
          yield* Ref.set(reached, job.position)
          if (isDone(job, options.unlessFinishedSince)) return Option.none()
          const left = yield* leftAt(job)
          const now = yield* Clock.currentTimeMillis
          // One that was about other subscriptions is no beginning of this one.
          const resumed = Option.filter(
            left,
            ({ savedAt, since }) =>
              since?.getTime() === start.since?.getTime() && savedAt !== undefined && now - savedAt <= resumable
          )
          const report = yield* body({
            position: Option.getOrElse(resumed, () => start),
            startedAt: Option.isSome(resumed) ? job.startedAt : new Date(now),
            resumed: Option.isSome(resumed),
            save: (position) =>
              Effect.flatMap(Clock.currentTimeMillis, (savedAt) => {
                const text = encodePosition({ ...position, savedAt })
                return Effect.zipRight(
                  Ref.set(reached, text),
                  Effect.flatMap(store.continueJob(jobName, owner, text, lease), orTakenOver)
                )
              })
          })
          yield* Effect.flatMap(store.finishJob(jobName, owner, encodeReport(report)), orTakenOver)
          return Option.some(report)
        }),
      // Done, or left for the next to go on with. If not even that can be written, the lease runs out.
      (_job, exit) =>
        Exit.isSuccess(exit) && Option.isSome(exit.value)
          ? Effect.void
          : Ref.get(reached).pipe(
              Effect.flatMap((position) => store.releaseJob(jobName, owner, position)),
              Effect.catchAll((error) => Effect.logWarning(error.message))
            )
    )
  })
}

/**
 * One that was left for longer begins anew: since then there may be records on pages that it has had, and a report of it would
 * say that all were compared.
 */
const resumable = Duration.toMillis(Duration.hours(1))

const isDone = ({ finishedAt, position }: Job, since: Date | undefined): boolean =>
  since !== undefined && position === null && finishedAt !== null && finishedAt >= since

/** Where it was left; what a later version wrote there is no use to this one. */
const leftAt = ({ position }: Job): Effect.Effect<Option.Option<Position>> =>
  position === null ? Effect.succeedNone : Effect.option(Schema.decode(PositionJson)(position))

/**
 * What has to be done now and then, in every process that runs billing: forget what is old, link what waited for its
 * user, set right what ended by the clock, and, if asked to, compare the store with Polar.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Billing } from "./Billing.ts"
import { idly } from "./runtime/idly.ts"
import { randomId } from "./runtime/randomId.ts"
import { BillingStore, type Job } from "./store/BillingStore.ts"
import type { StoreError } from "./store/StoreError.ts"
import type { ReconcileReport } from "./useCases/ReconcileReport.ts"
import { causeLine } from "./values/logText.ts"
import * as Options from "./values/options.ts"

/**
 * @example
 * Maintenance.layer({
 *   retention: "30 days",
 *   dedupe: "90 days",
 *   linkEvery: "5 minutes",
 *   clockEvery: "1 minute",
 *   reconcileEvery: "6 hours"
 * })
 */
export interface MaintenanceOptions {
  /**
   * How long the bodies of deliveries are kept, for replays and for support, and what the app was told. Default 90 days, as
   * long as Polar keeps deliveries; less than a day counts as a day, and `Infinity` keeps all.
   */
  readonly retention?: Duration.DurationInput | undefined
  /**
   * How long it stays known at the least that a delivery came, so that none is applied twice. Default 90 days: as long as Polar
   * can deliver it again.
   */
  readonly dedupe?: Duration.DurationInput | undefined
  /** How often subscriptions that belong to nobody are looked at again. Default 5 minutes. */
  readonly linkEvery?: Duration.DurationInput | undefined
  /** How often it is looked what has ended by the clock. Default 30 seconds. */
  readonly clockEvery?: Duration.DurationInput | undefined
  /** How often everything is compared with Polar, by one process for all. Default: never. */
  readonly reconcileEvery?: Duration.DurationInput | undefined
}

const pruneEvery = Duration.hours(1)

const leastRetention = Duration.days(1)

/** Few at a time, so that no delivery waits for it. */
const pruneStep = 200

/** Of a process that dies, another one takes over after that. */
const jobLease = Duration.minutes(1)

const holdEvery = Duration.seconds(20)

/** A schedule looks so often whether it is time; also for what another process left undone. */
const lookEvery = Duration.minutes(10)

const make = (options: MaintenanceOptions) =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    const billing = yield* Billing
    const wanted = Duration.decode(options.retention ?? Duration.days(90))
    const retention = Duration.max(wanted, leastRetention)
    if (Duration.lessThan(wanted, leastRetention)) {
      yield* Effect.logWarning(
        `A retention of ${Duration.format(wanted)} counts as a day: what was just delivered may have to be replayed.`
      )
    }
    const dedupe = Duration.max(retention, options.dedupe ?? Duration.days(90))
    const linkEvery = Duration.decode(options.linkEvery ?? Duration.minutes(5))
    const clockEvery = Duration.decode(options.clockEvery ?? Duration.seconds(30))

    /** A few at a time, until there are no more that are older. */
    const forget = (
      age: Duration.Duration,
      some: (before: Date, limit: number) => Effect.Effect<number, StoreError>
    ): Effect.Effect<void, StoreError> =>
      Effect.gen(function* () {
        if (!Duration.isFinite(age)) return
        const before = new Date((yield* Clock.currentTimeMillis) - Duration.toMillis(age))
        const step = Effect.zipLeft(some(before, pruneStep), Effect.sleep("100 millis"))
        yield* Effect.repeat(step, { while: (pruned) => pruned === pruneStep })
      })

    const prune = Effect.all(
      [
        forget(retention, (before, limit) => store.pruneDeliveryBodies(before, limit)),
        forget(dedupe, (before, limit) => store.deleteSettledDeliveries(before, limit)),
        forget(retention, (before, limit) => store.deleteDoneNotifications(before, limit))
      ],
      { discard: true }
    )

    /** As long as this process is at it, however long that takes, nobody takes it over. Never ends by itself. */
    const holding = (name: string, owner: string): Effect.Effect<never> =>
      Effect.sleep(holdEvery).pipe(
        Effect.zipRight(Effect.ignoreLogged(store.continueJob(name, owner, "{}", jobLease))),
        Effect.forever
      )

    /** Unless another process is at it, or has just done it. */
    const byOne = <E>(name: string, every: Duration.Duration, work: Effect.Effect<unknown, E>) =>
      Effect.gen(function* () {
        const since = (yield* Clock.currentTimeMillis) - Duration.toMillis(every) / 2
        const isDone = ({ finishedAt }: Job) => finishedAt !== null && finishedAt.getTime() > since
        if (Option.exists(yield* store.job(name), isDone)) return
        const owner = yield* randomId
        yield* Effect.acquireUseRelease(
          store.claimJob({ name, owner, lease: jobLease }),
          (claimed) =>
            Option.isSome(claimed) && !isDone(claimed.value)
              ? Effect.raceFirst(work, holding(name, owner)).pipe(
                  Effect.zipRight(store.finishJob(name, owner, "{}")),
                  Effect.asVoid
                )
              : Effect.void,
          // Where it was done it is nobody's by now, and this changes nothing.
          () => Effect.ignoreLogged(store.releaseJob(name, owner, null))
        )
      })

    const lookAtClock = Effect.gen(function* () {
      const due = yield* store.recordsDue({ limit: 1 })
      if (due.length > 0) yield* byOne("clock", clockEvery, billing.lookAtClock)
    })

    const reconcile = (every: Duration.Duration) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const report = yield* billing.reconcileUnlessDoneSince(new Date(now - Duration.toMillis(every)))
        if (Option.isSome(report)) yield* tell(report.value)
      }).pipe(Effect.catchTag("ReconcileRunning", () => Effect.logDebug("Another process compares with Polar.")))

    if (Duration.isFinite(retention)) yield* start("What is old could not be forgotten", pruneEvery, prune)
    yield* start("What ended by the clock could not be set right", clockEvery, lookAtClock)
    yield* start(
      "Waiting subscriptions could not be linked",
      linkEvery,
      byOne("link waiting", linkEvery, billing.linkWaiting)
    )
    yield* start("Erasures could not go on", linkEvery, billing.privacy.resume)
    yield* start("How it stands could not be looked at", linkEvery, billing.observe)
    if (options.reconcileEvery !== undefined) {
      const every = Duration.decode(options.reconcileEvery)
      yield* start("The comparison with Polar failed", Duration.min(every, lookEvery), reconcile(every))
    }
  })

/** What the store had to learn is worth a look: some delivery did not arrive. */
const tell = ({ compared, discrepancyCount, unknownToPolar, webhooks }: ReconcileReport): Effect.Effect<void> => {
  const redelivered = webhooks.endpoints.reduce((sum, endpoint) => sum + endpoint.redelivered, 0)
  const entry = `Compared ${compared} records with Polar and set ${discrepancyCount} right.`
  return (
    discrepancyCount + redelivered + unknownToPolar.length > 0 ? Effect.logWarning(entry) : Effect.logInfo(entry)
  ).pipe(Effect.annotateLogs({ redelivered, unknownToPolar: unknownToPolar.length }))
}

/**
 * Does it again and again until the scope closes; a failure is for the log and for the next time. Not at once, and not all
 * processes at the same moment.
 */
const start = <A, E, R>(failure: string, every: Duration.Duration, work: Effect.Effect<A, E, R>) =>
  Effect.catchAllCause(work, (cause) => Effect.logWarning(`${failure}; trying again later.`, causeLine(cause))).pipe(
    Effect.schedule(Schedule.jitteredWith(Schedule.spaced(every), { min: 0.5, max: 1 })),
    idly,
    Effect.forkScoped
  )

const maintenanceOptions: Schema.Schema<MaintenanceOptions> = Schema.Struct({
  retention: Options.optional(Options.duration),
  dedupe: Options.optional(Options.duration),
  linkEvery: Options.optional(Options.duration),
  clockEvery: Options.optional(Options.duration),
  reconcileEvery: Options.optional(Options.duration)
})

const checkOptions = Options.optionsCheck("Maintenance.layer()", maintenanceOptions)

/**
 * Starts with the layer and stops with its scope. Throws an `InvalidOption` for options that there are not.
 *
 * @example
 * Maintenance.layer({ reconcileEvery: "24 hours" })
 */
export const layer = (options: MaintenanceOptions = {}): Layer.Layer<never, never, Billing | BillingStore> => {
  checkOptions(options)
  return Layer.scopedDiscard(make(options))
}

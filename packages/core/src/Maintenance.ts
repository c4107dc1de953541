/**
 * What has to be done now and then, in every process that runs billing: forget old bodies, link what waited for its user,
 * and, if asked to, compare the store with Polar.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { Billing } from "./Billing.ts"
import { BillingStore } from "./store/BillingStore.ts"
import type { ReconcileReport } from "./useCases/ReconcileReport.ts"

export interface MaintenanceOptions {
  /**
   * How long the bodies of deliveries are kept, for replays and for support. The deliveries stay known for ever, so that
   * none is applied twice. Default 90 days, as long as Polar keeps them; `Infinity` keeps all.
   */
  readonly retention?: Duration.DurationInput | undefined
  /** How often subscriptions that belong to nobody are looked at again. Default 5 minutes. */
  readonly linkEvery?: Duration.DurationInput | undefined
  /** How often everything is compared with Polar, by one process for all. Default: never. */
  readonly reconcileEvery?: Duration.DurationInput | undefined
}

const pruneEvery = Duration.hours(1)

/** Few at a time, so that no delivery waits for it. */
const pruneStep = 200

/** A schedule looks so often whether it is time; also for what another process left undone. */
const lookEvery = Duration.minutes(10)

const make = (options: MaintenanceOptions) =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    const billing = yield* Billing
    const retention = Duration.decode(options.retention ?? Duration.days(90))
    const linkEvery = Duration.decode(options.linkEvery ?? Duration.minutes(5))

    const prune = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const before = new Date(now - Duration.toMillis(retention))
      const step = Effect.zipLeft(store.pruneDeliveryBodies(before, pruneStep), Effect.sleep("100 millis"))
      yield* Effect.repeat(step, { while: (pruned) => pruned === pruneStep })
    })

    const reconcile = (every: Duration.Duration) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const report = yield* billing.reconcileUnlessDoneSince(new Date(now - Duration.toMillis(every)))
        if (Option.isSome(report)) yield* tell(report.value)
      }).pipe(Effect.catchTag("ReconcileRunning", () => Effect.logDebug("Another process compares with Polar.")))

    if (Duration.isFinite(retention)) yield* start("Old bodies could not be pruned", pruneEvery, prune)
    yield* start("Waiting subscriptions could not be linked", linkEvery, billing.linkWaiting)
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
  Effect.catchAllCause(work, (cause) => Effect.logWarning(`${failure}; trying again later.`, cause)).pipe(
    Effect.schedule(Schedule.jitteredWith(Schedule.spaced(every), { min: 0.5, max: 1 })),
    Effect.forkScoped
  )

/** Starts with the layer and stops with its scope. */
export const layer = (options: MaintenanceOptions = {}): Layer.Layer<never, never, Billing | BillingStore> =>
  Layer.scopedDiscard(make(options))

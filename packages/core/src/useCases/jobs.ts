/** The jobs of billing as an operator sees them: what runs or waits, since when, how far it is, and how it ended last. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { BillingStoreService, Job } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { erasureIn } from "./erasures.ts"
import { handlersJob } from "./knownHandlers.ts"
import { Position, jobName as reconcileJob } from "./ReconcileJob.ts"
import { ReconcileReport } from "./ReconcileReport.ts"

/**
 * - `running`: a process is at it, until `leaseUntil` at the latest
 * - `lapsed`: the process that was at it has died or hangs; another one may take it over
 * - `waiting`: it was left where it stands, and whoever runs maintenance goes on with it
 * - `done`: nobody is at it, and the last one was done to the end
 * - `failed`: nobody is at it, and the last one was not done to the end; it begins anew when it is due
 */
export type JobState = "running" | "lapsed" | "waiting" | "done" | "failed"

export interface JobSeen {
  /** Such as `reconcile`, `clock`, `link waiting`, or `erasure:` or `refund ` with an id. */
  readonly name: string
  readonly state: JobState
  /** Who is at it: an id that was made for this turn, and is also in no log. `null` when nobody is. */
  readonly owner: string | null
  readonly leaseUntil: Date | null
  readonly startedAt: Date
  /** When it was last begun, went on, was left or was done. */
  readonly updatedAt: Date
  /** When it was last done to the end. */
  readonly finishedAt: Date | null
  /** How far it is, as a sentence; `null` where it is not under way or does not say. */
  readonly progress: string | null
  /** What came of it when it was last done to the end, as a sentence; `null` where it says nothing. */
  readonly outcome: string | null
}

type Latest = Job & { readonly isHeld: boolean }

/** At most so many, those that are under way first. */
export const latestJobs = (
  store: BillingStoreService,
  limit: number
): Effect.Effect<ReadonlyArray<JobSeen>, StoreError> =>
  Effect.gen(function* () {
    // One more, because one of them is none.
    const jobs = yield* store.latestJobs(limit + 1)
    return jobs
      .filter(({ name }) => name !== handlersJob)
      .slice(0, limit)
      .map(seen)
  })

const seen = (job: Latest): JobSeen => {
  const { finishedAt, leaseUntil, name, owner, startedAt, updatedAt } = job
  const state = stateOf(job)
  return {
    name,
    state,
    owner,
    leaseUntil,
    startedAt,
    updatedAt,
    finishedAt,
    progress: state === "done" || state === "failed" ? null : progressOf(job),
    outcome: outcomeOf(job)
  }
}

const stateOf = ({ finishedAt, isHeld, owner, position, startedAt }: Latest): JobState => {
  if (owner !== null) return isHeld ? "running" : "lapsed"
  if (position !== null) return "waiting"
  return finishedAt !== null && finishedAt >= startedAt ? "done" : "failed"
}

const decodePosition = Schema.decodeUnknownOption(Schema.parseJson(Position))
const decodeReport = Schema.decodeUnknownOption(Schema.parseJson(ReconcileReport))

/** What another version wrote is not said. */
const progressOf = (job: Job): string | null => {
  if (job.name !== reconcileJob) return Option.getOrNull(Option.flatMapNullable(erasureIn(job), erasureProgress))
  return Option.getOrNull(
    Option.map(decodePosition(job.position), ({ counts, kind, page, phase }) => {
      const place =
        phase === "polar" ? `at page ${page} of Polar's ${kind.replaceAll("_", " ")}s` : "at what only the store has"
      return `It is ${place}; ${counts.compared} were compared, ${counts.discrepancyCount} set right.`
    })
  )
}

type Erasure = Option.Option.Value<ReturnType<typeof erasureIn>>

const erasureProgress = ({ attempts, lastError, state }: Erasure): string | null => {
  if (state === "done") return null
  const tried = attempts === 1 ? "It was tried once" : `It was tried ${attempts} times`
  return lastError === null ? `${tried}.` : `${tried}; ${attempts === 1 ? "that" : "the last"} failed: ${lastError}`
}

const outcomeOf = (job: Job): string | null => {
  if (job.report === null) return null
  if (job.name === reconcileJob) {
    return Option.getOrNull(
      Option.map(
        decodeReport(job.report),
        ({ compared, discrepancyCount }) => `${compared} were compared, and ${discrepancyCount} set right.`
      )
    )
  }
  return Option.getOrNull(
    Option.map(
      erasureIn(job),
      ({ erased: { checkouts, deliveries, notifications, records } }) =>
        `Erased: ${records} records, ${deliveries} deliveries, ${checkouts} checkouts, ${notifications} notifications.`
    )
  )
}

/** Jobs that one process does for all. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { JobRow } from "../../records/rows.ts"
import type { BillingStoreService, Job } from "../BillingStoreService.ts"
import { callTime } from "../callTime.ts"
import type { DriverCalls } from "./driverCalls.ts"

export const jobCalls = ({ attempt, driver, span }: DriverCalls) =>
  ({
    job: (name) =>
      Effect.map(
        attempt("job", () => driver.job(name)),
        (row) => Option.map(Option.fromNullable(row), jobOf)
      ),

    jobsNamed: (prefix) =>
      Effect.map(
        attempt("jobsNamed", () => driver.jobsNamed(prefix)),
        (rows) => rows.map(jobOf)
      ),

    latestJobs: (limit) =>
      Effect.flatMap(callTime, (time) => attempt("latestJobs", () => driver.latestJobs(limit, time))).pipe(
        Effect.map(({ jobs, now }) => jobs.map((row) => ({ ...jobOf(row), isHeld: (row.leaseUntil ?? 0) > now }))),
        span("latestJobs")
      ),

    claimJob: ({ lease, name, owner }) =>
      Effect.gen(function* () {
        const time = yield* callTime
        const { claimed, job } = yield* attempt("claimJob", () =>
          driver.claimJob({ name, owner, time, leaseMillis: Duration.toMillis(lease) })
        )
        return claimed ? Option.some(jobOf(job)) : Option.none()
      }),

    continueJob: (name, owner, position, lease) =>
      Effect.flatMap(callTime, (time) =>
        attempt("continueJob", () =>
          driver.saveJob({ name, owner, time, leaseMillis: Duration.toMillis(lease), position })
        )
      ),

    releaseJob: (name, owner, position) =>
      Effect.flatMap(callTime, (time) =>
        attempt("releaseJob", () => driver.saveJob({ name, owner, time, leaseMillis: null, position }))
      ),

    finishJob: (name, owner, report) =>
      Effect.flatMap(callTime, (time) =>
        attempt("finishJob", () => driver.saveJob({ name, owner, time, leaseMillis: null, position: null, report }))
      )
  }) satisfies Partial<BillingStoreService>

const jobOf = (row: JobRow): Job => ({
  name: row.name,
  owner: row.owner,
  leaseUntil: dateOrNull(row.leaseUntil),
  position: row.position,
  startedAt: new Date(row.startedAt),
  updatedAt: new Date(row.updatedAt),
  finishedAt: dateOrNull(row.finishedAt),
  report: row.report
})

const dateOrNull = (millis: number | null): Date | null => (millis === null ? null : new Date(millis))

/** Jobs, of which one process at a time does each. */
import type { JobRow } from "../records/rows.ts"
import type { CallTime, JobClaim, JobSave } from "../store/StoreDriver.ts"
import type { Dialect } from "./Dialect.ts"
import { DriverError } from "./DriverError.ts"
import { limitOf, readClock } from "./outbox.ts"
import { accessTo, valueIn, writerOf } from "./rowsOf.ts"
import { ask, askOne, commit, type Script, sql } from "./Script.ts"
import { jobs } from "./tables.ts"

export const makeJobRows = (dialect: Dialect) => {
  const put = valueIn(dialect)
  const table = dialect.table(jobs.name)
  const access = accessTo<JobRow>(dialect, jobs, [
    "name",
    "owner",
    "leaseUntil",
    "position",
    "startedAt",
    "updatedAt",
    "finishedAt",
    "report"
  ])
  const insert = writerOf<JobRow>(dialect, jobs, "leave")
  const select = (name: string) => sql`${access.select()} WHERE name = ${put(name, "id")}`

  return {
    find: function* (name: string): Script<JobRow | undefined> {
      return access.rows(yield* askOne(select(name)))[0]
    },

    named: function* (prefix: string): Script<ReadonlyArray<JobRow>> {
      const end = `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`
      return access.rows(
        yield* askOne(
          sql`${access.select()} WHERE name >= ${put(prefix, "id")} AND name < ${put(end, "id")} ORDER BY name`
        )
      )
    },

    latest: function* (
      limit: number,
      time: CallTime
    ): Script<{ readonly jobs: ReadonlyArray<JobRow>; readonly now: number }> {
      const [rows = [], clock = []] = yield* ask(
        sql`${access.select()} ORDER BY CASE WHEN owner IS NULL AND position IS NULL THEN 1 ELSE 0 END, updated_at DESC, name LIMIT ${limitOf(limit)}`,
        sql`SELECT ${readClock(dialect, time)}`
      )
      return { jobs: access.rows(rows), now: Number(dialect.decode(clock[0]?.[0], "time")) }
    },

    /** The row is made first, so that there is one to lock. */
    claim: function* ({ leaseMillis, name, owner, time }: JobClaim): Script<{
      readonly claimed: boolean
      readonly job: JobRow
    }> {
      const { now, shift } = time
      const found = yield* ask(
        ...dialect.settings({}),
        insert({
          name,
          owner: null,
          leaseUntil: null,
          position: null,
          startedAt: now,
          updatedAt: now,
          finishedAt: null,
          report: null
        }),
        sql`${select(name)}${dialect.forUpdate}`,
        // Of the database's clock, which all processes have in common. A statement of its own, because that one may have waited.
        sql`SELECT ${readClock(dialect, time)}`
      )
      const [job] = access.rows(found.at(-2) ?? [])
      const clock = Number(dialect.decode(found.at(-1)?.[0]?.[0], "time"))
      if (job === undefined) throw new DriverError("unknown", `the job ${name} was not written`)
      if (job.owner !== null && job.owner !== owner && (job.leaseUntil ?? 0) > clock) {
        yield* commit()
        return { claimed: false, job }
      }
      const startedAt = job.position === null ? now : job.startedAt
      const answers = yield* commit(
        sql`UPDATE ${table} SET owner = ${put(owner, "key")}, lease_until = ${dialect.later(shift + leaseMillis)}, started_at = ${put(startedAt, "time")}, updated_at = ${put(now, "time")} WHERE name = ${put(name, "id")}`,
        select(name)
      )
      return { claimed: true, job: access.rows(answers.at(-1) ?? [])[0] ?? job }
    },

    /** `false`, and nothing written, unless the owner holds the job. */
    save: function* ({ leaseMillis, name, owner, position, report, time: { now, shift } }: JobSave): Script<boolean> {
      const isHeld = sql`name = ${put(name, "id")} AND owner = ${put(owner, "key")}`
      const settings = dialect.settings({})
      const done =
        report === undefined ? sql`` : sql`, finished_at = ${put(now, "time")}, report = ${put(report, "long")}`
      const answers = yield* commit(
        ...settings,
        sql`SELECT ${dialect.read("name", "id")} FROM ${table} WHERE ${isHeld}${dialect.forUpdate}`,
        sql`UPDATE ${table} SET owner = ${put(leaseMillis === null ? null : owner, "key")}, lease_until = ${leaseMillis === null ? "NULL" : dialect.later(shift + leaseMillis)}, position = ${put(position, "long")}, updated_at = ${put(now, "time")}${done} WHERE ${isHeld}`
      )
      return (answers[settings.length] ?? []).length > 0
    }
  }
}

/** Jobs, of which one process at a time does each. */
import type { JobRow } from "../records/rows.ts"
import type { JobClaim, JobSave } from "../store/StoreDriver.ts"
import type { Dialect } from "./Dialect.ts"
import { DriverError } from "./DriverError.ts"
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

    /** The row is made first, so that there is one to lock. */
    claim: function* ({ leaseUntil, name, now, owner }: JobClaim): Script<{
      readonly claimed: boolean
      readonly job: JobRow
    }> {
      const found = yield* ask(
        ...dialect.settings(false),
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
        sql`${select(name)}${dialect.forUpdate}`
      )
      const [job] = access.rows(found.at(-1) ?? [])
      if (job === undefined) throw new DriverError("unknown", `the job ${name} was not written`)
      if (job.owner !== null && job.owner !== owner && (job.leaseUntil ?? 0) > now) {
        yield* commit()
        return { claimed: false, job }
      }
      const startedAt = job.position === null ? now : job.startedAt
      yield* commit(
        sql`UPDATE ${table} SET owner = ${put(owner, "key")}, lease_until = ${put(leaseUntil, "time")}, started_at = ${put(startedAt, "time")}, updated_at = ${put(now, "time")} WHERE name = ${put(name, "id")}`
      )
      return { claimed: true, job: { ...job, owner, leaseUntil, startedAt, updatedAt: now } }
    },

    /** `false`, and nothing written, unless the owner holds the job. */
    save: function* ({ leaseUntil, name, now, owner, position, report }: JobSave): Script<boolean> {
      const isHeld = sql`name = ${put(name, "id")} AND owner = ${put(owner, "key")}`
      const settings = dialect.settings(false)
      const done =
        report === undefined ? sql`` : sql`, finished_at = ${put(now, "time")}, report = ${put(report, "long")}`
      const answers = yield* commit(
        ...settings,
        sql`SELECT ${dialect.read("name", "id")} FROM ${table} WHERE ${isHeld}${dialect.forUpdate}`,
        sql`UPDATE ${table} SET owner = ${put(leaseUntil === null ? null : owner, "key")}, lease_until = ${put(leaseUntil, "time")}, position = ${put(position, "long")}, updated_at = ${put(now, "time")}${done} WHERE ${isHeld}`
      )
      return (answers[settings.length] ?? []).length > 0
    }
  }
}

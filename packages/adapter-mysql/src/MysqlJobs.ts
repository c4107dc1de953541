/** The statements on jobs, of which one process at a time does each. */

import { DriverError } from "@kavach-polar/core/adapter/DriverError"
import type { JobRow } from "@kavach-polar/core/adapter/rows"
import type { JobClaim, JobSave } from "@kavach-polar/core/adapter/StoreDriver"
import { and, eq } from "drizzle-orm"
import { type Queries, uncached } from "./MysqlDatabase.ts"
import { sameKey } from "./MysqlStatements.ts"
import { datetimeOf, datetimeOrNull, millisOf, millisOrNull } from "./MysqlTime.ts"
import { jobs } from "./schema.ts"

export const find = async (queries: Queries, name: string): Promise<JobRow | undefined> =>
  (await uncached(queries.select().from(jobs).where(eq(jobs.name, name)))).map(rowOf)[0]

/**
 * Takes the job, unless another one's lease on it runs. To be called within a transaction. The row is made first, so that
 * there is one to lock.
 */
export const claim = async (
  queries: Queries,
  { leaseUntil, name, now, owner }: JobClaim
): Promise<{ readonly claimed: boolean; readonly job: JobRow }> => {
  await queries
    .insert(jobs)
    .values({ name, startedAt: datetimeOf(now), updatedAt: datetimeOf(now) })
    .onDuplicateKeyUpdate({ set: { name: sameKey(jobs, jobs.name) } })
  const [row] = await uncached(queries.select().from(jobs).where(eq(jobs.name, name)).for("update"))
  if (row === undefined) throw new DriverError("unknown", `the job ${name} was not written`)
  const job = rowOf(row)
  if (job.owner !== null && job.owner !== owner && (job.leaseUntil ?? 0) > now) return { claimed: false, job }
  const startedAt = job.position === null ? now : job.startedAt
  await queries
    .update(jobs)
    .set({
      owner,
      leaseUntil: datetimeOf(leaseUntil),
      startedAt: datetimeOf(startedAt),
      updatedAt: datetimeOf(now)
    })
    .where(eq(jobs.name, name))
  return { claimed: true, job: { ...job, owner, leaseUntil, startedAt, updatedAt: now } }
}

/**
 * Whether the owner holds the job, and so it was written. Looks first and writes then: how many rows an UPDATE reports
 * depends on a flag of the connection. To be called within a transaction.
 */
export const save = async (
  queries: Queries,
  { leaseUntil, name, now, owner, position, report }: JobSave
): Promise<boolean> => {
  const held = await uncached(
    queries
      .select({ name: jobs.name })
      .from(jobs)
      .where(and(eq(jobs.name, name), eq(jobs.owner, owner)))
      .for("update")
  )
  if (held.length === 0) return false
  await queries
    .update(jobs)
    .set({
      owner: leaseUntil === null ? null : owner,
      leaseUntil: datetimeOrNull(leaseUntil),
      position,
      updatedAt: datetimeOf(now),
      ...(report === undefined ? {} : { finishedAt: datetimeOf(now), report })
    })
    .where(eq(jobs.name, name))
  return true
}

const rowOf = (row: typeof jobs.$inferSelect): JobRow => ({
  ...row,
  leaseUntil: millisOrNull(row.leaseUntil),
  startedAt: millisOf(row.startedAt),
  updatedAt: millisOf(row.updatedAt),
  finishedAt: millisOrNull(row.finishedAt)
})

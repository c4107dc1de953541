/** The statements on jobs, of which one process at a time does each. */

import { DriverError } from "@kavach-polar/core/adapter/DriverError"
import type { JobRow } from "@kavach-polar/core/adapter/rows"
import type { JobClaim, JobSave } from "@kavach-polar/core/adapter/StoreDriver"
import { and, eq, sql } from "drizzle-orm"
import type { Drizzle } from "./SqliteDatabase.ts"
import { isoOf, isoOrNull, millisOf, millisOrNull } from "./SqliteTime.ts"
import { jobs } from "./schema.ts"

export const find = (drizzle: Drizzle, name: string): JobRow | undefined => {
  const [row] = drizzle.select().from(jobs).where(eq(jobs.name, name)).all()
  return row === undefined
    ? undefined
    : {
        ...row,
        leaseUntil: millisOrNull(row.leaseUntil),
        startedAt: millisOf(row.startedAt),
        updatedAt: millisOf(row.updatedAt),
        finishedAt: millisOrNull(row.finishedAt)
      }
}

/** Takes the job, unless another one's lease on it runs. To be called within a transaction. */
export const claim = (drizzle: Drizzle, { leaseUntil, name, now, owner }: JobClaim) => {
  const taken = { owner, leaseUntil: isoOf(leaseUntil), updatedAt: isoOf(now) }
  drizzle
    .insert(jobs)
    .values({ name, ...taken, startedAt: isoOf(now) })
    .onConflictDoUpdate({
      target: jobs.name,
      set: { ...taken, startedAt: sql`iif(${jobs.position} IS NULL, excluded.started_at, ${jobs.startedAt})` },
      setWhere: sql`${jobs.owner} IS NULL OR ${jobs.owner} = ${owner} OR ${jobs.leaseUntil} IS NULL
        OR ${jobs.leaseUntil} <= ${isoOf(now)}`
    })
    .run()
  const job = find(drizzle, name)
  if (job === undefined) throw new DriverError("unknown", `the job ${name} was not written`)
  return { claimed: job.owner === owner, job }
}

/** Whether the owner holds the job, and so it was written. */
export const save = (drizzle: Drizzle, { leaseUntil, name, now, owner, position, report }: JobSave): boolean =>
  drizzle
    .update(jobs)
    .set({
      owner: leaseUntil === null ? null : owner,
      leaseUntil: isoOrNull(leaseUntil),
      position,
      updatedAt: isoOf(now),
      ...(report === undefined ? {} : { finishedAt: isoOf(now), report })
    })
    .where(and(eq(jobs.name, name), eq(jobs.owner, owner)))
    .returning({ name: jobs.name })
    .all().length > 0

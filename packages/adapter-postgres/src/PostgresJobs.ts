/** The statements on jobs, of which one process at a time does each. */
import type { JobClaim, JobSave } from "@kavach-polar/core/adapter/StoreDriver"
import { type Statement, sql } from "./PostgresStatement.ts"
import { listOf, millis, text, time } from "./PostgresValues.ts"

const job = sql`name, owner, ${millis(sql`lease_until`)} AS "leaseUntil", position,
  ${millis(sql`started_at`)} AS "startedAt", ${millis(sql`updated_at`)} AS "updatedAt",
  ${millis(sql`finished_at`)} AS "finishedAt", report`

/** Answers with a list of at most one `JobRow`. */
export const select = (name: string): Statement =>
  sql`SELECT ${listOf(sql`SELECT ${job} FROM kavach_polar_jobs WHERE name = ${text(name)}`)}::text`

/** Takes the job, unless another one's lease on it runs. */
export const take = ({ leaseUntil, name, now, owner }: JobClaim): Statement =>
  sql`INSERT INTO kavach_polar_jobs AS job (name, owner, lease_until, started_at, updated_at)
    VALUES (${text(name)}, ${text(owner)}, ${time(leaseUntil)}, ${time(now)}, ${time(now)})
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until,
      updated_at = excluded.updated_at,
      started_at = CASE WHEN job.position IS NULL THEN excluded.started_at ELSE job.started_at END
    WHERE job.owner IS NULL OR job.owner = excluded.owner OR job.lease_until IS NULL
      OR job.lease_until <= ${time(now)}`

/** Answers with how many rows it changed. */
export const save = ({ leaseUntil, name, now, owner, position, report }: JobSave): Statement =>
  sql`WITH saved AS (
    UPDATE kavach_polar_jobs SET owner = ${text(leaseUntil === null ? null : owner)},
      lease_until = ${leaseUntil === null ? sql`NULL` : time(leaseUntil)}, position = ${text(position)},
      updated_at = ${time(now)}
      ${report === undefined ? sql`` : sql`, finished_at = ${time(now)}, report = ${text(report)}`}
    WHERE name = ${text(name)} AND owner = ${text(owner)} RETURNING name
  ) SELECT count(*)::text FROM saved`

/** Where each subject keeps what it does. */
import type { SubjectName } from "../Bench.ts"
import type { BenchDatabase } from "../databases/BenchDatabase.ts"

export interface Tables {
  /** What a turn fills, the app's own table included. */
  readonly filled: ReadonlyArray<string>
  readonly deliveries: string
  readonly subscriptions: string
  readonly notifications: string
}

const named = (prefix: string, subscriptions: string): Tables => ({
  filled: [
    ...["deliveries", subscriptions, "customers", "checkouts", "notifications"].map((name) => `${prefix}_${name}`),
    "kavach_users"
  ],
  deliveries: `${prefix}_deliveries`,
  subscriptions: `${prefix}_${subscriptions}`,
  notifications: `${prefix}_notifications`
})

const raw = named("raw", "subscriptions")
export const ours = named("kavach_polar", "records")
/** Of checkouts from before the records: there the subscriptions were a table. */
const oursBeforeRecords = named("kavach_polar", "subscriptions")

export const tablesOf = async (name: SubjectName, { run }: BenchDatabase): Promise<Tables> => {
  if (name === "raw") return raw
  if (name === "ours") return ours
  return run(`SELECT 1 FROM ${ours.subscriptions} LIMIT 1`).then(
    () => ours,
    () => oursBeforeRecords
  )
}

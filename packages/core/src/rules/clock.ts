/** What does the clock change by itself, and when? For what no webhook tells: see `AccessPolicy.clockAt`. */
import type { RecordFact } from "../records/rows.ts"
import { subscriptionFact } from "../records/subscriptionKind.ts"
import { type AccessPolicy, clockAt } from "./AccessPolicy.ts"

/** What the clock has to do with a record. */
export type ClockState = Pick<RecordFact, "clockAt" | "lapsedAt">

const timeless: ClockState = { clockAt: null, lapsedAt: null }

/** As of `now`, in epoch milliseconds. `lapsedAt`: when it was first found that its time has passed, if it was. */
export const clockStateOf = (
  policy: AccessPolicy,
  fact: RecordFact,
  lapsedAt: number | null,
  now: number
): ClockState => {
  if (fact.kind !== "subscription" || !fact.live) return timeless
  const at = clockAt(policy, subscriptionFact(fact))?.getTime() ?? null
  if (at === null) return timeless
  return now < at ? { clockAt: at, lapsedAt: null } : { clockAt: null, lapsedAt: lapsedAt ?? now }
}

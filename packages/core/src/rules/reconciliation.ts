/**
 * State that was read from Polar's API, and where it stands among the events: the rule by which the two clocks compare.
 *
 * An event carries the time at which Polar stamped it. What the API answers carries no such time, only two weaker ones:
 *
 * - `changedAt`, when Polar last changed the record's row (`modified_at`, or `created_at` for a fresh one). It is on
 *   the same clock as the events. Polar changes the row first and stamps the events of that change after, so `changedAt`
 *   is later than every event of the changes before, and earlier than those of the change itself.
 * - `fetchedAt`, when this process asked. It is on another clock, and a change that Polar had stamped but not yet
 *   committed by then is not in the answer. So all that is certain is that the answer knows every event that was stamped
 *   `certaintyMargin` or longer before it was asked for.
 *
 * Neither ever says more than the answer can know, so no event that is newer than what was read is made to look old.
 * (Polar docs: webhooks/delivery; Polar's server changes the row and then sends, in one transaction.)
 */
import * as Duration from "effect/Duration"
import type { RecordReport } from "../records/RecordReport.ts"
import type { EpochMicros } from "../values/Timestamp.ts"
import { supersedes, type Version } from "./order.ts"

/** A record as Polar's API gave it. Its `changedAt` is by Polar's clock. */
export interface Snapshot {
  readonly report: RecordReport
  /** By the clock of this process, before the request was sent. */
  readonly fetchedAt: EpochMicros
}

/**
 * Five minutes for the clocks, which is as far as they may be apart before no delivery verifies any more, and five for
 * what Polar had not yet committed, or answered from a replica that lags.
 */
export const certaintyMargin: Duration.Duration = Duration.minutes(10)

const marginMicros = Duration.toMillis(certaintyMargin) * 1000

/** What is stored of the same record. */
export interface StoredState {
  readonly version: Version
  /** Whether it says the same as the snapshot, in everything that access and the app's callback depend on. */
  readonly saysTheSame: boolean
}

/** Why a snapshot is to be written: the store did not have it, had an older state, or had another state. */
export type SnapshotFinding = "missing" | "outdated" | "different"

/**
 * Whether the snapshot is to be written, and as which version.
 *
 * 1. Nothing is stored: it is written as of `changedAt`.
 * 2. `changedAt` is later than the stored event: the store has missed a change. It is written as of `changedAt`.
 * 3. The two differ although the stored event is so old that the snapshot must know it: the snapshot is right. It is
 *    written as of the latest moment that it is certain to know.
 * 4. Else nothing is written. A difference is then a change that is under way: its event decides.
 *
 * @example
 * SubscriptionSnapshot.judge(snapshot, undefined)?.finding
 */
export const judge = (
  { fetchedAt, report: { changedAt, precedence } }: Snapshot,
  stored: StoredState | undefined
): { readonly finding: SnapshotFinding; readonly version: Version } | undefined => {
  const certainUntil = Math.max(fetchedAt - marginMicros, 0) as EpochMicros
  const asOf = (at: EpochMicros): Version => ({ at, precedence })
  if (stored === undefined) return { finding: "missing", version: asOf(changedAt ?? certainUntil) }
  if (changedAt !== null && supersedes(asOf(changedAt), stored.version)) {
    return { finding: "outdated", version: asOf(changedAt) }
  }
  return !stored.saysTheSame && stored.version.at < certainUntil
    ? { finding: "different", version: asOf(certainUntil) }
    : undefined
}

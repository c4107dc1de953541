/** What a customer's state lists: it is set right, and what a state cannot list is left as it is. */
import { kindNamed } from "../records/kinds.ts"
import { columnsOf, type RecordColumns, type RecordReport } from "../records/RecordReport.ts"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import { versionOfListed } from "../rules/listing.ts"
import { supersedes, type Version, versionOf } from "../rules/order.ts"
import type { EpochMicros } from "../values/Timestamp.ts"
import { encodeOrigin, type ListedOrigin, originOf } from "./listedOrigin.ts"
import { rowOf } from "./recordRow.ts"
import type { Owner, WorkingCopy } from "./workingCopy.ts"

/**
 * What is not listed stays: a subscription that is past due or paused is not listed either, and no document of Polar's says that
 * a list is complete.
 */
export const applyListed = (
  copy: WorkingCopy,
  listed: ReadonlyArray<RecordReport>,
  { at, now }: { readonly at: EpochMicros; readonly now: number }
): void => {
  const ownersOfSubscriptions = new Set<string | null>()
  for (const report of listed) {
    const before = copy.record(report)
    const owner = copy.identify(before === undefined ? report : { ...report, ...evidenceIn(before) })
    if (report.kind === subscriptionKind.name) ownersOfSubscriptions.add(owner.userId)
    const stored = copy.record(report)
    const version = versionOfListed(report.changedAt)
    const write = (said: RecordReport, by: Owner, details: Version | null) =>
      copy.write(
        rowOf(copy.withoutForgotten(said, by.userId), {
          owner: by,
          version,
          deliveryId: encodeOrigin({ stateAt: at, details }),
          now
        })
      )
    if (stored === undefined) {
      write(report, hangsOnOthers(report, owner, ownersOfSubscriptions) ? unknownOwner : owner, null)
      continue
    }
    const data = copy.data(report)
    if (data === undefined || !supersedes(version, versionOf(stored))) continue
    const origin = originOf(stored)
    write(
      { ...report, ...withDetails(report.kind, report, { ...stored, data }) },
      owner,
      origin === undefined ? versionOf(stored) : origin.details
    )
  }
}

/**
 * An own state of a record, older than what a customer's state has listed of it, still says what is not listed. Succeeds with
 * whether it is the newest that does.
 */
export const fillIn = (
  copy: WorkingCopy,
  report: RecordReport,
  { now, owner, version }: { readonly now: number; readonly owner: Owner; readonly version: Version }
): boolean => {
  const stored = copy.record(report)
  const origin = stored === undefined ? undefined : originOf(stored)
  const data = copy.data(report)
  if (stored === undefined || origin === undefined || data === undefined) return false
  if (origin.details !== null && !supersedes(version, origin.details)) return false
  const filled: ListedOrigin = { ...origin, details: version }
  copy.write(
    rowOf(
      copy.withoutForgotten({ ...report, ...withDetails(report.kind, { ...stored, data }, report) }, owner.userId),
      {
        owner,
        version: versionOf(stored),
        deliveryId: encodeOrigin(filled),
        now
      }
    )
  )
  return true
}

const unknownOwner: Owner = { userId: null, ownedBy: "elsewhere" }

const evidenceIn = ({ checkoutId, orderId, subscriptionId }: Omit<RecordColumns, "data">) => ({
  checkoutId,
  orderId,
  subscriptionId
})

/**
 * A state does not say what a grant hangs on. One that is known by it alone waits for its own event where any subscription beside
 * it is not the same user's, such as that of another deployment, or of whoever typed the customer's address.
 */
const hangsOnOthers = ({ kind }: RecordReport, { userId }: Owner, owners: ReadonlySet<string | null>): boolean =>
  kind !== subscriptionKind.name && [...owners].some((other) => other !== userId)

const withDetails = (kind: string, listed: RecordColumns, details: RecordColumns): RecordColumns =>
  columnsOf(kindNamed(kind)?.withDetails?.(listed, details) ?? listed)

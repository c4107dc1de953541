/** The step that state read from Polar's API goes through: what it changes, given what the store holds. */
import type { RecordFact } from "../records/rows.ts"
import { detailsKey } from "../records/storedJson.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { HandlerNames } from "../rules/handlers.ts"
import type { AppUsers } from "../rules/identity.ts"
import { versionOf } from "../rules/order.ts"
import { judge, type Snapshot, type SnapshotFinding } from "../rules/reconciliation.ts"
import type { UserId } from "../values/ids.ts"
import * as KeyCollector from "./keys.ts"
import { rowOf } from "./recordRow.ts"
import { noChanges, type Step } from "./Step.ts"
import * as WorkingCopy from "./workingCopy.ts"

/** What the store had to learn about one record. */
export interface SnapshotOutcome {
  readonly kind: string
  readonly id: string
  readonly userId: UserId | null
  /** `null` where the state that is stored stands. */
  readonly finding: SnapshotFinding | null
  /** Which of the fields below differed from what is stored; none where only details did, such as the amount. */
  readonly fields: ReadonlyArray<string>
  /** Whether the record had no user so far, and has one now. */
  readonly linked: boolean
  /** Whether a notification was queued. */
  readonly notified: boolean
}

export interface SnapshotOptions {
  readonly policy: AccessPolicy
  /** Epoch milliseconds. */
  readonly now: number
  /** Decide and answer as ever, and write nothing. */
  readonly dryRun: boolean
  /** Whoever is to be told. Default: who hears of subscriptions. */
  readonly handlers?: HandlerNames | undefined
  /** Whom of those that Polar names the app has. */
  readonly users?: AppUsers | undefined
}

/** The answer holds one outcome for each snapshot, in the same order. */
export const applySnapshots = (
  snapshots: ReadonlyArray<Snapshot>,
  { dryRun, handlers, now, policy, users }: SnapshotOptions
): Step<ReadonlyArray<SnapshotOutcome>> => {
  const wanted = KeyCollector.make(handlers)
  for (const { report } of snapshots) wanted.record(report)
  return {
    keys: wanted.keys(),
    decide: (facts) => {
      const copy = WorkingCopy.make(facts, { policy, now, handlers, users })
      const answer = snapshots.map((snapshot) => applyOne(copy, snapshot, now))
      return { changes: dryRun ? noChanges : copy.changes(), answer }
    }
  }
}

const applyOne = (copy: WorkingCopy.WorkingCopy, snapshot: Snapshot, now: number): SnapshotOutcome => {
  const { report } = snapshot
  const before = copy.record(report)
  const queuedBefore = copy.queued()
  const owner = copy.identify(report)
  const { userId } = owner
  const said = comparable({ ...report, customerId: report.customer.id })
  const fields = before === undefined ? [] : differing(comparable(before), said)
  const verdict = judge(
    snapshot,
    before === undefined ? undefined : { version: versionOf(before), saysTheSame: fields.length === 0 }
  )
  if (verdict !== undefined) {
    const deliveryId = `api ${snapshot.fetchedAt}`
    copy.write(rowOf(copy.withoutForgotten(report, userId), { owner, version: verdict.version, deliveryId, now }))
  }
  copy.tellUsers({ by: "reconciliation" })
  return {
    kind: report.kind,
    id: report.id,
    userId,
    finding: verdict?.finding ?? null,
    fields: verdict === undefined ? [] : fields,
    linked: before !== undefined && before.userId === null && userId !== null,
    notified: copy.queued() > queuedBefore
  }
}

type Compared = Pick<RecordFact, "status" | "productId" | "live" | "customerId" | "summary">

/** What access, the projection and the app's callback depend on, by name. */
const comparable = ({ customerId, live, productId, status, summary }: Compared): ReadonlyMap<string, unknown> =>
  new Map<string, unknown>([
    ["status", status],
    ["productId", productId],
    ...fieldsIn(summary),
    ["live", live],
    ["customerId", customerId]
  ])

/** What no version has written says nothing, and so differs. */
const fieldsIn = (summary: string): ReadonlyArray<readonly [string, unknown]> => {
  try {
    const fields: unknown = JSON.parse(summary)
    // What decides nothing is no difference by itself.
    return typeof fields === "object" && fields !== null
      ? Object.entries(fields).filter(([name]) => name !== detailsKey)
      : []
  } catch {
    return []
  }
}

const differing = (stored: ReadonlyMap<string, unknown>, said: ReadonlyMap<string, unknown>): ReadonlyArray<string> =>
  [...said.keys()].filter((name) => stored.get(name) !== said.get(name))

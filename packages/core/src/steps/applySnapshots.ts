/** The step that state read from Polar's API goes through: what it changes, given what the store holds. */

import type { SubscriptionFact } from "../records/rows.ts"
import type { SubscriptionId, UserId } from "../records/Subscription.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import { identify, rowOf, versionOfFact } from "../rules/identity.ts"
import * as SubscriptionSnapshot from "../rules/reconciliation.ts"
import * as StepKeys from "./keys.ts"
import { noChanges, type Step } from "./Step.ts"
import { make as makeLedger, type StoreLedger } from "./workingCopy.ts"

/** What the store had to learn about one subscription. */
export interface SnapshotOutcome {
  readonly subscriptionId: SubscriptionId
  readonly userId: UserId | null
  /** `null` where the state that is stored stands. */
  readonly finding: SubscriptionSnapshot.SnapshotFinding | null
  /** Which of the fields below differed from what is stored; none where only details did, such as the amount. */
  readonly fields: ReadonlyArray<keyof ComparedFields>
  /** Whether the subscription had no user so far, and has one now. */
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
}

/** The answer holds one outcome for each snapshot, in the same order. */
export const applySnapshots = (
  snapshots: ReadonlyArray<SubscriptionSnapshot.SubscriptionSnapshot>,
  { dryRun, now, policy }: SnapshotOptions
): Step<ReadonlyArray<SnapshotOutcome>> => {
  const wanted = StepKeys.make()
  for (const snapshot of snapshots) wanted.subscription(snapshot)
  return {
    keys: wanted.keys(),
    decide: (facts) => {
      const ledger = makeLedger(facts, { policy, now })
      const answer = snapshots.map((snapshot) => applyOne(ledger, snapshot, now))
      return { changes: dryRun ? noChanges : ledger.changes(), answer }
    }
  }
}

const applyOne = (
  ledger: StoreLedger,
  snapshot: SubscriptionSnapshot.SubscriptionSnapshot,
  now: number
): SnapshotOutcome => {
  const { subscription } = snapshot
  const before = ledger.subscription(subscription.id)
  const queuedBefore = ledger.queued()
  const userId = identify(ledger, snapshot)
  const said = comparedFields({
    status: subscription.status,
    productId: subscription.productId,
    currentPeriodEnd: subscription.periodEnd,
    cancelAtPeriodEnd: subscription.cancelAtPeriodEnd,
    live: subscription.isLive,
    customerId: subscription.customer.id
  })
  const fields = before === undefined ? [] : differing(comparedFields(before), said)
  const verdict = SubscriptionSnapshot.judge(
    snapshot,
    before === undefined ? undefined : { version: versionOfFact(before), saysTheSame: fields.length === 0 }
  )
  if (verdict !== undefined) {
    const deliveryId = `api ${snapshot.fetchedAt}`
    ledger.write(rowOf(subscription, { userId, version: verdict.version, deliveryId, now }))
  }
  return {
    subscriptionId: subscription.id,
    userId,
    finding: verdict?.finding ?? null,
    fields: verdict === undefined ? [] : fields,
    linked: before !== undefined && before.userId === null && userId !== null,
    notified: ledger.queued() > queuedBefore
  }
}

/** What access, the projection and the app's callback depend on. */
export type ComparedFields = Pick<
  SubscriptionFact,
  "status" | "productId" | "currentPeriodEnd" | "cancelAtPeriodEnd" | "live" | "customerId"
>

const comparedFields = (of: ComparedFields): ComparedFields => ({
  status: of.status,
  productId: of.productId,
  currentPeriodEnd: of.currentPeriodEnd,
  cancelAtPeriodEnd: of.cancelAtPeriodEnd,
  live: of.live,
  customerId: of.customerId
})

const differing = (stored: ComparedFields, said: ComparedFields): ReadonlyArray<keyof ComparedFields> =>
  (Object.keys(said) as ReadonlyArray<keyof ComparedFields>).filter((name) => stored[name] !== said[name])

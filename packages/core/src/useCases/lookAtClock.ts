/**
 * What the clock has ended, and no webhook has told: it is shown in the projection, and the app is told as of a change by
 * Polar. Polar is asked first, because it may know better: the trial was paid for, and its webhook is lost.
 */
import * as Effect from "effect/Effect"
import { recordKey } from "../records/RecordReport.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { LookedAt } from "../steps/lookAtClock.ts"
import type { RecordId } from "../steps/Step.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { DueRecord } from "../store/StoreDriver.ts"
import { isOfOneRow, type StoreError } from "../store/StoreError.ts"
import type { SubscriptionId } from "../values/ids.ts"
import type { NotificationDispatcher } from "./NotificationDispatcher.ts"

interface Ports {
  readonly store: BillingStoreService
  readonly dispatcher: typeof NotificationDispatcher.Service
  readonly policy: AccessPolicy
  /** Makes what is stored of these subscriptions equal to what Polar says now. Never fails. */
  readonly refresh: (ids: ReadonlyArray<SubscriptionId>) => Effect.Effect<void>
}

/** As many share a step: others wait for their locks. */
const pageSize = 20

/** Succeeds with how many the clock has ended. */
export const makeLookAtClock = ({ dispatcher, policy, refresh, store }: Ports): Effect.Effect<number, StoreError> => {
  const look = (records: ReadonlyArray<RecordId>, dryRun: boolean): Effect.Effect<LookedAt, StoreError> =>
    Effect.catchIf(
      store.lookAtClock(records, policy, { dryRun, handlers: dispatcher.handlers }),
      isOfOneRow,
      // One of them is not as it should be: it is left out, and the others are gone through.
      (error) =>
        records.length === 1
          ? Effect.as(
              Effect.annotateLogs(Effect.logError(error.message), { row: records.map(recordKey).join() }),
              nothing
            )
          : Effect.map(
              Effect.forEach(records, (record) => look([record], dryRun)),
              (all) => ({
                lapsed: all.flatMap(({ lapsed }) => lapsed),
                notified: all.reduce((sum, { notified }) => sum + notified, 0)
              })
            )
    )

  return Effect.gen(function* () {
    let lapsed = 0
    let after: DueRecord | undefined
    for (;;) {
      const due = yield* store.recordsDue({ after, limit: pageSize })
      const last = due.at(-1)
      // Where a time is none that can be read, the order may not lead on.
      if (last === undefined || (after !== undefined && !isAfter(last, after))) return lapsed
      after = last
      const expected = yield* look(due, true)
      // What is stored of a subscription's id was one.
      if (expected.lapsed.length > 0) yield* refresh(expected.lapsed.map((id) => id as SubscriptionId))
      const found = yield* look(due, false)
      lapsed += found.lapsed.length
      if (found.notified > 0) yield* dispatcher.wake
    }
  })
}

const nothing: LookedAt = { lapsed: [], notified: 0 }

const isAfter = (a: DueRecord, b: DueRecord): boolean =>
  a.clockAt === b.clockAt ? recordKey(a) > recordKey(b) : a.clockAt > b.clockAt

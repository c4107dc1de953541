/** The step that keeps what Polar's API has said of things that no event carries: what was asked for later stands. */
import type { RecordReport } from "../records/RecordReport.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { EpochMicros } from "../values/Timestamp.ts"
import * as KeyCollector from "./keys.ts"
import { rowOf } from "./recordRow.ts"
import type { Step } from "./Step.ts"
import * as WorkingCopy from "./workingCopy.ts"

export interface KeepOptions {
  readonly policy: AccessPolicy
  /** Epoch milliseconds. */
  readonly now: number
  /** When Polar was asked, by the clock of this process. */
  readonly askedAt: EpochMicros
}

export const keepAnswers = (
  reports: ReadonlyArray<RecordReport>,
  { askedAt, now, policy }: KeepOptions
): Step<undefined> => {
  const wanted = KeyCollector.make()
  for (const report of reports) wanted.record(report)
  return {
    keys: wanted.keys(),
    decide: (facts) => {
      const copy = WorkingCopy.make(facts, { policy, now })
      for (const report of reports) {
        const before = copy.record(report)
        if (before !== undefined && before.eventAt > askedAt) continue
        const owner = copy.identify(report)
        const version = { at: askedAt, precedence: report.precedence }
        copy.write(
          rowOf(copy.withoutForgotten(report, owner.userId), { owner, version, deliveryId: `api ${askedAt}`, now })
        )
      }
      return { changes: copy.changes(), answer: undefined }
    }
  }
}

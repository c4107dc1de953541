/** The step for records whose time may have come: what ended by the clock is shown, and the app is told. */
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { HandlerNames } from "../rules/handlers.ts"
import { heardBy } from "./keys.ts"
import { noChanges, noKeys, type RecordId, type Step } from "./Step.ts"
import * as WorkingCopy from "./workingCopy.ts"

export interface ClockOptions {
  readonly policy: AccessPolicy
  /** Epoch milliseconds. */
  readonly now: number
  /** Whoever is to be told. Default: who hears of subscriptions. */
  readonly handlers?: HandlerNames | undefined
  /** Answer as ever, and write nothing. Default: false. */
  readonly dryRun?: boolean | undefined
}

export interface LookedAt {
  /** Those whose time has passed. */
  readonly lapsed: ReadonlyArray<string>
  readonly notified: number
}

export const lookAtClock = (records: ReadonlyArray<RecordId>, options: ClockOptions): Step<LookedAt> => ({
  keys: { ...noKeys, ...heardBy(options.handlers), records },
  decide: (facts) => {
    const copy = WorkingCopy.make(facts, options)
    const lapsed = records.filter(copy.look).map(({ id }) => id)
    copy.tellUsers({ by: "clock" })
    return {
      changes: options.dryRun === true ? noChanges : copy.changes(),
      answer: { lapsed, notified: copy.queued() }
    }
  }
})

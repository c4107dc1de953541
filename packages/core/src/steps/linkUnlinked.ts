/** The step that gives unlinked records to their users, where these are known by now. */
import * as KeyCollector from "./keys.ts"
import type { StepOptions } from "./linkCustomer.ts"
import type { Step } from "./Step.ts"
import * as WorkingCopy from "./workingCopy.ts"

/** Answers with how many found their user. */
export const linkUnlinked = (
  unlinked: ReadonlyArray<KeyCollector.OwnershipEvidence>,
  options: StepOptions
): Step<number> => {
  const wanted = KeyCollector.make(options.handlers)
  for (const evidence of unlinked) wanted.record(evidence)
  return {
    keys: wanted.keys(),
    decide: (facts) => {
      const copy = WorkingCopy.make(facts, options)
      const waiting = unlinked.filter((evidence) => copy.record(evidence)?.userId === null)
      const found = waiting.filter((evidence) => copy.identify(evidence).userId !== null)
      copy.tellUsers({ by: "link" })
      return { changes: copy.changes(), answer: found.length }
    }
  }
}

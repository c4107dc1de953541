/** The step that gives unlinked records to their users, where these are known by now. */
import * as KeyCollector from "./keys.ts"
import type { LinkOptions } from "./linkCustomer.ts"
import type { Step } from "./Step.ts"
import * as WorkingCopy from "./workingCopy.ts"

/** Answers with how many found their user. */
export const linkUnlinked = (
  unlinked: ReadonlyArray<KeyCollector.OwnershipEvidence>,
  options: LinkOptions
): Step<number> => {
  const wanted = KeyCollector.make()
  for (const evidence of unlinked) wanted.record(evidence)
  return {
    keys: wanted.keys(),
    decide: (facts) => {
      const copy = WorkingCopy.make(facts, options)
      const waiting = unlinked.filter((evidence) => copy.record(evidence)?.userId === null)
      const found = waiting.filter((evidence) => copy.identify(evidence) !== null)
      return { changes: copy.changes(), answer: found.length }
    }
  }
}

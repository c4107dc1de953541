/** The step that links customers to the users whom their external ids name, where the app has these by now. */
import * as KeyCollector from "./keys.ts"
import type { StepOptions } from "./linkCustomer.ts"
import type { Step } from "./Step.ts"
import * as WorkingCopy from "./workingCopy.ts"

/** A customer as Polar has told of it. */
export type NamedCustomer = KeyCollector.OwnershipEvidence["customer"]

/** Answers with how many records found their user. */
export const linkNamedCustomers = (customers: ReadonlyArray<NamedCustomer>, options: StepOptions): Step<number> => {
  const wanted = KeyCollector.make(options.handlers)
  for (const { externalId, id } of customers) if (id !== null) wanted.customer(id, externalId)
  return {
    keys: wanted.keys(),
    decide: (facts) => {
      const copy = WorkingCopy.make(facts, options)
      for (const customer of customers) copy.linkByExternalId(customer)
      copy.tellUsers({ by: "link" })
      const waited = facts.records.filter(({ userId }) => userId === null)
      const found = waited.filter((fact) => copy.record(fact)?.userId !== null)
      return { changes: copy.changes(), answer: found.length }
    }
  }
}

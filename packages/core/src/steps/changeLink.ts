/**
 * The step by which an operator puts right whose a customer or a record is. What depends on it follows at once: who has the
 * records, what the app is told, and what `kavach_users` shows; and it is kept who said so.
 */
import { ownedKinds } from "../records/kinds.ts"
import { recordKey } from "../records/RecordReport.ts"
import { heardBy } from "./keys.ts"
import type { StepOptions } from "./linkCustomer.ts"
import { noChanges, noKeys, type RecordId, type Step } from "./Step.ts"
import * as WorkingCopy from "./workingCopy.ts"

export interface LinkChangeRequest {
  /** A name that no other change has. */
  readonly changeId: string
  readonly action: "link" | "move" | "unlink"
  /** A customer; of a move a record, too: their ids are none of each other's. */
  readonly id: string
  /** `null` of `unlink`. */
  readonly to: string | null
  /** Who says so. */
  readonly by: string | null
}

/**
 * - `changed`: or would be, in a dry run
 * - `same`: it was so before
 * - `unknown`: nothing of that id is known
 * - `taken`: to be linked, and linked to another
 */
export type LinkChangeState = "changed" | "same" | "unknown" | "taken"

export interface LinkChangeAnswer {
  readonly state: LinkChangeState
  /** Whose it was. */
  readonly from: string | null
  /** The records that have another user now, or none. */
  readonly records: ReadonlyArray<RecordId>
  /** How many notifications were queued. */
  readonly notified: number
}

export const changeLink = (
  { action, by, changeId, id, to }: LinkChangeRequest,
  { dryRun = false, ...options }: StepOptions & { readonly dryRun?: boolean | undefined }
): Step<LinkChangeAnswer> => {
  const named = action === "move" ? ownedKinds.map(({ name }) => ({ kind: name, id })) : []
  return {
    keys: {
      ...noKeys,
      ...heardBy(options.handlers),
      customerIds: [id],
      records: named,
      wholeCustomerIds: [id],
      wholeRecords: named,
      userIds: to === null ? [] : [to]
    },
    decide: (facts) => {
      const copy = WorkingCopy.make(facts, options)
      const record = named.map((name) => copy.record(name)).find((fact) => fact !== undefined)
      const from = record === undefined ? copy.linkedUser(id) : record.userId
      const unchanged = (state: LinkChangeState) => ({
        changes: noChanges,
        answer: { state, from, records: [], notified: 0 }
      })
      const isKnown = record !== undefined || copy.link(id) !== undefined || facts.records.some(isOf(id))
      if (action !== "link" && !isKnown) return unchanged("unknown")
      if (action === "link" && from !== null) return unchanged(from === to ? "same" : "taken")
      if (action === "unlink" && from === null) return unchanged("same")
      const before = new Map(facts.records.map((fact) => [recordKey(fact), fact.userId]))
      if (to === null) copy.unlinkCustomer(id)
      else if (action === "link") copy.linkCustomer(id, to, "operator")
      else if (record === undefined) copy.moveCustomer(id, to)
      else copy.moveRecord(record, to)
      copy.tellUsers({ by: "operator" })
      copy.recordLinkChange({
        id: changeId,
        action,
        customerId: record === undefined ? id : null,
        recordKey: record === undefined ? null : recordKey(record),
        fromUserId: from,
        toUserId: to,
        changedBy: by,
        changedAt: options.now
      })
      const records = facts.records
        .filter((fact) => copy.record(fact)?.userId !== before.get(recordKey(fact)))
        .map(({ id, kind }) => ({ kind, id }))
      return {
        changes: dryRun ? noChanges : copy.changes(),
        answer: { state: "changed", from, records, notified: copy.queued() }
      }
    }
  }
}

const isOf =
  (customerId: string) =>
  (fact: { readonly customerId: string | null }): boolean =>
    fact.customerId === customerId

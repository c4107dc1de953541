/** Whose records does a step change? For what is kept of them in memory. */
import { recordKey } from "../records/RecordReport.ts"
import { nobody } from "../records/rows.ts"
import type { Changes, Facts, RecordId } from "./Step.ts"

/** `everybody`: a record that is nobody's own has changed, and any user may have something of it, such as a benefit. */
export type ChangedUsers = ReadonlySet<string> | "everybody"

export const nobodyChanged: ChangedUsers = new Set()

/** Kinds that are nobody's own, and that a user is shown something of. */
const shared: ReadonlySet<string> = new Set(["benefit"])

/** Those of whom a record is, or was until now. */
export const changedUsers = (facts: Facts, changes: Changes): ChangedUsers => {
  const written: ReadonlyArray<RecordId> = [...changes.records, ...changes.adoptions, ...changes.clocks]
  if (written.length === 0) return changes.erased === undefined ? nobodyChanged : new Set([changes.erased.userId])
  if (written.some(({ kind }) => shared.has(kind))) return "everybody"
  const before = new Map(facts.records.map((fact) => [recordKey(fact), fact.userId]))
  const users = new Set<string>()
  const add = (userId: string | null | undefined) => {
    if (userId !== null && userId !== undefined && userId !== nobody) users.add(userId)
  }
  for (const name of written) add(before.get(recordKey(name)))
  for (const { userId } of [...changes.records, ...changes.adoptions]) add(userId)
  return users
}

/** A step that was decided twice may have been written both times. */
export const both = (one: ChangedUsers, other: ChangedUsers): ChangedUsers => {
  if (one === "everybody" || other === "everybody") return "everybody"
  if (one.size === 0) return other
  return other.size === 0 ? one : new Set([...one, ...other])
}

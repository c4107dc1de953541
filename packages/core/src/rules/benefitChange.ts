/** When does a user get a benefit, and when is it gone? With the first grant of it, and with the last. */
import type { RecordFact } from "../records/rows.ts"

export interface BenefitChange {
  readonly benefitId: string
  readonly isGranted: boolean
  /** The grant that gave it, or the one that was there last. */
  readonly grantId: string
}

/** A user's grants that are granted, the one with the smallest id of each benefit. */
export const benefitsIn = (records: Iterable<RecordFact>, userId: string): ReadonlyMap<string, string> => {
  const grants = new Map<string, string>()
  for (const { benefitId, id, kind, live, userId: owner } of records) {
    if (kind !== "benefit_grant" || !live || owner !== userId || benefitId === null) continue
    const other = grants.get(benefitId)
    if (other === undefined || id < other) grants.set(benefitId, id)
  }
  return grants
}

/** From benefit to grant, as `benefitsIn` finds them. */
export const benefitChanges = (
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>
): ReadonlyArray<BenefitChange> => [
  ...[...after].flatMap(([benefitId, grantId]) =>
    before.has(benefitId) ? [] : [{ benefitId, grantId, isGranted: true }]
  ),
  ...[...before].flatMap(([benefitId, grantId]) =>
    after.has(benefitId) ? [] : [{ benefitId, grantId, isGranted: false }]
  )
]

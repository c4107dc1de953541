/** Which benefits does a user have, and by which key are they asked for? */
import { type Benefit, type BenefitFacts, changedAtOf } from "../records/Benefit.ts"
import type { BenefitGrant, GrantFacts } from "../records/BenefitGrant.ts"

/** A benefit that a user has. */
export interface GrantedBenefit {
  readonly benefitId: string
  /** The benefit's `metadata.key`, or its id where it has none. Never its description, which is for people. */
  readonly key: string
  readonly type: string
  readonly description: string | null
  /** The merchant's own values: those of a feature flag are here. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** What this grant gives, such as `display_key` of a license key. */
  readonly properties: Readonly<Record<string, unknown>>
  readonly grantedAt: Date | null
  /** What it was bought with. */
  readonly source: { readonly subscriptionId: string } | { readonly orderId: string } | null
}

/** A grant, and its benefit as an event of the benefit's own brought it. */
export interface GrantWithBenefit {
  readonly grant: BenefitGrant
  readonly benefit: Benefit | null
}

/**
 * `is_granted` decides. A benefit comes with each grant as it was then, and by itself when the merchant changes it: the one that
 * was changed later counts, because an edit of a feature flag sends no event of its grants.
 */
export const grantedBenefits = (grants: ReadonlyArray<GrantWithBenefit>): ReadonlyArray<GrantedBenefit> =>
  grants
    .filter(({ grant }) => grant.isGranted)
    .map(grantedBenefit)
    .sort((a, b) => (a.grantedAt?.getTime() ?? 0) - (b.grantedAt?.getTime() ?? 0) || (a.key < b.key ? -1 : 1))

const newerOf = <A extends BenefitFacts>(own: A | null, sent: A | null): A | null =>
  own === null || sent === null ? (own ?? sent) : (changedAtOf(own) ?? 0) >= (changedAtOf(sent) ?? 0) ? own : sent

const keyOf = (benefit: BenefitFacts | null, benefitId: string): string => {
  const key = benefit?.metadata["key"]
  return typeof key === "string" && key !== "" ? key : benefitId
}

/** What a grant gives, or gave. */
export const grantedBenefit = ({ benefit: own, grant }: GrantWithBenefit): GrantedBenefit => {
  const benefit = newerOf(own, grant.benefit)
  return {
    benefitId: grant.benefitId,
    key: keyOf(benefit, grant.benefitId),
    type: benefit?.type ?? "unknown",
    description: benefit?.description ?? null,
    metadata: benefit?.metadata ?? {},
    properties: grant.properties,
    grantedAt: grant.grantedAt,
    source:
      grant.subscriptionId !== null
        ? { subscriptionId: grant.subscriptionId }
        : grant.orderId !== null
          ? { orderId: grant.orderId }
          : null
  }
}

/** What a benefit is asked for by. */
export type BenefitNames = Pick<GrantedBenefit, "benefitId" | "key">

/** The same of what was granted, without all that it gives. */
export const grantedNames = (
  grants: ReadonlyArray<{ readonly grant: GrantFacts; readonly benefit: BenefitFacts | null }>
): ReadonlyArray<BenefitNames> =>
  grants.flatMap(({ benefit, grant: { benefitId, isGranted, benefit: sent } }) =>
    isGranted ? [{ benefitId, key: keyOf(newerOf(benefit, sent), benefitId) }] : []
  )

/** The one that was granted first, of those that are asked for by this key or id. */
export const benefitOf = <A extends BenefitNames>(benefits: ReadonlyArray<A>, key: string): A | undefined =>
  benefits.find((benefit) => benefit.key === key || benefit.benefitId === key)

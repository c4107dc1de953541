/** What a subscription, or all that a user has, gives: decided by `rules/AccessPolicy.ts`. */

/** What a status gives: access, access for a limited time, or none. */
export type Entitlement = "granted" | "grace" | "denied"

export interface Access {
  readonly entitlement: Entitlement
  /** A sentence for a log or a support page. */
  readonly reason: string
  /** When the entitlement ends by itself, if that is known: the end of grace, or of a canceled period. */
  readonly until: Date | null
}

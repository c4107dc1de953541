/**
 * The step that erases a user from the store's own tables. What was bought stays, for accounting, without the person: under a
 * pseudonym that leads to nobody, and without what names or describes anybody. What Polar says later of the same customers is
 * kept in the same way (`WorkingCopy.withoutForgotten`).
 */
import { withoutUser } from "../records/kinds.ts"
import type { LinkRow, RecordFact } from "../records/rows.ts"
import { nobody } from "../records/rows.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import { project } from "../rules/projection.ts"
import { noChanges, noKeys, type RecordId, type Step } from "./Step.ts"

export interface ErasureRequest {
  readonly userId: string
  readonly pseudonym: string
  /** Customers that are this user's and of whom nobody else has anything. */
  readonly own: ReadonlyArray<string>
  /** Customers that are linked to this user, and of whom somebody else has something. */
  readonly shared: ReadonlyArray<string>
  /** The user's records, apart from those of `own`. */
  readonly records: ReadonlyArray<RecordId>
}

export const eraseUser = (
  { own, pseudonym, records, shared, userId }: ErasureRequest,
  { now, policy }: { readonly now: number; readonly policy: AccessPolicy }
): Step<undefined> => ({
  keys: {
    ...noKeys,
    customerIds: [...own, ...shared],
    forgottenCustomerIds: own,
    records,
    detailed: records,
    userIds: [userId]
  },
  decide: (facts) => {
    const links = new Map(facts.links.map((row) => [row.customerId, row]))
    const isTheirs = (name: RecordId) => facts.records.some((fact) => isSame(fact, name) && fact.userId === userId)
    const erasedLinks = own.map((customerId): LinkRow => {
      const deletedAt = links.get(customerId)?.deletedAt ?? null
      return { customerId, userId: pseudonym, linkedBy: "erased", linkedAt: now, deletedAt }
    })
    // What comes of it later may be anybody's, so that somebody has to say whose.
    const endedLinks = shared.flatMap((customerId): ReadonlyArray<LinkRow> => {
      const link = links.get(customerId)
      return link?.userId === userId ? [{ ...link, userId: nobody, linkedBy: "operator", linkedAt: now }] : []
    })
    const shown = project(policy, { userId, subscriptions: [], links: [], holderOf: () => undefined, now })
    return {
      changes: {
        ...noChanges,
        links: [...erasedLinks, ...endedLinks],
        bodiless: own,
        blanks: [...(facts.forgotten ?? []), ...(facts.details ?? []).filter(isTheirs)].map(withoutUser),
        projections: facts.users.some(({ id }) => id === userId) ? [{ ...shown, polarCustomerId: null }] : [],
        erased: { userId, pseudonym }
      },
      answer: undefined
    }
  }
})

const isSame = (fact: RecordFact, { id, kind }: RecordId): boolean => fact.id === id && fact.kind === kind

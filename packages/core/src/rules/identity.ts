/** Whose is a record? The rule that decides ownership, for every kind, here and nowhere else. */
import { isUserId, type UserId } from "../values/ids.ts"

/** All that can say whose a record is, the strongest first. */
export interface Evidence {
  /** The user it already belongs to. */
  readonly owner: string | null
  /** The user for whom this app made the checkout that it came from. */
  readonly checkoutUser: string | null
  /** The owner of what it hangs on: of a refund its order, of an order its subscription. */
  readonly parentOwner: string | null
  /** The user to whom its customer is linked. */
  readonly linkedUser: string | null
  /** The user that the customer's external id names. It links the customer, too. */
  readonly externalUser: UserId | null
  /** The user that its metadata names. */
  readonly metadataUser: UserId | null
}

/** What said whose a record is. */
export type OwnedBy = "checkout" | "parent" | "link" | "external_id" | "metadata"

export interface Identified {
  readonly userId: UserId
  /** `null` of a record that belonged to the user before. */
  readonly by: OwnedBy | null
}

/**
 * The first of these that speaks:
 *
 * 1. the user it already belongs to;
 * 2. the user for whom this app made the checkout that it came from: our own record, so the strongest evidence there is;
 * 3. the user to whom what it hangs on belongs;
 * 4. the user to whom the customer is linked;
 * 5. the user that the customer's external id names;
 * 6. the user that the metadata names, if the app has that user. It gives the user this record and not the customer.
 *
 * Otherwise it waits as unlinked. At a checkout Polar goes by the e-mail that the buyer types, so the customer may be
 * somebody else's: hence 2 stands before 4 (Polar docs: checkout sessions, customers).
 */
export const identify = (evidence: Evidence, userExists: (userId: string) => boolean): Identified | null => {
  const { checkoutUser, externalUser, linkedUser, metadataUser, owner, parentOwner } = evidence
  const named = metadataUser !== null && userExists(metadataUser) ? metadataUser : null
  const said: ReadonlyArray<readonly [user: string | null, by: OwnedBy | null]> = [
    [owner, null],
    [checkoutUser, "checkout"],
    [parentOwner, "parent"],
    [linkedUser, "link"],
    [externalUser, "external_id"],
    [named, "metadata"]
  ]
  for (const [user, by] of said) {
    // What is stored of a user's id was one.
    if (user !== null) return { userId: user as UserId, by }
  }
  return null
}

/** A customer's external id is the app's user id, unless it is something that no user id can be. */
export const asUserId = (externalId: string | null): UserId | null => (isUserId(externalId) ? externalId : null)

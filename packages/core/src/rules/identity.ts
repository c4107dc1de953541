/** Whose is a record? The rule that decides ownership, for every kind, here and nowhere else. */
import { isUserId, type UserId } from "../values/ids.ts"

/** All that can say whose a record is, the strongest first. */
export interface Evidence {
  /** The user it already belongs to. */
  readonly owner: string | null
  /** What said so; `null` where nobody knows any more. */
  readonly ownedBy: string | null
  /** The owner of what it hangs on, where an operator said so. */
  readonly movedParentOwner?: string | null | undefined
  /** The user for whom this app made the checkout that it came from. */
  readonly checkoutUser: string | null
  /** The owner of what it hangs on: of a refund its order, of an order its subscription. */
  readonly parentOwner: string | null
  /** Whether what it hangs on waits for its user, because another deployment made the checkout. */
  readonly isParentElsewhere?: boolean | undefined
  /** The user to whom its customer is linked. */
  readonly linkedUser: string | null
  /** The user that the customer's external id names. It links the customer, too. */
  readonly externalUser: UserId | null
  /** The user that its metadata names. */
  readonly metadataUser: UserId | null
}

/** What said whose a record is. `operator`: somebody who put it right by hand. */
export type OwnedBy = "operator" | "checkout" | "parent" | "link" | "external_id" | "metadata"

export interface Identified {
  readonly userId: UserId
  /** `null` of a record that belonged to the user before. */
  readonly by: OwnedBy | null
}

/** Whether a user whom Polar names is one of this app's: see `isOfThisApp`. */
export type Counts = (userId: string, by: "external_id" | "metadata") => boolean

/**
 * The first of these that speaks:
 *
 * 1. the user it already belongs to;
 * 2. the user for whom this app made the checkout that it came from: our own record, so the strongest evidence there is;
 * 3. the user to whom what it hangs on belongs;
 * 4. the user to whom the customer is linked;
 * 5. the user that the customer's external id names, if that is one of this app's: `isOfThisApp`;
 * 6. the user that the metadata names, if that is one of this app's. It gives the user this record and not the customer.
 *
 * What an operator moved takes along what comes later and hangs on it, whatever else speaks for that.
 * And what hangs on something that another deployment sold waits with it: of that 4 to 6 say nothing.
 *
 * Otherwise it waits as unlinked. At a checkout Polar goes by the e-mail that the buyer types, so the customer may be
 * somebody else's: hence 2 stands before 4 (Polar docs: checkout sessions, customers).
 *
 * Events come in any order, so what is stronger may come after what is weaker. The checkout, and what a record hangs on, are
 * heard later too: see `outweighs`.
 */
export const identify = (evidence: Evidence, counts: Counts): Identified | null => {
  const { checkoutUser, externalUser, linkedUser, metadataUser, owner, ownedBy, parentOwner } = evidence
  const stronger: ReadonlyArray<readonly [user: string | null, by: OwnedBy]> = [
    [checkoutUser, "checkout"],
    [parentOwner, "parent"]
  ]
  const isHeldBack = evidence.isParentElsewhere === true && (ownedBy === "parent" || isWeak(ownedBy))
  if (owner !== null && !isHeldBack) {
    const [user, by] = stronger.find(([said, by]) => said !== null && outweighs(by, ownedBy)) ?? [owner, null]
    return { userId: (user ?? owner) as UserId, by }
  }
  const weaker: ReadonlyArray<readonly [user: string | null, by: OwnedBy]> = [
    [linkedUser, "link"],
    [externalUser !== null && counts(externalUser, "external_id") ? externalUser : null, "external_id"],
    [metadataUser !== null && counts(metadataUser, "metadata") ? metadataUser : null, "metadata"]
  ]
  const said: ReadonlyArray<readonly [user: string | null, by: OwnedBy]> = [
    [evidence.movedParentOwner ?? null, "operator"],
    ...stronger,
    ...(evidence.isParentElsewhere === true ? [] : weaker)
  ]
  for (const [user, by] of said) {
    // What is stored of a user's id was one.
    if (user !== null) return { userId: user as UserId, by }
  }
  return null
}

const weak: ReadonlySet<string> = new Set<OwnedBy>(["link", "external_id", "metadata"])

export const isWeak = (ownedBy: string | null): boolean => ownedBy !== null && weak.has(ownedBy)

/**
 * Whether what is said by `by` takes the place of what a stored record was given to its user by. What an operator did stands;
 * a checkout stands before everything else; what hangs on a record follows it.
 */
export const outweighs = (by: OwnedBy, ownedBy: string | null): boolean => {
  switch (by) {
    case "operator":
      return true
    case "checkout":
      return ownedBy !== "operator" && ownedBy !== "checkout"
    case "parent":
      return ownedBy === "parent" || isWeak(ownedBy)
    default:
      return false
  }
}

/** Why nobody is known yet whose a record is, where that is known: in `RecordRow.ownedBy` of one that is unlinked. */
export type WaitsBecause =
  /** Its checkout was made by another deployment, as far as is known here. */
  | "elsewhere"
  /** The same is so of what it hangs on. It gets its user with that. */
  | "parent"

/** Whether another deployment sold it, or what it hangs on, as far as is known here. */
export const isSoldElsewhere = ({
  ownedBy,
  userId
}: {
  readonly userId: string | null
  readonly ownedBy: string | null
}): boolean => userId === null && (ownedBy === "elsewhere" || ownedBy === "parent")

/** Which ids that Polar passes on are users of this app. */
export interface AppUsers {
  /**
   * `known`: those whom the app has. `trust`: all of them, for an app whose users are nowhere that billing could look. Default:
   * `known`, unless the users' table has no row: then the app's users live elsewhere.
   */
  readonly externalIds?: "known" | "trust" | undefined
  /** Users of whom the app has just said that they exist. */
  readonly existing?: ReadonlySet<string> | undefined
}

/** What is known of a user whom Polar names. */
export interface NamedUser {
  /** Their address in the app's own table; `undefined` without a row, `null` where it says none. */
  readonly email: string | null | undefined
  /** A link, a checkout, or the app itself says that they exist. */
  readonly isKnown: boolean
  /** The address of the customer whose external id names them; `null` of metadata, which an app writes at a checkout. */
  readonly customerEmail: string | null
}

/**
 * Whether a user whom a customer's external id or a record's metadata names is one of this app's. An id alone proves little:
 * several deployments may share one organization of Polar's, and each have a user "7". So the app must have the user; and a
 * customer whose address is another than the one under which the app knows the user is not theirs by its external id alone.
 */
export const isOfThisApp = ({ customerEmail, email, isKnown }: NamedUser, trusts: boolean): boolean => {
  if (trusts) return true
  if (email === undefined) return isKnown
  return email === null || customerEmail === null || isSameAddress(email, customerEmail)
}

/** As Polar compares addresses (Polar docs: customers). */
export const isSameAddress = (a: string, b: string): boolean => a.trim().toLowerCase() === b.trim().toLowerCase()

/** A customer's external id is the app's user id, unless it is something that no user id can be. */
export const asUserId = (externalId: string | null): UserId | null => (isUserId(externalId) ? externalId : null)

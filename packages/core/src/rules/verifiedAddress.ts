/**
 * Is this the user's own address? Polar knows buyers by their address, so only one that the app knows to be verified may take
 * hold of a customer: anybody can sign up with somebody else's.
 */
import * as Option from "effect/Option"
import type { User } from "../values/ids.ts"
import { isSameAddress } from "./identity.ts"

/** What a checkout knows of its buyer. */
export interface Buyer extends User {
  /** What the caller says of the address that it gave: a session's `emailVerified`, for example. */
  readonly saidToBeVerified: boolean | undefined
}

/** The app's own judgment, in place of the columns of the users' table and of the session. */
export type EmailVerified = (user: User) => boolean

/** The address if it is the user's own; none where nobody says so. */
export const verifiedAddress = (
  buyer: Buyer,
  row: Option.Option<User>,
  judge: EmailVerified | undefined
): Option.Option<string> =>
  Option.filter(buyer.email, (email) => {
    const inTable = Option.exists(
      row,
      (user) => user.emailVerified === true && Option.exists(user.email, (known) => isSameAddress(known, email))
    )
    const emailVerified = buyer.saidToBeVerified ?? inTable
    const { id, name } = buyer
    return judge === undefined ? emailVerified : judge({ id, email: buyer.email, name, emailVerified })
  })

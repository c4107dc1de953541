/** Who is signed in, as an app's own sessions have it. */
import type { SessionUser } from "../routes/Session.ts"

/** A user of yours. An id that is a number is passed on as its text. */
export interface HostUser extends Omit<SessionUser, "id"> {
  readonly id: string | number | bigint
}

export const withTextId = ({ email, emailVerified, id, name }: HostUser): SessionUser => ({
  email,
  emailVerified,
  // What is neither, in spite of the types, is for whoever reads it to refuse.
  id: typeof id === "number" || typeof id === "bigint" ? String(id) : id,
  name
})

/** What an app calls a user, as billing keeps it. */
import { UserId } from "@kavach-polar/core/Subscription"
import * as Schema from "effect/Schema"

/** Databases count users too: a whole number is its text, whatever the types of a host say. */
export const userIdOf = (id: unknown): unknown =>
  typeof id === "bigint" || (typeof id === "number" && Number.isSafeInteger(id)) ? String(id) : id

export const isUserId = Schema.is(UserId)

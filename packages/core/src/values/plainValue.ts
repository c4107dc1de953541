/** Guards for values of which each delivery has several. What a schema allocates to look at one costs more than the look. */
import * as Schema from "effect/Schema"
import { type Metadata, UserId } from "../records/Subscription.ts"

const isAnyUserId = Schema.is(UserId)

/** What nearly every user's id is made of: nothing that the schema could refuse. */
const plainUserId = /^[\x21-\x7e]{1,255}$/

/** As the schema says. */
export const isUserId = (value: unknown): value is UserId =>
  typeof value === "string" && (plainUserId.test(value) || isAnyUserId(value))

export const isMetadataValue = (value: unknown): value is Metadata[string] =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean"

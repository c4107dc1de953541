/** The one way in which storage fails, with what an operator can do about it. */
import * as Schema from "effect/Schema"

/**
 * - `unavailable`: the database cannot be reached, or went away. Nothing was written; try again.
 * - `busy`: other writers held it too long. Nothing was written; try again.
 * - `readOnly`, `full`, `denied`: the database refuses to write.
 * - `schema`: tables are missing, or are not as expected.
 * - `constraint`: a row of somebody else's stands in the way.
 * - `unknown`: anything else.
 */
export const StoreErrorReason = Schema.Literal(
  "unavailable",
  "busy",
  "readOnly",
  "full",
  "denied",
  "schema",
  "constraint",
  "unknown"
)
export type StoreErrorReason = typeof StoreErrorReason.Type

const advice: Readonly<Record<StoreErrorReason, string>> = {
  unavailable: "Check that the database runs and that this process can reach it.",
  busy: "Another writer holds the database. If this repeats, look for a long transaction.",
  readOnly: "The database is open for reading only. Check the file's permissions or the server's role.",
  full: "The disk or the database is full. Make room; nothing that was acknowledged is lost.",
  denied: "The database user lacks a privilege, or the file cannot be opened. Check permissions.",
  schema: "The tables are not as expected. Run the migrations, and compare kavach_users with the documentation.",
  constraint: "A constraint of the database refused the row.",
  unknown: "The detail is the database's own message."
}

/**
 * Storage failed. Nothing of the step counts: when it is done again, it is done whole.
 */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  /** The operation, for example `applyDeliveries`. */
  operation: Schema.String,
  reason: StoreErrorReason,
  /** The driver's own code and message, without SQL and without values. */
  detail: Schema.String
}) {
  override get message(): string {
    return `Storage failed in ${this.operation} (${this.reason}): ${this.detail}. ${advice[this.reason]}`
  }
}

/** The customer belongs to another user already. */
export class CustomerLinkedToAnotherUser extends Schema.TaggedError<CustomerLinkedToAnotherUser>()(
  "CustomerLinkedToAnotherUser",
  { customerId: Schema.String }
) {
  override get message(): string {
    return `The Polar customer ${this.customerId} is linked to another user; a customer is never taken over.`
  }
}

/** The one way in which storage fails, with what an operator can do about it. */
import * as Schema from "effect/Schema"

/**
 * - `unavailable`: the database cannot be reached, or went away. Nothing of it counts; try again.
 * - `busy`: other writers held it too long. Nothing of it counts; try again.
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
  /**
   * The same, with where it came from, for logs: without SQL and without values. It is no field, so no answer and no JSON has
   * it.
   */
  causedBy(cause: Error | undefined): this {
    return cause === undefined ? this : Object.defineProperty(this, "cause", { value: cause, enumerable: false })
  }

  override get message(): string {
    return `Storage failed in ${this.operation} (${this.reason}): ${this.detail}. ${advice[this.reason]}`
  }
}

/**
 * Whether the cause may be one of several rows that a step is about: the others can be tried without it.
 *
 * @example
 * StoreError.isOfOneRow(storeError)
 */
export const isOfOneRow = ({ reason }: StoreError): boolean =>
  reason === "constraint" || reason === "schema" || reason === "unknown"

/** The customer belongs to another user already. */
export class CustomerLinkedToAnotherUser extends Schema.TaggedError<CustomerLinkedToAnotherUser>()(
  "CustomerLinkedToAnotherUser",
  { customerId: Schema.String }
) {
  override get message(): string {
    return `The Polar customer ${this.customerId} is linked to another user, and a link never takes it over. If it is this user's all the same, move it: \`customers.move(customerId, { to: userId })\`, or \`kavach-polar customers move\`.`
  }
}

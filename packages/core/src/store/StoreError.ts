/** The error of every storage operation, with what an operator can do about it. */
import * as Schema from "effect/Schema"

/**
 * - `unavailable`: the database cannot be reached, or the connection was lost. Retry.
 * - `busy`: another writer held a lock for too long. Retry.
 * - `readOnly`, `full`, `denied`: the database does not accept writes.
 * - `schema`: a table or a column is missing, or has another type than expected.
 * - `constraint`: the row conflicts with a row that exists.
 * - `unknown`: any other error.
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
  unavailable: "Check that the database is running and that this process can connect to it.",
  busy: "Another writer holds a lock. If this happens often, look for a long transaction.",
  readOnly: "The database is read-only. Check the permissions of the file, or the role of the server.",
  full: "The disk or the database is full. Free some space. No acknowledged webhook is lost.",
  denied: "The database user lacks a privilege, or the file cannot be opened. Check the permissions.",
  schema: "The tables are not as expected. Run the migrations, and compare kavach_users with the documentation.",
  constraint: "A constraint rejected the row. Check the constraints and triggers that you have added to the table.",
  unknown: "The message is the database's own."
}

/**
 * A storage operation failed. Each operation is one transaction, which is applied completely or not at all. If the connection
 * was lost during the commit, it may have been applied. Every operation can be retried safely.
 */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  /** The operation, for example `applyDeliveries`. */
  operation: Schema.String,
  reason: StoreErrorReason,
  /** The driver's own code and message, without SQL and without values. */
  detail: Schema.String
}) {
  /**
   * The same error with its cause, for logs. The cause contains no SQL and no values. It is not a field, so it is never part of
   * an answer or of JSON.
   */
  causedBy(cause: Error | undefined): this {
    return cause === undefined ? this : Object.defineProperty(this, "cause", { value: cause, enumerable: false })
  }

  override get message(): string {
    return `Storage failed in ${this.operation} (${this.reason}): ${this.detail}. ${advice[this.reason]}`
  }
}

/**
 * Whether a single row may have caused the error. The other rows of the step can then be retried without it.
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

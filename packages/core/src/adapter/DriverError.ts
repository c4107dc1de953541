/** How a driver itself says what is wrong, before a `StoreError` is made of it. */
import type { StoreErrorReason } from "../store/StoreError.ts"

/** Thrown by an adapter where no error of the database says it: a table that does not fit, a migration unknown. */
export class DriverError extends Error {
  override readonly name = "DriverError"
  readonly reason: StoreErrorReason
  constructor(reason: StoreErrorReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/** The error at the bottom of a chain of causes. drizzle puts SQL and parameters into its own, which wrap the driver's. */
export const innermostCause = (error: unknown): unknown => {
  let current = error
  for (let depth = 0; depth < 10; depth++) {
    if (!(current instanceof Error) || current.cause === undefined) return current
    current = current.cause
  }
  return current
}

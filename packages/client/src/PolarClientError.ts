/** The one error that calls reject with. */

/** What went wrong, for programs. An answer that says its own `code` has that. */
export type PolarClientErrorCode =
  | "aborted"
  | "network"
  | "invalid_response"
  | "invalid_request"
  | "not_signed_in"
  | "payment_failed"
  | "forbidden"
  | "not_found"
  | "conflict"
  | "rate_limited"
  | "unavailable"

export interface PolarClientErrorFields {
  readonly code: PolarClientErrorCode | (string & {})
  readonly message: string
  readonly status?: number | null
  readonly retryAfterSeconds?: number | null
  readonly details?: { readonly [name: string]: unknown }
  readonly cause?: unknown
}

/**
 * @example
 * const failed = await polarClient.subscription.cancel().catch((error: unknown) => error)
 * if (failed instanceof PolarClientError && failed.code === "not_signed_in") console.log("Sign in first")
 */
export class PolarClientError extends Error {
  override readonly name = "PolarClientError"
  readonly code: PolarClientErrorCode | (string & {})
  /** The answer's HTTP status; `null` where there was none. */
  readonly status: number | null
  /** When to try again, where the answer says so and the browser shows it. */
  readonly retryAfterSeconds: number | null
  /** What the answer says besides its sentence, which is `message`. */
  readonly details: { readonly [name: string]: unknown }

  constructor({ cause, code, details = {}, message, retryAfterSeconds = null, status = null }: PolarClientErrorFields) {
    super(message, { cause })
    this.code = code
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
    this.details = details
  }
}

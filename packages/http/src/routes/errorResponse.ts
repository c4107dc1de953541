/**
 * The edge: the one place where errors become answers. A sentence for the caller, nothing of the inside, and in the log
 * what an operator needs.
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { NotAnEvent } from "@kavach-polar/core/Billing"
import type { PolarError, PolarIssue } from "@kavach-polar/core/PolarError"
import type { CustomerLinkedToAnotherUser, StoreError } from "@kavach-polar/core/StoreError"
import type { WebhookVerificationError } from "@kavach-polar/core/WebhookVerifier"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { BodyTooLarge, BodyUnreadable } from "../node/requestBody.ts"
import type { InvalidRedirectUrl } from "./redirectUrl.ts"
import type { SessionUnavailable } from "./Session.ts"

/** Nobody is signed in. */
export class NotSignedIn extends Schema.TaggedError<NotSignedIn>()("NotSignedIn", {}) {
  override get message(): string {
    return "Authentication required"
  }
}

/** The body is not what the route documents; the sentence names the field. */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()("InvalidRequest", {
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/** Everything that a route can fail with. */
export type RouteError =
  | PolarError
  | StoreError
  | CustomerLinkedToAnotherUser
  | WebhookVerificationError
  | NotAnEvent
  | InvalidRedirectUrl
  | BodyTooLarge
  | BodyUnreadable
  | SessionUnavailable
  | NotSignedIn
  | InvalidRequest

/** An answer that is not a success. `retryAfter` is in seconds. */
export interface ErrorResponse {
  readonly status: number
  readonly error: string
  readonly retryAfter?: number
}

const storageRetrySeconds = 5
const defaultRetrySeconds = 60

const couldNotProcess = "The payment provider could not process the request"

// The header holds whole seconds only.
const retryAfter = (seconds: number | null) => (seconds === null ? {} : { retryAfter: Math.max(1, Math.ceil(seconds)) })

/** What the caller is told. */
export const errorResponseOf = (error: RouteError): ErrorResponse => {
  switch (error._tag) {
    case "InvalidRequest":
    case "InvalidRedirectUrl":
    case "BodyUnreadable":
    case "NotAnEvent":
    case "MissingHeader":
    case "MalformedHeader":
      return { status: 400, error: error.message }
    case "NotSignedIn":
      return { status: 401, error: error.message }
    case "DeliveryTooOld":
    case "DeliveryTooNew":
    case "SignatureMismatch":
      return { status: 403, error: error.message }
    case "CustomerLinkedToAnotherUser":
      return { status: 409, error: "The customer is linked to another user" }
    case "BodyTooLarge":
      return { status: 413, error: error.message }
    case "PolarRejected":
      return rejectedByPolar(error.issues)
    case "PolarRateLimited":
      return {
        status: 429,
        error: "Rate limit exceeded",
        ...retryAfter(error.retryAfterSeconds ?? defaultRetrySeconds)
      }
    case "StoreError":
    case "SessionUnavailable":
      return { status: 503, error: "Billing is temporarily unavailable", retryAfter: storageRetrySeconds }
    case "PolarNotConfigured":
      return { status: 503, error: "Payments are not configured on this server", retryAfter: defaultRetrySeconds }
    case "PolarTimeout":
      return { status: 504, error: "The payment provider did not answer in time" }
    case "PolarUnavailable":
      return { status: 502, error: couldNotProcess, ...retryAfter(error.retryAfterSeconds) }
    case "PolarUnauthorized":
    case "PolarForbidden":
    case "PolarNotFound":
    case "PolarConflict":
    case "PolarUnexpectedAnswer":
      return { status: 502, error: couldNotProcess }
  }
}

/** Polar's names of the fields that a caller of ours sends, and ours. */
const ownFields: Readonly<Record<string, string>> = { products: "productId", success_url: "successUrl" }

/** What Polar says of the caller's own fields is for the caller; the rest is between this server and Polar. */
const rejectedByPolar = (issues: ReadonlyArray<PolarIssue>): ErrorResponse => {
  const own = issues.flatMap(({ message, path }) => {
    const field = path.map((part) => ownFields[part]).find((name) => name !== undefined)
    return field === undefined ? [] : [`Invalid ${field}: ${message}`]
  })
  const [first] = own
  return first === undefined
    ? { status: 502, error: "The payment provider refused the request" }
    : { status: 400, error: first }
}

export const respondWith = ({ error, retryAfter, status }: ErrorResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(
    { error },
    { status, ...(retryAfter === undefined ? {} : { headers: { "retry-after": String(retryAfter) } }) }
  )

/** Turns every failure, a defect included, into an answer. */
export const orErrorResponse = <R>(
  route: Effect.Effect<HttpServerResponse.HttpServerResponse, RouteError, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> =>
  Effect.catchAllCause(route, (cause) =>
    Either.match(Cause.failureOrCause(cause), {
      onLeft: (error) => {
        const response = errorResponseOf(error)
        return Effect.as(log(error, response), respondWith(response))
      },
      onRight: (defect) =>
        Cause.isInterruptedOnly(defect)
          ? Effect.succeed(respondWith({ status: 503, error: "The server is shutting down", retryAfter: 5 }))
          : Effect.as(
              Effect.logError("A billing route failed unexpectedly.", defect),
              respondWith({ status: 500, error: "Internal error" })
            )
    })
  )

const log = (error: RouteError, { status }: ErrorResponse): Effect.Effect<void> => {
  const entry = `${error._tag}: ${error.message}`
  if (status >= 500) return Effect.logError(entry)
  return status === 403 || status === 429 ? Effect.logWarning(entry) : Effect.logDebug(entry)
}

/**
 * The edge: the one place where errors become answers. A sentence for the caller, nothing of the inside, and in the log
 * what an operator needs.
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type {
  CheckoutError,
  CompleteError,
  NotAnEvent,
  PortalError,
  SubscriptionChangeRefused,
  SubscriptionError
} from "@kavach-polar/core/Billing"
import { causeLine, oneLine } from "@kavach-polar/core/logText"
import type { PolarError, PolarIssue } from "@kavach-polar/core/PolarError"
import type { CustomerLinkedToAnotherUser, StoreError } from "@kavach-polar/core/StoreError"
import type { UserLookupFailed } from "@kavach-polar/core/UserLookupFailed"
import type { WebhookVerificationError } from "@kavach-polar/core/WebhookVerifier"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import type { BodyError } from "../node/collectBody.ts"
import type { AuthorizationFailed } from "./authorize.ts"
import type { ForeignPage, NotJson } from "./callingPage.ts"
import type { InvalidRedirectUrl } from "./redirectUrl.ts"
import type { RefusalLog } from "./refusalLog.ts"
import type { SessionUnavailable, UnusableUserId } from "./Session.ts"
import type { TooOften } from "./userRate.ts"

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

/** A browser asks for a product that the app does not sell. What the app sells is for the log only. */
export class ProductNotOffered extends Schema.TaggedError<ProductNotOffered>()("ProductNotOffered", {
  asked: Schema.String
}) {
  override get message(): string {
    return `A page asked for ${this.asked}, which is not among \`products\`. If you sell it, name it there.`
  }
}

/** The app's own `authorize` said no. */
export class NotAllowed extends Schema.TaggedError<NotAllowed>()("NotAllowed", { action: Schema.String }) {
  override get message(): string {
    return `The app's authorize() did not allow "${this.action}".`
  }
}

/** Everything that a route can fail with. */
export type RouteError =
  | PolarError
  | CheckoutError
  | CompleteError
  | PortalError
  | SubscriptionError
  | AuthorizationFailed
  | NotAllowed
  | TooOften
  | StoreError
  | CustomerLinkedToAnotherUser
  | UserLookupFailed
  | WebhookVerificationError
  | NotAnEvent
  | InvalidRedirectUrl
  | BodyError
  | SessionUnavailable
  | UnusableUserId
  | ForeignPage
  | NotJson
  | NotSignedIn
  | ProductNotOffered
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
    case "ProductNotOffered":
      return { status: 400, error: "Invalid productId: there is no such product" }
    case "NotSignedIn":
    case "UnusableUserId":
      return { status: 401, error: error.message }
    case "ForeignPage":
    case "DeliveryTooOld":
    case "DeliveryTooNew":
    case "SignatureMismatch":
      return { status: 403, error: error.message }
    case "CustomerLinkedToAnotherUser":
      return { status: 409, error: "The customer is linked to another user" }
    case "AlreadySubscribed":
      return { status: 409, error: "You have a subscription already" }
    case "NotAllowed":
      return { status: 403, error: "Not allowed" }
    case "NoSubscription":
    case "SubscriptionNotFound":
      return { status: 404, error: "There is no such subscription" }
    case "SeveralSubscriptions":
      return { status: 409, error: "You have several subscriptions: say which one with subscriptionId" }
    case "SubscriptionChangeRefused":
      return { status: 409, error: refusedChange[error.reason] }
    case "SubscriptionLocked":
      return { status: 409, error: "Your subscription is being renewed", ...retryAfter(error.retryAfterSeconds) }
    case "SubscriptionPaymentFailed":
      return { status: 402, error: "The payment failed, and nothing was changed" }
    case "CheckoutNotFound":
      return { status: 404, error: "There is no such checkout" }
    case "NoCustomer":
      return { status: 404, error: "You have bought nothing yet" }
    case "CustomerShared":
    case "MemberNeeded":
      return { status: 409, error: "What you have is managed with somebody else: ask the support" }
    case "BodyTooSlow":
      return { status: 408, error: error.message }
    case "BodyTooLarge":
      return { status: 413, error: error.message }
    case "ProductNotForSale":
      return { status: 400, error: `Invalid productId: ${error.reason}` }
    case "DiscountNotApplicable":
      return { status: 400, error: "Invalid discountCode: it does not apply to this checkout" }
    case "NotJson":
      return { status: 415, error: error.message }
    case "PolarRejected":
      return rejectedByPolar(error.issues)
    case "PolarRateLimited":
      return {
        status: 429,
        error: "Rate limit exceeded",
        ...retryAfter(error.retryAfterSeconds ?? defaultRetrySeconds)
      }
    case "TooOften":
      return { status: 429, error: "Too many requests", ...retryAfter(error.retryAfterSeconds) }
    case "TooManyBodies":
      return { status: 503, error: "Too many requests at once", retryAfter: storageRetrySeconds }
    case "TooManySessions":
      return { status: 429, error: `Too many ${error.what}`, ...retryAfter(error.retryAfterSeconds) }
    case "UserLookupFailed":
    case "StoreError":
    case "SessionUnavailable":
    case "AuthorizationFailed":
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

/** For the buyer. */
const refusedChange: Readonly<Record<SubscriptionChangeRefused["reason"], string>> = {
  ended: "Your subscription has ended",
  "scheduled to end": "Your subscription is scheduled to end: undo that first",
  "cannot be paused": "Your subscription cannot be paused",
  "not active": "Your subscription is not active",
  "payment method missing": "There is no payment method: add one in the portal",
  "seats assigned": "More seats are in use than would be left: take them back first",
  "quantity out of range": "It is not sold in that quantity",
  "not sold by seats": "It is not sold by seats",
  "not sold by units": "It is not sold by units",
  "product not possible": "Your subscription cannot be changed to that product",
  "proration not allowed": "The change cannot be charged like that",
  "discount not applicable": "The discount does not apply",
  "time not possible": "The time must be in the future, and after the current period"
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
  route: Effect.Effect<HttpServerResponse.HttpServerResponse, RouteError, R>,
  logRefusal: RefusalLog = ({ entry, level }) => Effect.logWithLevel(level, entry)
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> =>
  Effect.catchAllCause(route, (cause) =>
    Either.match(Cause.failureOrCause(cause), {
      onLeft: (error) => {
        const response = errorResponseOf(error)
        return Effect.as(log(error, response, logRefusal), respondWith(response))
      },
      onRight: (defect) =>
        Cause.isInterruptedOnly(defect)
          ? Effect.succeed(respondWith({ status: 503, error: "The server is shutting down", retryAfter: 5 }))
          : Effect.as(
              Effect.logError("A billing route failed unexpectedly.", causeLine(defect)),
              respondWith({ status: 500, error: "Internal error" })
            )
    })
  )

const causeOf = ({ cause }: UserLookupFailed | AuthorizationFailed | SessionUnavailable): Cause.Cause<unknown> =>
  Cause.isCause(cause) ? cause : Cause.fail(cause)

const log = (error: RouteError, { status }: ErrorResponse, logRefusal: RefusalLog): Effect.Effect<void> => {
  const entry = `${error._tag}: ${oneLine(error.message)}`
  // What strangers can bring about is counted; what only our own side can is said each time.
  if (error._tag === "TooManyBodies") return logRefusal({ kind: error._tag, entry, level: LogLevel.Warning })
  // Its cause is whatever the app's own code threw: for the log, and never for the answer.
  if (error._tag === "UserLookupFailed" || error._tag === "AuthorizationFailed" || error._tag === "SessionUnavailable")
    return Effect.logError(entry, causeLine(causeOf(error)))
  if (status >= 500) return Effect.logError(entry)
  if (error._tag === "UnusableUserId") return logRefusal({ kind: error._tag, entry, level: LogLevel.Error })
  const level =
    error._tag === "ProductNotOffered" || status === 403 || status === 429 ? LogLevel.Warning : LogLevel.Debug
  return logRefusal({ kind: error._tag, entry, level })
}

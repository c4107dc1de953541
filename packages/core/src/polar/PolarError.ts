/**
 * How a call to Polar fails: one class for each thing that a caller can react to.
 *
 * `message` is a sentence for an operator: what was wrong, in which operation, and what to do. No error carries the
 * access token, a request or a whole answer. Source of the error bodies: Polar docs, api-reference/introduction.
 */
import * as Schema from "effect/Schema"

/** What is wrong with one field: `{ path: ["products", 0], message: "Product is archived." }`. */
export const PolarIssue = Schema.Struct({
  path: Schema.Array(Schema.Union(Schema.String, Schema.Number)),
  message: Schema.String
})
export type PolarIssue = typeof PolarIssue.Type

/**
 * Polar's words, with an end.
 *
 * @example
 * PolarError.sentence("out of order")
 */
export const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)

const answered = (status: number, code: string | null): string => (code === null ? `${status}` : `${status} ${code}`)

const uncertain = (mayHaveActed: boolean): string =>
  mayHaveActed ? " Polar may have done it all the same: look before you repeat it." : ""

const renderIssue = ({ message, path }: PolarIssue): string =>
  path.length === 0 ? message : `${path.join(".")}: ${message}`

/** Polar refused the call for what it asks (422, 400, 402, 403, …), or it was refused here before it was sent. */
export class PolarRejected extends Schema.TaggedError<PolarRejected>()("PolarRejected", {
  /** The operation, such as `create checkout`. */
  operation: Schema.String,
  /** Polar's HTTP status; `null` when the call was not sent. */
  status: Schema.NullOr(Schema.Number),
  /** Polar's name for the error: `PolarRequestValidationError` when a business rule, not the shape, was broken. */
  code: Schema.NullOr(Schema.String),
  /** Polar's explanation, when it is about the whole call. */
  detail: Schema.NullOr(Schema.String),
  /** What is wrong with single fields, under Polar's names for them. */
  issues: Schema.Array(PolarIssue)
}) {
  override get message(): string {
    const why = sentence(
      this.issues.length > 0 ? this.issues.map(renderIssue).join("; ") : (this.detail ?? "Polar gave no reason")
    )
    return this.status === null
      ? `"${this.operation}" was not sent to Polar: ${why} Correct what is asked.`
      : `Polar refused "${this.operation}" (${answered(this.status, this.code)}): ${why} Correct what is asked: the same call will be refused again.`
  }
}

/**
 * The access token is not accepted (401). `otherEnvironment` is true when Polar's other environment has been asked and
 * knows the token; false means that nothing is known about it.
 */
export class PolarUnauthorized extends Schema.TaggedError<PolarUnauthorized>()("PolarUnauthorized", {
  operation: Schema.String,
  /** `production`, `sandbox`, or the origin that `apiBaseUrl` names. */
  environment: Schema.String,
  /** `invalid_token`: wrong, expired or revoked. `Unauthorized`: a token of a kind that may not do this. */
  code: Schema.NullOr(Schema.String),
  otherEnvironment: Schema.Boolean
}) {
  override get message(): string {
    const where = `("${this.operation}", ${answered(401, this.code)}, sent to ${this.environment})`
    if (this.otherEnvironment) {
      const right = this.environment === "sandbox" ? "production" : "sandbox"
      return `Polar's ${this.environment} environment does not know the access token, but its ${right} environment does ${where}. Tokens of production and of the sandbox are separate: set \`sandbox: ${right === "sandbox"}\`, or configure a token from ${this.environment === "sandbox" ? "sandbox.polar.sh" : "polar.sh"}.`
    }
    const kind =
      this.code === "Unauthorized"
        ? "Configure an organization access token (polar_oat_…): tokens of other kinds are not enough."
        : "It is wrong, expired or revoked: make a new one in the organization's settings at Polar."
    return `Polar does not accept the access token ${where}. Tokens of production and of the sandbox are separate: one from polar.sh needs \`sandbox: false\`, one from sandbox.polar.sh needs \`sandbox: true\`. ${kind}`
  }
}

/** The access token is good, but may not do this (403 `insufficient_scope` or `NotPermitted`). */
export class PolarForbidden extends Schema.TaggedError<PolarForbidden>()("PolarForbidden", {
  operation: Schema.String,
  code: Schema.String,
  /** Any one of these is enough; empty when Polar names none. */
  requiredScopes: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const start = `The access token may not "${this.operation}" (${answered(403, this.code)}).`
    if (this.requiredScopes.length > 0) {
      return `${start} It lacks the scope ${this.requiredScopes.join(" or ")}: make a token that has it in the organization's settings at Polar.`
    }
    return this.code === "insufficient_scope"
      ? `${start} It lacks a scope: compare its scopes with those that the documentation asks for.`
      : `${start} Look at the state of the organization in Polar's dashboard: it may be under review or suspended.`
  }
}

/** Polar has no such object (404 `ResourceNotFound`). */
export class PolarNotFound extends Schema.TaggedError<PolarNotFound>()("PolarNotFound", {
  operation: Schema.String,
  code: Schema.String
}) {
  override get message(): string {
    return `Polar does not have the object of "${this.operation}" (${answered(404, this.code)}). It was deleted, or it belongs to another organization or environment than the access token.`
  }
}

/** The object is busy or no longer in a state that allows this (409, 410). */
export class PolarConflict extends Schema.TaggedError<PolarConflict>()("PolarConflict", {
  operation: Schema.String,
  status: Schema.Literal(409, 410),
  code: Schema.NullOr(Schema.String),
  detail: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    return `Polar cannot "${this.operation}" as things stand (${answered(this.status, this.code)}): ${sentence(this.detail ?? "Polar gave no reason")} Read the object again before you decide what to do.`
  }
}

/**
 * Too many calls. `polar`: Polar said so (429). `client`: the call was not sent, because this client's own
 * `requestsPerMinute` are used up for longer than a call may wait.
 */
export class PolarRateLimited extends Schema.TaggedError<PolarRateLimited>()("PolarRateLimited", {
  operation: Schema.String,
  limitedBy: Schema.Literal("polar", "client"),
  /** `null` when Polar does not say. */
  retryAfterSeconds: Schema.NullOr(Schema.Number)
}) {
  override get message(): string {
    const when = this.retryAfterSeconds === null ? "Try again later." : `Try again in ${this.retryAfterSeconds} s.`
    return this.limitedBy === "polar"
      ? `Polar's rate limit stopped "${this.operation}" (429). ${when} All tokens of an organization share 500 requests a minute, 100 in the sandbox: lower \`requestsPerMinute\`.`
      : `"${this.operation}" was not sent to Polar: this client's limit of requests a minute is used up. ${when} If Polar allows the organization more, raise \`requestsPerMinute\`.`
  }
}

/** Polar could not be reached, was out of order (5xx), or something in between answered in its place. */
export class PolarUnavailable extends Schema.TaggedError<PolarUnavailable>()("PolarUnavailable", {
  operation: Schema.String,
  /** The HTTP status, if there was one. */
  status: Schema.NullOr(Schema.Number),
  reason: Schema.String,
  retryAfterSeconds: Schema.NullOr(Schema.Number),
  /** Whether Polar may have done what was asked although no answer says so. */
  mayHaveActed: Schema.Boolean
}) {
  override get message(): string {
    return `Polar is not available for "${this.operation}": ${sentence(this.reason)} Try again later; see status.polar.sh, and check the proxy and the network of this server.${uncertain(this.mayHaveActed)}`
  }
}

/** No complete answer came within the time for one attempt. */
export class PolarTimeout extends Schema.TaggedError<PolarTimeout>()("PolarTimeout", {
  operation: Schema.String,
  seconds: Schema.Number,
  /** Whether Polar may have done what was asked although no answer came. */
  mayHaveActed: Schema.Boolean
}) {
  override get message(): string {
    return `Polar did not answer "${this.operation}" within ${this.seconds} s. Try again later, or allow it more time.${uncertain(this.mayHaveActed)}`
  }
}

/** The answer is not what Polar's API gives: a body that cannot be read, a redirect, a 404 that is about no object. */
export class PolarUnexpectedAnswer extends Schema.TaggedError<PolarUnexpectedAnswer>()("PolarUnexpectedAnswer", {
  operation: Schema.String,
  status: Schema.Number,
  detail: Schema.String
}) {
  override get message(): string {
    return `Polar's answer to "${this.operation}" (${this.status}) is not understood: ${sentence(this.detail)}`
  }
}

/** No call can be made: there is no usable access token or address. */
export class PolarNotConfigured extends Schema.TaggedError<PolarNotConfigured>()("PolarNotConfigured", {
  operation: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Polar cannot be asked to "${this.operation}": ${sentence(this.reason)} Configure an organization access token (polar_oat_…), which the organization's settings at Polar make.`
  }
}

/** Every way in which a call to Polar fails. */
export type PolarError =
  | PolarRejected
  | PolarUnauthorized
  | PolarForbidden
  | PolarNotFound
  | PolarConflict
  | PolarRateLimited
  | PolarUnavailable
  | PolarTimeout
  | PolarUnexpectedAnswer
  | PolarNotConfigured

/** The user's e-mail address belongs to a Polar customer that is not this user's; a customer is never taken over. */
export class CustomerEmailTaken extends Schema.TaggedError<CustomerEmailTaken>()("CustomerEmailTaken", {
  /** The user whose customer could not be made. */
  externalId: Schema.String
}) {
  override get message(): string {
    return `Polar has another customer with the e-mail address of user ${this.externalId}, and an organization's customers cannot share one. If both are the same person, set that customer's external id to ${this.externalId} in Polar; otherwise one of them needs another address.`
  }
}

/** What an answer of Polar's that is no success means: the error, and whether trying again can help. */
import * as Data from "effect/Data"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import {
  PolarConflict,
  type PolarError,
  PolarForbidden,
  type PolarIssue,
  PolarNotFound,
  PolarRateLimited,
  PolarRejected,
  PolarUnauthorized,
  PolarUnavailable,
  PolarUnexpectedAnswer
} from "./PolarError.ts"
import type { Answer } from "./responseReader.ts"

/** A failed attempt. */
export class Failure extends Data.TaggedError("Failure")<{
  readonly error: PolarError
  /** Whether another attempt may go better. Whether one is allowed is another question: only if the call is safe. */
  readonly transient: boolean
  /** How long Polar wants to be left alone. */
  readonly retryAfterSeconds: number | null
}> {
  override get message(): string {
    return this.error.message
  }
}

export interface Asked {
  readonly operation: string
  readonly environment: string
  /** False for a call that changes nothing. */
  readonly acts: boolean
  /** Hides secrets in a text that comes from outside. */
  readonly scrub: (text: string) => string
}

/** The failure in an answer whose status is not 2xx. `now` is in epoch milliseconds. */
export const refusal = (asked: Asked, answer: Answer, now: number): Failure => {
  const { operation } = asked
  const { status } = answer
  const retryAfterSeconds = retryAfter(answer.headers["retry-after"], now)
  const passing = (error: PolarError) => new Failure({ error, transient: true, retryAfterSeconds })
  const final = (error: PolarError) => new Failure({ error, transient: false, retryAfterSeconds })

  // Polar's limiter is a third party's, and its body is nobody's promise.
  if (status === 429) {
    return passing(new PolarRateLimited({ operation, limitedBy: "polar", retryAfterSeconds }))
  }
  if (status >= 500) {
    const reason = `it answered ${status}`
    return passing(new PolarUnavailable({ operation, status, reason, retryAfterSeconds, mayHaveActed: asked.acts }))
  }
  if (status < 400) {
    return final(
      new PolarUnexpectedAnswer({
        operation,
        status,
        detail: "it redirects elsewhere, which Polar's API does not; check `apiBaseUrl`"
      })
    )
  }
  const body = Option.filter(answer.json, Predicate.isRecord)
  if (Option.isNone(body)) {
    const reason = `the answer ${status} is not JSON, so something between this server and Polar gave it`
    return final(new PolarUnavailable({ operation, status, reason, retryAfterSeconds, mayHaveActed: false }))
  }

  const { detail, error, error_description } = body.value
  const code = Predicate.isString(error) ? clean(asked, error) : null
  const text = Predicate.isString(detail) ? detail : Predicate.isString(error_description) ? error_description : null
  const explanation = text === null ? null : clean(asked, text)

  switch (status) {
    case 401:
      return final(new PolarUnauthorized({ operation, environment: asked.environment, code, otherEnvironment: false }))
    case 403:
      if (code === "insufficient_scope" || code === "NotPermitted") {
        return final(
          new PolarForbidden({ operation, code, requiredScopes: scopes(answer.headers["www-authenticate"]) })
        )
      }
      break
    case 404:
      // Polar names the error when an object is missing. Without a name it is the address that does not exist, which
      // must not read as "this user has no customer".
      return final(
        code === null
          ? new PolarUnexpectedAnswer({
              operation,
              status,
              detail: "the address does not exist there; check `apiBaseUrl` and `apiVersion`"
            })
          : new PolarNotFound({ operation, code })
      )
    case 409:
    case 410:
      return final(new PolarConflict({ operation, status, code, detail: explanation }))
  }
  return final(new PolarRejected({ operation, status, code, detail: explanation, issues: issues(asked, detail) }))
}

const issueLimit = 20
const textLimit = 300

const places: ReadonlySet<unknown> = new Set(["body", "query", "path", "header"])

const issues = (asked: Asked, detail: unknown): ReadonlyArray<PolarIssue> =>
  Array.isArray(detail) ? detail.filter(Predicate.isRecord).slice(0, issueLimit).map(issue(asked)) : []

const issue =
  (asked: Asked) =>
  (detail: { readonly [key: PropertyKey]: unknown }): PolarIssue => {
    const loc = Array.isArray(detail["loc"]) ? detail["loc"] : []
    const path = (places.has(loc[0]) ? loc.slice(1) : loc).filter(
      (key): key is string | number => typeof key === "string" || typeof key === "number"
    )
    return {
      path: path.map((key) => (typeof key === "string" ? clean(asked, key) : key)),
      message: Predicate.isString(detail["msg"]) ? clean(asked, detail["msg"]) : "is not accepted"
    }
  }

// Text from outside goes to logs: one line, of bounded length, without secrets.
const clean = (asked: Asked, text: string): string => {
  const line = asked.scrub(text).replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
  return line.length > textLimit ? `${line.slice(0, textLimit)}…` : line
}

const scopes = (challenge: string | undefined): ReadonlyArray<string> =>
  (/\bscope="([^"]*)"/.exec(challenge ?? "")?.[1] ?? "").split(" ").filter((scope) => /^[\w:.-]{1,64}$/.test(scope))

// RFC 9110, 10.2.3: seconds, or a date.
const retryAfter = (value: string | undefined, now: number): number | null => {
  if (value === undefined) return null
  if (/^\d+$/.test(value)) return Number(value)
  const date = /GMT$/.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - now) / 1000))
}

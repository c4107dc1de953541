/** What came of a request to Polar, as a label of metrics. */

/**
 * - `ok`
 * - `not_found`: 404, which is an answer like another where it was asked whether there is one
 * - `unauthorized`: 401, so the token is wrong
 * - `forbidden`: 403, so the token lacks a scope
 * - `rate_limited`: 429
 * - `rejected`: any other refusal, such as of what a buyer has asked for
 * - `failed`: 5xx, or what is no answer of Polar's
 * - `unreachable`: no answer, or half of one
 * - `timeout`: none in time
 * - `not_sent`: this client's own limit would have been passed
 */
export type ApiOutcome =
  | "ok"
  | "not_found"
  | "unauthorized"
  | "forbidden"
  | "rate_limited"
  | "rejected"
  | "failed"
  | "unreachable"
  | "timeout"
  | "not_sent"

export const outcomeOf = (status: number): ApiOutcome => {
  if (status >= 200 && status <= 299) return "ok"
  if (status === 404) return "not_found"
  if (status === 401) return "unauthorized"
  if (status === 403) return "forbidden"
  if (status === 429) return "rate_limited"
  return status >= 400 && status <= 499 ? "rejected" : "failed"
}

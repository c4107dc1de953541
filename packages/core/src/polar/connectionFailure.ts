/** What is known of a request whose answer never came, or broke off. */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as Predicate from "effect/Predicate"

// With these the request never left: there was nobody to send it to.
const neverConnected: ReadonlySet<string | null> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT"
])

/** `connected` is false only when the request surely did not reach anybody. */
export const describeLoss = (
  error: HttpClientError.HttpClientError
): { readonly connected: boolean; readonly reason: string } => {
  const code = codeOf(error.cause, 0)
  const what = error._tag === "ResponseError" ? "the answer broke off" : "there is no connection"
  return { connected: !neverConnected.has(code), reason: code === null ? what : `${what}, ${code}` }
}

// Of a foreign error nothing but its code is passed on: its message may quote the request's headers, token and all.
const codeOf = (error: unknown, depth: number): string | null => {
  if (!Predicate.isRecord(error) || depth > 4) return null
  const { cause, code } = error
  return typeof code === "string" && /^[A-Z0-9_]{1,64}$/.test(code) ? code : codeOf(cause, depth + 1)
}

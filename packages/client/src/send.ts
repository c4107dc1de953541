/** One request, and its answer or the error that it comes to. */
import { browserHere } from "./browser.ts"
import type { PolarClientOptions } from "./client.ts"
import { PolarClientError, type PolarClientErrorCode } from "./PolarClientError.ts"
import type { CallOptions } from "./requests.ts"

export const makeSend = ({ baseUrl = "", fetch: send, headers }: PolarClientOptions) => {
  const prefix = `${baseUrl.replace(/\/+$/, "")}/auth/polar`

  const call = async <Answer>(path: string, init: RequestInit, signal: AbortSignal | undefined): Promise<Answer> => {
    const own = typeof headers === "function" ? await headers() : headers
    let response: Response
    let text: string
    try {
      signal?.throwIfAborted()
      // Only a browser has cookies of its own, and some workers refuse to be told what to do with them.
      const credentials = browserHere() && ({ credentials: "include" } as const)
      response = await (send ?? fetch)(prefix + path, {
        ...init,
        ...credentials,
        ...(signal && { signal }),
        headers: { accept: "application/json", ...own, ...init.headers } as Record<string, string>
      })
      text = await response.text()
    } catch (cause) {
      throw signal?.aborted
        ? new PolarClientError({ code: "aborted", message: "Aborted", cause })
        : new PolarClientError({ code: "network", message: "The server could not be reached", cause })
    }
    const { ok, status } = response
    const answer = objectIn(text)
    if (ok && answer !== undefined) return answer as Answer
    const { error, code, ...details } = answer ?? {}
    const seconds = Number(response.headers.get("retry-after") || Number.NaN)
    throw new PolarClientError({
      code:
        typeof code === "string" ? code : answer === undefined && status < 500 ? "invalid_response" : codeOf(status),
      message: typeof error === "string" ? error : `The server answered ${status} with something else than it should`,
      status,
      retryAfterSeconds: seconds >= 0 ? seconds : null,
      details
    })
  }

  return {
    get: <Answer>(path: string, { signal }: CallOptions = {}) => call<Answer>(path, {}, signal),
    post: <Answer>(path: string, body: unknown = {}, { signal }: CallOptions = {}) =>
      call<Answer>(
        path,
        { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } },
        signal
      )
  }
}

const objectIn = (text: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

const codeOf = (status: number): PolarClientErrorCode =>
  codes[status] ?? (status < 500 ? "invalid_request" : "unavailable")

const codes: Readonly<Record<number, PolarClientErrorCode>> = {
  401: "not_signed_in",
  402: "payment_failed",
  403: "forbidden",
  404: "not_found",
  409: "conflict",
  429: "rate_limited"
}

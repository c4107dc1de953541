/** An answer of Polar's API, read whole and with a limit. */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"

export interface Answer {
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** `None` when the body is not JSON, or is longer than is read. */
  readonly json: Option.Option<unknown>
}

// A full page of subscriptions is about a megabyte.
const byteLimit = { success: 32 * 1024 * 1024, failure: 256 * 1024 } as const

export const readAnswer = (
  response: HttpClientResponse.HttpClientResponse
): Effect.Effect<Answer, HttpClientError.ResponseError> => {
  const { headers, status } = response
  const limit = status >= 200 && status <= 299 ? byteLimit.success : byteLimit.failure
  return Effect.suspend(() => {
    const decoder = new TextDecoder()
    return response.stream.pipe(
      Stream.runFoldWhile(
        { size: 0, text: "" },
        ({ size }) => size <= limit,
        ({ size, text }, chunk) => ({
          size: size + chunk.length,
          text: text + decoder.decode(chunk, { stream: true })
        })
      ),
      Effect.catchIf(
        (error) => error.reason === "EmptyBody",
        () => Effect.succeed({ size: 0, text: "" })
      ),
      Effect.map(({ size, text }) => ({ status, headers, json: size > limit ? Option.none() : parseJson(text) }))
    )
  })
}

const parseJson = Option.liftThrowable((text: string): unknown => JSON.parse(text))

/** Whether the API version that the request was pinned to is gone (or never was): no route answered at all. */
export const isVersionGone = (answer: Answer): boolean =>
  answer.status === 404 &&
  answer.headers["polar-version"] === undefined &&
  Option.exists(
    answer.json,
    (body) => Predicate.isRecord(body) && body["detail"] === "Not Found" && body["error"] === undefined
  )

/** Whether the answer comes from an environment that knows the token. */
export const isTokenKnown = (answer: Answer): boolean =>
  answer.status === 200 ||
  (answer.status === 403 &&
    Option.exists(answer.json, (body) => Predicate.isRecord(body) && body["error"] === "insufficient_scope"))

/** How Polar is reached: by the platform's `fetch`. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Layer from "effect/Layer"

/**
 * A redirect is an answer. Followed, as `fetch` does unless told otherwise, it would hand what a call holds, such as a buyer's
 * address or a license key, to whoever it names, and make of a POST a GET, whose answer says nothing of what was asked.
 */
export const polarFetch: Layer.Layer<HttpClient.HttpClient> = Layer.provide(
  FetchHttpClient.layer,
  Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" })
)

/**
 * Which pages may post in the name of who is signed in: the guard against requests that another site makes up.
 *
 * A browser says with `Sec-Fetch-Site` and `Origin` where a request comes from, and no page can change what it says. A
 * program says nothing, and has no session that another site could use.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { originOf } from "./redirectUrl.ts"

/** The request was made up by a page of another origin. */
export class ForeignPage extends Schema.TaggedError<ForeignPage>()("ForeignPage", {
  /** As the browser says; `null` when it says only that it is another. */
  origin: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    return "The request comes from a page of another origin. If that page is the app's own, add its origin to trustedOrigins"
  }
}

/** The body is not said to be JSON; a form of another site could have sent it. */
export class NotJson extends Schema.TaggedError<NotJson>()("NotJson", {}) {
  override get message(): string {
    return "The content type must be application/json"
  }
}

export interface OwnOrigins {
  /** As the host or its configuration says. */
  readonly host: string | undefined
  readonly trusted: ReadonlyArray<string> | undefined
}

/** Where the app is for whoever asks, the best known first. */
export const originsOf = (
  request: HttpServerRequest.HttpServerRequest,
  { host }: Pick<OwnOrigins, "host">
): ReadonlyArray<string> => {
  const { headers } = request
  const page = headers["origin"]
  const vouchedFor = page !== undefined && (isSameOrigin(request) || isAddressedAs(request, page))
  const candidates = [host, vouchedFor ? originOf(page) : undefined, addressOf(request)]
  return [...new Set(candidates.filter((origin) => origin !== undefined))]
}

/** Whether the page that asks may; the answer is about browsers only. */
export const checkPage = (
  request: HttpServerRequest.HttpServerRequest,
  own: OwnOrigins
): Either.Either<void, ForeignPage> => {
  const page = request.headers["origin"]
  const site = request.headers["sec-fetch-site"]
  if (page === undefined && site === undefined) return Either.void
  // `none` is the user themself, by the address bar or a bookmark.
  if (isSameOrigin(request) || (page === undefined && site === "none")) return Either.void
  const origin = page === undefined ? undefined : originOf(page)
  if (origin === undefined) return Either.left(new ForeignPage({ origin: null }))
  return originsOf(request, own).includes(origin) || own.trusted?.includes(origin) === true
    ? Either.void
    : Either.left(new ForeignPage({ origin }))
}

/**
 * Whether the body is JSON, as a form can never say. A program that hands `fetch` a text and no type, which `fetch` fills in,
 * is understood too; from a browser that is not enough.
 */
export const checkContentType = ({ headers }: HttpServerRequest.HttpServerRequest): Either.Either<void, NotJson> => {
  const type = headers["content-type"]
  if (type !== undefined && /^application\/json\s*(?:;|$)/i.test(type)) return Either.void
  const isBrowser = headers["origin"] !== undefined || headers["sec-fetch-site"] !== undefined
  return !isBrowser && (type === undefined || type === typeOfText) ? Either.void : Either.left(new NotJson())
}

// Fetch standard, "extract a body".
const typeOfText = "text/plain;charset=UTF-8"

const isSameOrigin = ({ headers }: HttpServerRequest.HttpServerRequest): boolean =>
  headers["sec-fetch-site"] === "same-origin"

/** The address under which the request came here: a web request knows it whole, Node's only by the header. */
const addressOf = ({ headers, originalUrl }: HttpServerRequest.HttpServerRequest): string | undefined =>
  originOf(originalUrl) ??
  (headers["host"] === undefined
    ? undefined
    : originOf(`${headers["x-forwarded-proto"] === "https" ? "https" : "http"}://${headers["host"]}`))

/**
 * Whether the page's host is the one that was asked, whatever ends TLS before this server or rewrites its address. A page
 * cannot set these headers on a request to another origin.
 */
const isAddressedAs = ({ headers }: HttpServerRequest.HttpServerRequest, page: string): boolean => {
  if (originOf(page) === undefined) return false
  const { host } = new URL(page)
  const forwarded = headers["x-forwarded-host"]?.split(",", 1)[0]?.trim()
  return host === headers["host"]?.toLowerCase() || host === forwarded?.toLowerCase()
}

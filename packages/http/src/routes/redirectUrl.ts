/** Which addresses a buyer may be sent back to: the guard against open redirects. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

/** The address is not one to send a buyer to. */
export class InvalidRedirectUrl extends Schema.TaggedError<InvalidRedirectUrl>()("InvalidRedirectUrl", {
  field: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `Invalid ${this.field}: ${this.problem}`
  }
}

// A browser strips tabs and line breaks, and reads a backslash as a slash, before it looks at the rest: an address that
// holds one says something else than it seems to.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const deceptive = /[\u0000-\u0020\u007f\\]/
const absoluteHttp = /^https?:\/\/[^/?#]/i

/**
 * An absolute http(s) URL without user info, and of one of the trusted origins when there are any. Succeeds with the text
 * as it was given: Polar replaces a literal `{CHECKOUT_ID}`, which normalizing would escape.
 *
 * Polar adds the buyer's portal token to the address where it sends them, so whoever owns that address can manage what they
 * bought.
 */
export const checkRedirectUrl = (
  field: string,
  text: string,
  trustedOrigins: ReadonlyArray<string> | undefined
): Either.Either<string, InvalidRedirectUrl> => {
  const refuse = (problem: string) => Either.left(new InvalidRedirectUrl({ field, problem }))
  if (deceptive.test(text)) return refuse("it holds a space, a control character or a backslash")
  if (!absoluteHttp.test(text)) return refuse("it must start with https:// or http:// and a host")
  const url = parse(text)
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return refuse("it is not a URL")
  if (url.username !== "" || url.password !== "" || authorityOf(text).includes("@")) {
    return refuse("it must not hold a user name or password")
  }
  if (trustedOrigins !== undefined && !trustedOrigins.includes(url.origin)) {
    return refuse("its origin is not one of the trusted origins")
  }
  return Either.right(text)
}

/** An address below an origin, such as `/thanks`, made absolute; any other as it is. `//host` is not below it. */
export const belowOrigin = (text: string, origin: string | undefined): string =>
  origin !== undefined && text.startsWith("/") && !/^\/[/\\]/.test(text) ? `${origin}${text}` : text

/** The origin of a URL, as `trustedOrigins` are compared; `undefined` for what is no http(s) origin. */
export const originOf = (text: string): string | undefined => {
  const url = parse(text)
  return url !== null && (url.protocol === "https:" || url.protocol === "http:") ? url.origin : undefined
}

const parse = (text: string): URL | null => {
  try {
    return new URL(text)
  } catch {
    return null
  }
}

const authorityOf = (text: string): string => /^https?:\/\/([^/?#]*)/i.exec(text)?.[1] ?? ""

/** A webhook endpoint's secret and the HMAC keys that Polar may derive from it. */
import { Buffer } from "node:buffer"
import { createSecretKey, type KeyObject } from "node:crypto"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/**
 * How a key comes from a secret. Polar decides it for each endpoint and does not tell the receiver.
 *
 * - `utf8`: the UTF-8 bytes of the whole secret, prefix included (Polar's original scheme).
 * - `standard`: the base64 text after a leading `whsec_`, decoded (Standard Webhooks specification).
 */
export type KeyScheme = "utf8" | "standard"

/**
 * A secret that cannot protect anything, refused when the verifier is made. `position` counts from 1 and is `null`
 * when the fault is not that of one secret in a list. The secret itself is never part of the error.
 */
export class InvalidWebhookSecret extends Schema.TaggedError<InvalidWebhookSecret>(
  "@kavach-polar/core/InvalidWebhookSecret"
)("InvalidWebhookSecret", {
  position: Schema.NullOr(Schema.Number),
  problem: Schema.Literal("none", "empty", "prefixOnly", "notBase64")
}) {
  override get message(): string {
    return explanations[this.problem](this.position === null ? "The webhook secret" : `Webhook secret ${this.position}`)
  }
}

const explanations: Record<InvalidWebhookSecret["problem"], (secret: string) => string> = {
  none: () =>
    "No webhook secret is configured. Pass at least one: Polar's dashboard shows it for each webhook endpoint.",
  empty: (secret) =>
    `${secret} is empty or blank. Check that its environment variable is set, and to the secret that Polar's dashboard shows for the webhook endpoint.`,
  prefixOnly: (secret) =>
    `${secret} is only a prefix, as if cut off. Copy the whole secret from the webhook endpoint in Polar's dashboard.`,
  notBase64: (secret) =>
    `${secret} has no "standard" key, because what follows "whsec_" is not base64. Sign with the "utf8" key, or use a secret made of "whsec_" and base64.`
}

/** A key ready for HMAC-SHA256, and the place in the list (from 0) of the secret that it comes from. */
export interface SigningKey {
  readonly secretIndex: number
  readonly scheme: KeyScheme
  readonly key: KeyObject
}

/** Every different key of the secrets, in their order, each secret's `utf8` key first. Never an empty list. */
export const signingKeys = (
  secrets: ReadonlyArray<Redacted.Redacted>
): Either.Either<ReadonlyArray<SigningKey>, InvalidWebhookSecret> => {
  if (secrets.length === 0) return Either.left(new InvalidWebhookSecret({ position: null, problem: "none" }))
  const keys: Array<SigningKey> = []
  for (const [secretIndex, redacted] of secrets.entries()) {
    const secret = normalize(Redacted.value(redacted))
    const problem = problemOf(secret)
    if (problem !== undefined) return Either.left(new InvalidWebhookSecret({ position: secretIndex + 1, problem }))
    for (const scheme of ["utf8", "standard"] as const) {
      const bytes = scheme === "utf8" ? utf8Key(secret) : standardKey(secret)
      if (bytes === undefined) continue
      const key = createSecretKey(bytes)
      if (!keys.some((known) => known.key.equals(key))) keys.push({ secretIndex, scheme, key })
    }
  }
  return Either.right(keys)
}

/** One secret's key of the given scheme, for signing. */
export const signingKey = (
  secret: Redacted.Redacted | string,
  scheme: KeyScheme
): Either.Either<KeyObject, InvalidWebhookSecret> => {
  const text = normalize(Redacted.isRedacted(secret) ? Redacted.value(secret) : secret)
  const problem = problemOf(text)
  if (problem !== undefined) return Either.left(new InvalidWebhookSecret({ position: null, problem }))
  const bytes = scheme === "utf8" ? utf8Key(text) : standardKey(text)
  return bytes === undefined
    ? Either.left(new InvalidWebhookSecret({ position: null, problem: "notBase64" }))
    : Either.right(createSecretKey(bytes))
}

const standardPrefix = "whsec_"
const prefixes: ReadonlyArray<string> = [standardPrefix, "polar_whs_"]

// An unset variable reaches a caller without type checks as undefined; it is an empty secret, not a crash.
const normalize = (secret: unknown): string => (typeof secret === "string" ? secret.trim() : "")

const problemOf = (secret: string): "empty" | "prefixOnly" | undefined =>
  isBlankKey(utf8Key(secret)) ? "empty" : prefixes.includes(secret) ? "prefixOnly" : undefined

const utf8Key = (secret: string): Buffer => Buffer.from(secret, "utf8")

// A secret without `whsec_` has this key too, because the `standardwebhooks` package and Polar's own SDK decode it all
// the same: refusing would lose genuine deliveries. Nothing is given away, since base64 text is as hard to guess
// decoded as it is encoded. That holds only for strict decoding: dropping foreign characters could leave a short key.
const standardKey = (secret: string): Buffer | undefined => {
  const text = secret.startsWith(standardPrefix) ? secret.slice(standardPrefix.length) : secret
  const digits = text.replace(/={1,2}$/, "")
  const wellPadded = digits.length === text.length || text.length % 4 === 0
  if (!/^[A-Za-z0-9+/]+$/.test(digits) || digits.length % 4 === 1 || !wellPadded) return undefined
  const key = Buffer.from(digits, "base64")
  return isBlankKey(key) ? undefined : key
}

// HMAC fills a key up with zero bytes, so a key of zeros is the empty key, which anyone can sign with.
const isBlankKey = (key: Buffer): boolean => key.every((byte) => byte === 0)

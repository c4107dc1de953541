/** A webhook endpoint's secret and the HMAC keys that Polar may derive from it. */
import { Buffer } from "node:buffer"
import { createSecretKey, type KeyObject } from "node:crypto"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { pastedText } from "../values/pastedText.ts"

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
  problem: Schema.Literal(
    "none",
    "empty",
    "prefixOnly",
    "notBase64",
    "unset",
    "template",
    "placeholder",
    "short",
    "repeated",
    "published"
  )
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
  unset: (secret) =>
    `${secret} is a word such as "undefined", which is what becomes of a variable that is not set. Check the name of the environment variable.`,
  template: (secret) =>
    `${secret} is the text of a template, in which no value was put. Look at what writes the environment: a variable is quoted so that nothing replaces it.`,
  placeholder: (secret) =>
    `${secret} is a placeholder from an example. Put the secret there that Polar's dashboard shows for the webhook endpoint.`,
  short: (secret) =>
    `${secret} is so short that it can be guessed: it has less than ${leastBytes} bytes, and those that Polar makes have more. Copy the whole secret from the webhook endpoint in Polar's dashboard, or have Polar make a new one.`,
  repeated: (secret) =>
    `${secret} is one or two characters again and again, which anyone can guess. Copy the secret from the webhook endpoint in Polar's dashboard.`,
  published: (secret) =>
    `${secret} is the public one of WebhookVerifier.layerMemory: anyone can sign with it. Copy the secret from the webhook endpoint in Polar's dashboard; for a test make one of your own, such as whsec_ and the base64 of 32 random bytes.`,
  notBase64: (secret) =>
    `${secret} has no "standard" key, because what follows "whsec_" is not base64. Sign with the "utf8" key, or use a secret made of "whsec_" and base64.`
}

/** A key ready for HMAC-SHA256, and the place in the list (from 0) of the secret that it comes from. */
export interface SigningKey {
  readonly secretIndex: number
  readonly scheme: KeyScheme
  readonly key: KeyObject
}

/** The secret of `WebhookVerifier.layerMemory`, as this package publishes it. */
export const memorySecret = "whsec_a2F2YWNoLXBvbGFyOiBpbi1tZW1vcnkgd2ViaG9va3M="

/**
 * Every different key of the secrets, in their order, each secret's `utf8` key first. Never an empty list. `isPublic`
 * lets the published one pass.
 */
export const signingKeys = (
  secrets: ReadonlyArray<Redacted.Redacted>,
  { isPublic = false }: { readonly isPublic?: boolean } = {}
): Either.Either<ReadonlyArray<SigningKey>, InvalidWebhookSecret> => {
  if (secrets.length === 0) return Either.left(new InvalidWebhookSecret({ position: null, problem: "none" }))
  const keys: Array<SigningKey> = []
  const each = secrets.flatMap((redacted) => secretsIn(Redacted.value(redacted)))
  for (const [secretIndex, secret] of each.entries()) {
    const problem = problemOf(secret) ?? weaknessOf(secret, isPublic)
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

/**
 * The secrets that one text holds. While a secret is being replaced an environment variable has both, the new one first:
 * `whsec_…,whsec_…`. A comma means that only after a secret of Polar's making, in which there is none: one of somebody's own
 * may have some.
 */
export const secretsIn = (text: string): ReadonlyArray<string> => {
  const whole = normalize(text)
  return /^(whsec_|polar_whs_)[\w+/=-]+,/.test(whole)
    ? whole
        .split(",")
        .map(normalize)
        .filter((secret) => secret !== "")
    : [whole]
}

/** One secret's key of the given scheme, for signing. Of several it is the first one's. */
export const signingKey = (
  secret: Redacted.Redacted | string,
  scheme: KeyScheme
): Either.Either<KeyObject, InvalidWebhookSecret> => {
  const [text = ""] = secretsIn(Redacted.isRedacted(secret) ? Redacted.value(secret) : secret)
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
const normalize = pastedText

const problemOf = (secret: string): "empty" | "prefixOnly" | undefined =>
  isBlankKey(utf8Key(secret)) ? "empty" : prefixes.includes(secret) ? "prefixOnly" : undefined

type Weakness = "unset" | "template" | "placeholder" | "short" | "repeated" | "published"

/** Polar makes secrets of 43 random characters or 32 random bytes, and asks for 32 characters of one's own. */
const leastBytes = 16

/**
 * What protects nothing although it is a text: it is known to everybody, or guessed. Only where that is sure, since a
 * secret that Polar really uses must never be refused; endpoints made long ago may have any text.
 */
const weaknessOf = (secret: string, isPublic: boolean): Weakness | undefined => {
  const text = withoutPrefix(secret)
  if (/^(?:undefined|null|nan|none|true|false|\[object object\])$/i.test(text)) return "unset"
  if (/\$\{|\$\(|\{\{|<%|^\$\w+$|^%\w+%$|^<[^<>]*>$|\bprocess\.env\b/.test(text)) return "template"
  if (isPlaceholder(text)) return "placeholder"
  const key = secret.startsWith(standardPrefix) ? standardKey(secret) : undefined
  if (Math.min(utf8Key(text).length, key?.length ?? Number.POSITIVE_INFINITY) < leastBytes) return "short"
  if (new Set(text.replace(/=+$/, "")).size <= 2) return "repeated"
  return secret === memorySecret && !isPublic ? "published" : undefined
}

const withoutPrefix = (secret: string): string => {
  const prefix = prefixes.find((prefix) => secret.startsWith(prefix))
  return prefix === undefined ? secret : secret.slice(prefix.length)
}

/** Of these words alone, such as `your_webhook_secret_here`. No random text consists of them. */
const placeholderWords = new Set(
  "a add change changeme dummy endpoint enter example fake from goes here insert it key me my paste placeholder please polar put replace sample secret secrets signing set test the this to todo token value webhook webhooks whs whsec with xxx your".split(
    " "
  )
)

const isPlaceholder = (text: string): boolean =>
  /^[a-z]+(?:[^a-z0-9]+[a-z]+)*[^a-z0-9]*$/i.test(text) &&
  text
    .toLowerCase()
    .split(/[^a-z]+/)
    .every((word) => word === "" || placeholderWords.has(word.replace(/^x{3,}$/, "xxx")))

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

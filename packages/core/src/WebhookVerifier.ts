/**
 * Verification of Polar's webhook deliveries: Standard Webhooks signatures over the bytes exactly as they arrived.
 *
 * Sources: Polar docs, webhooks/delivery; Standard Webhooks specification 1.0.0, "Verifying webhook authenticity".
 */
import { Buffer } from "node:buffer"
import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { looksReencoded } from "./polar/reencodedBody.ts"
import {
  type InvalidWebhookSecret,
  type KeyScheme,
  memorySecret,
  type SigningKey,
  signingKey,
  signingKeys
} from "./polar/webhookSecret.ts"
import { annotate, traced } from "./runtime/traced.ts"
import { verificationFailures } from "./telemetry/Metrics.ts"
import * as OptionTypes from "./values/options.ts"

export { InvalidWebhookSecret, type KeyScheme, memorySecret } from "./polar/webhookSecret.ts"

/** A delivery as it came in. Header names may have any case; lower case is looked up fastest. */
export interface SignedDelivery {
  readonly headers: Readonly<Record<string, string | undefined>>
  /** The raw bytes. Text that was decoded, or parsed and written again, no longer has Polar's signature. */
  readonly body: Uint8Array
}

/** A delivery that somebody who knows a configured secret signed, within the tolerance. */
export interface VerifiedDelivery {
  /** The `webhook-id`: the same for every attempt at one event, different for every endpoint. */
  readonly id: string
  /** The `webhook-timestamp`: epoch seconds of this attempt, not of the event. */
  readonly attemptedAt: number
  /** Which of the configured secrets matched, counted from 0. */
  readonly secretIndex: number
  /** Which of that secret's keys matched. */
  readonly key: KeyScheme
  /** The very bytes that were signed. */
  readonly body: Uint8Array
}

const HeaderName = Schema.Literal("webhook-id", "webhook-timestamp", "webhook-signature")
type HeaderName = typeof HeaderName.Type

/** One of the three headers is absent or empty. */
export class MissingHeader extends Schema.TaggedError<MissingHeader>("@kavach-polar/core/MissingHeader")(
  "MissingHeader",
  { header: HeaderName }
) {
  override get message(): string {
    return `The request has no ${this.header} header, so it is not a signed delivery. Polar always sends webhook-id, webhook-timestamp and webhook-signature: if this came from Polar, let the proxy in front of the app pass them on.`
  }
}

/** A header is there, but not as the specification has it. `problem` finishes the sentence "The header …". */
export class MalformedHeader extends Schema.TaggedError<MalformedHeader>("@kavach-polar/core/MalformedHeader")(
  "MalformedHeader",
  { header: HeaderName, problem: Schema.String }
) {
  override get message(): string {
    return `The ${this.header} header ${this.problem}. Polar does not send such a header: look for what made or changed it on the way, such as a proxy or a test script.`
  }
}

/** The delivery was signed longer ago than the tolerance allows. */
export class DeliveryTooOld extends Schema.TaggedError<DeliveryTooOld>("@kavach-polar/core/DeliveryTooOld")(
  "DeliveryTooOld",
  { ageSeconds: Schema.Number, toleranceSeconds: Schema.Number }
) {
  override get message(): string {
    return `The delivery was signed ${this.ageSeconds} seconds ago, and ${this.toleranceSeconds} are allowed, so that nobody can replay an old one. If Polar sent it just now, correct this machine's clock; if it waited in a queue, verify it before it is queued.`
  }
}

/** The delivery is stamped further in the future than the tolerance allows. */
export class DeliveryTooNew extends Schema.TaggedError<DeliveryTooNew>("@kavach-polar/core/DeliveryTooNew")(
  "DeliveryTooNew",
  { aheadSeconds: Schema.Number, toleranceSeconds: Schema.Number }
) {
  override get message(): string {
    return `The delivery is stamped ${this.aheadSeconds} seconds in the future, and ${this.toleranceSeconds} are allowed. If Polar sent it, correct this machine's clock; if a script did, give webhook-timestamp in seconds, not milliseconds.`
  }
}

/**
 * No signature matches. `bodyReencoded` is a hint: the body looks as if a framework had parsed it and written it again.
 * Many genuine bodies look so too.
 */
export class SignatureMismatch extends Schema.TaggedError<SignatureMismatch>("@kavach-polar/core/SignatureMismatch")(
  "SignatureMismatch",
  { bodyReencoded: Schema.Boolean }
) {
  override get message(): string {
    const secret =
      "No signature of the delivery matches a configured webhook secret. Compare the secret with the one in Polar's dashboard: every endpoint has its own, and sandbox and production differ."
    return this.bodyReencoded
      ? `${secret} If the secret is right, the body may have been re-encoded on the way: mount the raw handler, billing.webhook(request), before any JSON body parser, because the signature covers the bytes that Polar sent.`
      : secret
  }
}

/** Why a delivery was refused. No error carries the secret, the body or a signature. */
export type WebhookVerificationError =
  | MissingHeader
  | MalformedHeader
  | DeliveryTooOld
  | DeliveryTooNew
  | SignatureMismatch

/**
 * Tells Polar's deliveries from forged, altered and replayed ones. A replay within the tolerance passes: it has the
 * same `id` as the original, and whoever applies deliveries must apply each `id` once.
 */
export class WebhookVerifier extends Context.Tag("@kavach-polar/core/WebhookVerifier")<
  WebhookVerifier,
  {
    readonly verify: (delivery: SignedDelivery) => Effect.Effect<VerifiedDelivery, WebhookVerificationError>
    /**
     * Fails as `verify` would, whatever the body: for before it is read, so that nothing is spent on a request that
     * cannot be a delivery. Whoever passes is still a stranger.
     */
    readonly checkHeaders: (headers: SignedDelivery["headers"]) => Effect.Effect<void, WebhookVerificationError>
  }
>() {}

/**
 * @example
 * WebhookVerifier.layer({ secrets: [Redacted.make(webhookSecret)], tolerance: "10 minutes" })
 */
export interface Options {
  /**
   * Secrets of the webhook endpoint, as Polar's dashboard shows them. During a rotation give the new one and the old
   * one. Space around a secret is ignored.
   */
  readonly secrets: ReadonlyArray<Redacted.Redacted>
  /** How far `webhook-timestamp` may be from the clock, either way; five minutes unless given. */
  readonly tolerance?: Duration.DurationInput | undefined
}

/**
 * A verifier with these secrets; fails with `InvalidWebhookSecret` when the list is empty or one of them protects
 * nothing. A tolerance without an end, or of less than nothing, is a defect.
 *
 * @example
 * WebhookVerifier.make({ secrets: [Redacted.make(webhookSecret)] })
 */
export const make = (
  options: Options
): Effect.Effect<Context.Tag.Service<typeof WebhookVerifier>, InvalidWebhookSecret> => makeWith(options, {})

const makeWith = Effect.fnUntraced(function* (
  options: Options,
  which: { readonly isPublic?: boolean }
): Effect.fn.Return<Context.Tag.Service<typeof WebhookVerifier>, InvalidWebhookSecret> {
  const keys = yield* signingKeys(options.secrets, which)
  const { tolerance = Duration.minutes(5) } = options
  // A duration of less than nothing is nothing to `Duration`: it is a mistake here, and so is what is no number.
  const isMistaken = typeof tolerance === "number" && !(tolerance >= 0)
  if (isMistaken || !Duration.isFinite(Duration.decode(tolerance))) {
    return yield* Effect.dieMessage("tolerance of the webhook verifier must be a duration of 0 or more, and end.")
  }
  const toleranceSeconds = Duration.toSeconds(tolerance)

  let hintedAt = Number.NEGATIVE_INFINITY
  // For whoever sets the endpoint up, who looks at one answer. Strangers could have it worked out for ever.
  const hint = (body: Uint8Array, now: number): boolean => {
    if (now - hintedAt < hintEveryMillis) return false
    hintedAt = now
    return looksReencoded(body)
  }

  const checked = (headers: SignedDelivery["headers"]) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Either.map(read(headers, now, toleranceSeconds), (read) => ({ read, now }))
    )

  const verify = (delivery: SignedDelivery) =>
    checked(delivery.headers).pipe(
      Effect.flatMap(({ now, read }) =>
        Either.mapLeft(
          check(read, delivery.body, keys),
          () => new SignatureMismatch({ bodyReencoded: hint(delivery.body, now) })
        )
      ),
      Effect.tap(({ key, secretIndex }) =>
        annotate({ "kavach_polar.webhook.key": key, "kavach_polar.webhook.secret_index": secretIndex })
      ),
      Effect.tapError(countFailure),
      traced("WebhookVerifier.verify", () => ({ attributes: idOf(delivery.headers) }))
    )

  return { verify, checkHeaders: (headers) => Effect.tapError(Effect.asVoid(checked(headers)), countFailure) }
})

const reasons: Readonly<Record<WebhookVerificationError["_tag"], string>> = {
  MissingHeader: "missing_header",
  MalformedHeader: "malformed_header",
  DeliveryTooOld: "too_old",
  DeliveryTooNew: "too_new",
  SignatureMismatch: "signature_mismatch"
}

const countFailure = ({ _tag }: WebhookVerificationError) => verificationFailures.update(1, { reason: reasons[_tag] })

const hintEveryMillis = 60_000

/** What the headers say, of a request that may be a delivery. */
interface SignedHeaders {
  readonly id: string
  readonly attemptedAt: number
  /** As it was sent, and signed. */
  readonly timestamp: string
  readonly candidates: ReadonlyArray<string>
}

/** Without effects, because whoever finds the endpoint can make us do this, as often as they like. */
const read = (
  headers: SignedDelivery["headers"],
  now: number,
  toleranceSeconds: number
): Either.Either<SignedHeaders, WebhookVerificationError> => {
  const id = header(headers, "webhook-id")
  if (id === undefined) return missing("webhook-id")
  const timestamp = header(headers, "webhook-timestamp")
  if (timestamp === undefined) return missing("webhook-timestamp")
  const signature = header(headers, "webhook-signature")
  if (signature === undefined) return missing("webhook-signature")

  if (!wellFormedId.test(id)) return malformed("webhook-id", 'is not 1 to 255 visible ASCII characters without "."')

  const attemptedAt = Number(timestamp)
  if (!wellFormedTimestamp.test(timestamp) || !Number.isSafeInteger(attemptedAt)) {
    return malformed("webhook-timestamp", "is not a whole number of seconds since 1970")
  }
  const ageSeconds = Math.floor(now / 1000) - attemptedAt
  if (ageSeconds > toleranceSeconds) return Either.left(new DeliveryTooOld({ ageSeconds, toleranceSeconds }))
  if (-ageSeconds > toleranceSeconds) {
    return Either.left(new DeliveryTooNew({ aheadSeconds: -ageSeconds, toleranceSeconds }))
  }

  if (signature.length > signatureHeaderLimit) {
    return malformed("webhook-signature", `is longer than ${signatureHeaderLimit} characters`)
  }
  const candidates = signaturesOf(signature)
  if (candidates.length === 0) {
    return malformed("webhook-signature", 'holds no "v1," followed by the base64 of a 32-byte signature')
  }
  return Either.right({ id, attemptedAt, timestamp, candidates })
}

const check = (
  { attemptedAt, candidates, id, timestamp }: SignedHeaders,
  body: Uint8Array,
  keys: ReadonlyArray<SigningKey>
): Either.Either<VerifiedDelivery, "mismatch"> => {
  for (const { key, scheme, secretIndex } of keys) {
    const expected = Buffer.from(digest(key, id, timestamp, body), "latin1")
    if (candidates.some((candidate) => timingSafeEqual(Buffer.from(candidate, "latin1"), expected))) {
      return Either.right({ id, attemptedAt, secretIndex, key: scheme, body })
    }
  }
  return Either.left("mismatch")
}

const verifierOptions: Schema.Schema<Options> = Schema.Struct({
  secrets: OptionTypes.said(Schema.Array(OptionTypes.redacted), "it must be a list of Redacted secrets"),
  tolerance: OptionTypes.optional(OptionTypes.duration)
})

const checkOptions = OptionTypes.optionsCheck("WebhookVerifier.layer()", verifierOptions)

/**
 * The verifier that `make` gives. Throws an `InvalidOption` for options that there are not; secrets that protect nothing
 * fail when the layer is built.
 *
 * @example
 * WebhookVerifier.layer({ secrets: [Redacted.make(webhookSecret)] })
 */
export const layer = (options: Options): Layer.Layer<WebhookVerifier, InvalidWebhookSecret> => {
  checkOptions(options)
  return Layer.effect(WebhookVerifier, make(options))
}

/**
 * The same from configuration, such as `{ secrets: Config.array(Config.redacted(), "POLAR_WEBHOOK_SECRETS") }`.
 *
 * @example
 * WebhookVerifier.layerConfig({ secrets: Config.array(Config.redacted(), "POLAR_WEBHOOK_SECRETS") })
 */
export const layerConfig = (
  config: Config.Config.Wrap<Options>
): Layer.Layer<WebhookVerifier, InvalidWebhookSecret | ConfigError.ConfigError> =>
  Layer.effect(WebhookVerifier, Effect.flatMap(Config.unwrap(config), make))

/** Real verification with `memorySecret`, for tests only: it is public, and no other verifier takes it. */
export const layerMemory: Layer.Layer<WebhookVerifier> = Layer.orDie(
  Layer.effect(WebhookVerifier, makeWith({ secrets: [Redacted.make(memorySecret)] }, { isPublic: true }))
)

/**
 * What to sign. `timestampSeconds` is in epoch seconds; a body given as text is signed as UTF-8.
 *
 * @example
 * WebhookVerifier.sign({ secret: webhookSecret, id: "evt_1", timestampSeconds: 1_790_000_000, body: "{}", key: "standard" })
 */
export interface SignOptions {
  readonly secret: Redacted.Redacted | string
  readonly id: string
  readonly timestampSeconds: number
  readonly body: Uint8Array | string
  /** `utf8` unless given. */
  readonly key?: KeyScheme | undefined
}

/**
 * The `webhook-signature` value (`v1,<base64>`) that Polar would send, for tests and simulators. Signs whatever it is
 * given, also what `verify` would refuse; throws `InvalidWebhookSecret` when the secret has no such key.
 *
 * @example
 * WebhookVerifier.sign({ secret: webhookSecret, id: "evt_1", timestampSeconds: 1_790_000_000, body: "{}" })
 */
export const sign = (options: SignOptions): string => {
  const key = Either.getOrThrowWith(signingKey(options.secret, options.key ?? "utf8"), (error) => error)
  return `v1,${digest(key, options.id, `${options.timestampSeconds}`, options.body)}`
}

/**
 * The three headers of a delivery, signed as `sign` does.
 *
 * @example
 * const timestampSeconds = Math.floor(Date.now() / 1000)
 * WebhookVerifier.signedHeaders({ secret: webhookSecret, id: "evt_1", timestampSeconds, body: "{}" })
 */
export const signedHeaders = (options: SignOptions): Readonly<Record<HeaderName, string>> => ({
  "webhook-id": options.id,
  "webhook-timestamp": `${options.timestampSeconds}`,
  "webhook-signature": sign(options)
})

/** In base64, in which signatures come: what is well formed is written in one way only, so the texts can be compared. */
const digest = (key: KeyObject, id: string, timestamp: string, body: Uint8Array | string): string =>
  createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64")

// The signed text joins its parts with "."; an id with one could be cut elsewhere and mean another delivery.
const wellFormedId = /^[!-\-/-~]{1,255}$/

// One number, one spelling: what is signed is the text, what is checked against the clock is the number.
const wellFormedTimestamp = /^(?:0|[1-9][0-9]{0,15})$/

const signatureHeaderLimit = 4096
const signatureLimit = 16

// Exactly the base64 of 32 bytes: the 43rd digit carries four bits, so only each fourth digit is canonical there.
const wellFormedSignature = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/

const header = (headers: SignedDelivery["headers"], name: HeaderName): string | undefined => {
  const value = headers[name] ?? findHeader(headers, name)
  // A host without type checks may hand over a list for a repeated header; there is no right one to choose.
  return typeof value === "string" && value !== "" ? value : undefined
}

/** For the span: nothing of a header that no delivery has. */
const idOf = (headers: SignedDelivery["headers"]): Readonly<Record<string, unknown>> => {
  const id = header(headers, "webhook-id")
  return id !== undefined && wellFormedId.test(id) ? { "messaging.message.id": id } : {}
}

const findHeader = (headers: SignedDelivery["headers"], name: HeaderName): string | undefined => {
  for (const key of Object.keys(headers)) {
    if (key.length === name.length && key.toLowerCase() === name) return headers[key]
  }
  return undefined
}

const missing = (header: HeaderName): Either.Either<never, MissingHeader> => Either.left(new MissingHeader({ header }))

const malformed = (header: HeaderName, problem: string): Either.Either<never, MalformedHeader> =>
  Either.left(new MalformedHeader({ header, problem }))

const signaturesOf = (value: string): ReadonlyArray<string> => {
  // Nearly every header holds one.
  if (!value.includes(" ")) return value.startsWith("v1,") ? [value.slice(3)].filter(isWellFormed) : []
  return value
    .split(" ")
    .filter((entry) => entry.startsWith("v1,"))
    .slice(0, signatureLimit)
    .map((entry) => entry.slice("v1,".length))
    .filter(isWellFormed)
}

const isWellFormed = (signature: string): boolean => wellFormedSignature.test(signature)

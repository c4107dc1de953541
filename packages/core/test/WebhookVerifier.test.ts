import { createHmac } from "node:crypto"
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import {
  Cause,
  Clock,
  Config,
  ConfigError,
  ConfigProvider,
  Effect,
  Either,
  FastCheck,
  Layer,
  Redacted,
  TestClock,
  Tracer
} from "effect"

const now = 1_791_210_131
const id = "3f1c9a52-7b64-4e0d-9d27-0c5b8a1e4f33"
const secret = "polar_whs_InventedInventedInventedInvented0123AbCdEf"
const standardSecret = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
const body = '{"type":"customer.created","timestamp":"2026-10-05T14:22:11.000001Z","data":{"name":"Zoë","due":0.0}}'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const verifier = (...secrets: ReadonlyArray<string>) =>
  WebhookVerifier.make({ secrets: secrets.map((secret) => Redacted.make(secret)) })

const signed = (options: Partial<WebhookVerifier.SignOptions> = {}): WebhookVerifier.SignedDelivery => {
  const content = options.body ?? body
  return {
    headers: WebhookVerifier.signedHeaders({ secret, id, timestampSeconds: now, body: content, ...options }),
    body: typeof content === "string" ? bytes(content) : content
  }
}

const withHeader = (name: string, value: string | undefined, delivery = signed()): WebhookVerifier.SignedDelivery => ({
  ...delivery,
  headers: { ...delivery.headers, [name]: value }
})

// Moving the test clock takes milliseconds; a clock that stands still lets the properties run by the hundred.
const stoppedClock = Object.assign(Clock.make(), { currentTimeMillis: Effect.succeed(now * 1000 + 999) })

const verify = (
  delivery: WebhookVerifier.SignedDelivery,
  secrets: ReadonlyArray<string> = [secret],
  toleranceSeconds?: number
) =>
  WebhookVerifier.make({
    secrets: secrets.map((secret) => Redacted.make(secret)),
    tolerance: toleranceSeconds === undefined ? undefined : toleranceSeconds * 1000
  }).pipe(
    Effect.flatMap(({ verify }) => verify(delivery)),
    Effect.withClock(stoppedClock)
  )

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/** Whether it is taken as a secret. */
const isUsable = (secret: string): boolean => Either.isRight(Effect.runSync(Effect.either(verifier(secret))))

/** Why something was refused. A plain `Effect.flip` would print an accepted body byte by byte. */
const refused = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<E> =>
  Effect.flip(Effect.andThen(effect, Effect.dieMessage("accepted what had to be refused")))

const refusal = (delivery: WebhookVerifier.SignedDelivery, secrets?: ReadonlyArray<string>, tolerance?: number) =>
  refused(verify(delivery, secrets, tolerance))

const hmac = (key: Uint8Array): string =>
  `v1,${createHmac("sha256", key).update(`${id}.${now}.`).update(bytes(body)).digest("base64")}`

describe("a genuine delivery", () => {
  it.effect("is accepted with its id, time, secret and key", () =>
    Effect.gen(function* () {
      const delivery = signed()
      const verified = yield* verify(delivery)
      assert.deepStrictEqual(verified, { id, attemptedAt: now, secretIndex: 0, key: "utf8", body: delivery.body })
      assert.strictEqual(verified.body, delivery.body)
    })
  )

  it.effect("is accepted under either key of the secret", () =>
    Effect.gen(function* () {
      for (const key of ["utf8", "standard"] as const) {
        const verified = yield* verify(signed({ secret: standardSecret, key }), [standardSecret])
        assert.strictEqual(verified.key, key)
      }
    })
  )

  it.effect("is accepted under the standard key of a secret without the prefix", () =>
    Effect.gen(function* () {
      const bare = standardSecret.slice("whsec_".length)
      const verified = yield* verify(withHeader("webhook-signature", hmac(Buffer.alloc(32, 7))), [bare])
      assert.strictEqual(verified.key, "standard")
    })
  )

  it.effect("is accepted under an unpadded standard key whose last digit has spare bits", () =>
    Effect.gen(function* () {
      const unpadded = `whsec_${"Ab3".repeat(14)}Z`
      const verified = yield* verify(signed({ secret: unpadded, key: "standard" }), [unpadded])
      assert.strictEqual(verified.key, "standard")
    })
  )

  it.effect("is accepted whatever the case of its header names", () =>
    Effect.gen(function* () {
      const { body, headers } = signed()
      for (const rename of [
        (name: string) => name.toUpperCase(),
        (name: string) => name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
      ]) {
        const renamed = Object.fromEntries(Object.entries(headers).map(([name, value]) => [rename(name), value]))
        assert.strictEqual((yield* verify({ body, headers: renamed })).id, id)
      }
    })
  )

  it.effect("may carry other headers and absent ones", () =>
    Effect.gen(function* () {
      const { body, headers } = signed()
      const delivery = { body, headers: { host: "app.example", "Webhook-Extra": "1", te: undefined, ...headers } }
      assert.strictEqual((yield* verify(delivery)).id, id)
    })
  )

  it.effect("is verified as bytes: a BOM, invalid UTF-8 and no body at all pass", () =>
    Effect.gen(function* () {
      for (const body of [
        Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d),
        Uint8Array.of(0x7b, 0xff, 0xc3, 0x28, 0x00, 0x80),
        new Uint8Array()
      ]) {
        assert.strictEqual((yield* verify(signed({ body }))).body, body)
      }
    })
  )

  it.effect("is verified where it lies in a larger buffer", () =>
    Effect.gen(function* () {
      const slice = new Uint8Array([...bytes("before"), ...bytes(body), ...bytes("after")]).subarray(6, -5)
      assert.strictEqual((yield* verify({ headers: signed().headers, body: slice })).id, id)
    })
  )

  it.effect("tells a BOM from none, and one invalid byte from another", () =>
    Effect.gen(function* () {
      const bom = { ...signed(), body: Uint8Array.of(0xef, 0xbb, 0xbf, ...bytes(body)) }
      assert.strictEqual((yield* refusal(bom))._tag, "SignatureMismatch")
      const invalid = { ...signed({ body: Uint8Array.of(0x22, 0xff, 0x22) }), body: Uint8Array.of(0x22, 0xfe, 0x22) }
      assert.strictEqual((yield* refusal(invalid))._tag, "SignatureMismatch")
    })
  )
})

describe("secrets", () => {
  it.effect("may be several, and the one that matched is reported", () =>
    Effect.gen(function* () {
      const secrets = ["polar_whs_old_old_old_old_old_old", standardSecret, secret]
      const verified = yield* verify(signed(), secrets)
      assert.deepInclude(verified, { secretIndex: 2, key: "utf8" })
      const standard = yield* verify(signed({ secret: standardSecret, key: "standard" }), secrets)
      assert.deepInclude(standard, { secretIndex: 1, key: "standard" })
    })
  )

  it.effect("may be several in one text, with commas between, as an environment variable holds them", () =>
    Effect.gen(function* () {
      const both = [` ${standardSecret}, ${secret}\n`]
      assert.deepInclude(yield* verify(signed(), both), { secretIndex: 1, key: "utf8" })
      const standard = yield* verify(signed({ secret: standardSecret, key: "standard" }), both)
      assert.deepInclude(standard, { secretIndex: 0, key: "standard" })
      // One of somebody's own making may have a comma in it.
      const own = "a secret, of somebody's own making: long enough"
      assert.deepInclude(yield* verify(signed({ secret: own }), [own]), { secretIndex: 0, key: "utf8" })
      assert.strictEqual((yield* refusal(signed({ secret: "a secret" }), [own]))._tag, "SignatureMismatch")
    })
  )

  it.effect("stop to be accepted when rotated out", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* verify(signed(), [standardSecret, secret])).secretIndex, 1)
      assert.strictEqual((yield* refusal(signed(), [standardSecret]))._tag, "SignatureMismatch")
    })
  )

  it.effect("given twice are reported as the first", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* verify(signed(), [secret, `${secret}\n`])).secretIndex, 0)
    })
  )

  it.effect("may have space around them, for signing too", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* verify(signed(), [` ${secret}\r\n`])).id, id)
      assert.strictEqual((yield* verify(signed({ secret: `${secret}\n` }))).id, id)
      const padded = `\t${standardSecret}\n`
      assert.strictEqual((yield* verify(signed({ secret: padded, key: "standard" }), [padded])).key, "standard")
    })
  )

  it.effect("that protect nothing are refused by position, and never shown", () =>
    Effect.gen(function* () {
      const bad: ReadonlyArray<readonly [string, string]> = [
        ["", "is empty or blank"],
        [" \r\n\t", "is empty or blank"],
        ["\0\0", "is empty or blank"],
        ["whsec_", "is only a prefix"],
        ["whsec_\n", "is only a prefix"],
        ["polar_whs_", "is only a prefix"]
      ]
      for (const [value, problem] of bad) {
        const error = yield* refused(verifier(secret, value, standardSecret))
        assert.instanceOf(error, WebhookVerifier.InvalidWebhookSecret)
        assert.strictEqual(error.position, 2)
        assert.include(error.message, `Webhook secret 2 ${problem}`)
        assert.include(error.message, "Polar's dashboard")
        for (const known of [secret, standardSecret]) assert.notInclude(inspect(error), known)
      }
    })
  )

  it.effect("that are known or guessed are refused by position, with the reason, and never shown", () =>
    Effect.gen(function* () {
      const short = "is so short that it can be guessed"
      const word = 'is a word such as "undefined"'
      const template = "is the text of a template"
      const placeholder = "is a placeholder from an example"
      const repeated = "is one or two characters again and again"
      const bad: ReadonlyArray<readonly [string, string]> = [
        ["x", short],
        ["correct-horse", short],
        ["whsec_YQ==", short],
        ["whsec_c29tZWJvZHkgZWxzZQ==", short],
        ["polar_whs_x", short],
        ["undefined", word],
        ["null", word],
        ["whsec_undefined", word],
        ["polar_whs_null", word],
        ["[object Object]", word],
        ["$" + "{POLAR_WEBHOOK_SECRET}", template],
        ["$POLAR_WEBHOOK_SECRET", template],
        ["whsec_$" + "{SECRET_OF_POLARS_WEBHOOK}", template],
        ["{{ polar_webhook_secret_value }}", template],
        ["<your webhook secret from the dashboard>", template],
        ["process.env.POLAR_WEBHOOK_SECRET", template],
        ["changeme", placeholder],
        ["change-me", placeholder],
        ["your_webhook_secret_here", placeholder],
        ["whsec_your_secret_here", placeholder],
        ["POLAR_WEBHOOK_SECRET", placeholder],
        ["polar_whs_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", placeholder],
        ["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", repeated],
        ["00000000000000000000000000000000", repeated],
        ["polar_whs_1010101010101010101010101010", repeated],
        [WebhookVerifier.memorySecret, "is the public one"]
      ]
      for (const [value, problem] of bad) {
        const error = yield* refused(verifier(secret, value, standardSecret))
        assert.instanceOf(error, WebhookVerifier.InvalidWebhookSecret, value)
        assert.include(error.message, `Webhook secret 2 ${problem}`)
        if (value.length > 4 && problem !== word) assert.notInclude(inspect(error), value)
      }
    })
  )

  it.effect("as Polar makes them, and such as people gave it, are taken", () =>
    Effect.gen(function* () {
      for (const value of [
        "whsec_c2ltdWxhdG9yOiBhIHNlY3JldCBmb3IgYSB0ZXN0IDE=",
        "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        `whsec_${"Ab3".repeat(14)}Z`,
        "polar_whs_InventedInventedInventedInvented0123AbCdEf",
        "polar_whs_old_old_old_old_old_old",
        "a secret that I made up, with words of my own",
        "correcthorsebatterystaple",
        "3f1c9a527b644e0d9d270c5b8a1e4f33",
        "ein sehr geheimes Wort für Polar"
      ]) {
        yield* verifier(value)
      }
    })
  )

  it.effect.prop(
    "that Polar makes are never refused",
    [
      FastCheck.oneof(
        FastCheck.tuple(
          FastCheck.constantFrom("whsec_", "polar_whs_"),
          FastCheck.string({ unit: FastCheck.constantFrom(...alphanumeric), minLength: 43, maxLength: 43 }).filter(
            (text) => new Set(text).size > 8
          )
        ).map(([prefix, text]) => prefix + text),
        FastCheck.uint8Array({ minLength: 32, maxLength: 32 })
          .filter((key) => new Set(key).size > 8)
          .map((key) => `whsec_${Buffer.from(key).toString("base64")}`)
      )
    ],
    ([value]) => Effect.asVoid(verifier(value))
  )

  it.effect("that are undefined in an untyped caller are refused as empty", () =>
    Effect.gen(function* () {
      const unset: Redacted.Redacted = JSON.parse("[null]").map(Redacted.make)[0]
      const error = yield* refused(WebhookVerifier.make({ secrets: [unset] }))
      assert.deepInclude(error, { _tag: "InvalidWebhookSecret", problem: "empty", position: 1 })
    })
  )

  it.effect("must be given", () =>
    Effect.gen(function* () {
      const error = yield* refused(WebhookVerifier.make({ secrets: [] }))
      assert.deepInclude(error, { problem: "none", position: null })
      assert.include(error.message, "No webhook secret is configured")
    })
  )

  it.effect("never become a key that a stranger can guess", () =>
    Effect.gen(function* () {
      const guessable = [Buffer.alloc(0), Buffer.alloc(1), Buffer.alloc(32), Buffer.from([1]), Buffer.from([1, 2, 3])]
      const secrets = [
        "whsec_AAAA",
        "whsec_A",
        "whsec_AQIDA",
        "whsec_====",
        "whsec_AQ=",
        "whsec_AQ===",
        "whsec_!!!!AQ==",
        "whsec_-_-_",
        `whsec_${"A".repeat(43)}=`,
        "AAAA",
        "A",
        "=",
        secret,
        standardSecret
      ]
      for (const value of secrets) {
        for (const key of guessable) {
          const error = yield* refusal(withHeader("webhook-signature", hmac(key)), [value])
          assert.oneOf(
            error._tag,
            ["SignatureMismatch", "InvalidWebhookSecret"],
            `${value} with ${key.toString("hex")}`
          )
        }
      }
    })
  )
})

describe("headers", () => {
  const names = ["webhook-id", "webhook-timestamp", "webhook-signature"] as const

  it.effect("that are missing or empty are named", () =>
    Effect.gen(function* () {
      for (const name of names) {
        for (const value of [undefined, ""]) {
          const error = yield* refusal(withHeader(name, value))
          assert.deepInclude(error, { _tag: "MissingHeader", header: name })
          assert.include(error.message, name)
        }
      }
      assert.strictEqual((yield* refusal({ headers: {}, body: bytes(body) }))._tag, "MissingHeader")
    })
  )

  it.effect("that an untyped host gives as a list count as missing", () =>
    Effect.gen(function* () {
      for (const name of names) {
        const { body, headers } = signed()
        const listed = JSON.parse(JSON.stringify({ ...headers, [name]: [headers[name]] }))
        assert.deepInclude(yield* refusal({ body, headers: listed }), { _tag: "MissingHeader", header: name })
      }
    })
  )

  it.effect("webhook-id is 1 to 255 visible ASCII characters without a full stop", () =>
    Effect.gen(function* () {
      for (const id of ["a", "!-/~", "x".repeat(255)]) assert.strictEqual((yield* verify(signed({ id }))).id, id)
      for (const id of ["x".repeat(256), "a b", "a.b", "a\nb", "a\0", "\x7f", "é", "a, a", " a", "a\n"]) {
        const error = yield* refusal(signed({ id }))
        assert.deepInclude(error, { _tag: "MalformedHeader", header: "webhook-id" }, inspect(id))
        assert.include(error.message, "visible ASCII")
        assert.notInclude(error.message, id === " a" || id === "a\n" ? "\n" : id)
      }
    })
  )

  it.effect("cannot be cut at another full stop", () =>
    Effect.gen(function* () {
      const inner = `{"a":"x.${now}.{}`
      const delivery = signed({ body: inner })
      const moved = {
        headers: { ...delivery.headers, "webhook-id": `${id}.${now}.{"a":"x` },
        body: bytes("{}")
      }
      assert.strictEqual((yield* verify(delivery)).id, id)
      assert.deepInclude(yield* refusal(moved), { _tag: "MalformedHeader", header: "webhook-id" })
    })
  )

  it.effect("webhook-timestamp is a whole number in plain digits", () =>
    Effect.gen(function* () {
      for (const value of [
        `0${now}`,
        `+${now}`,
        `-${now}`,
        `${now}.0`,
        `${now}.5`,
        `${now}e0`,
        "0x6ac3a553",
        ` ${now}`,
        `${now}\n`,
        `${now}, ${now}`,
        "NaN",
        "Infinity",
        "१७९१२१०१३१",
        "9007199254740993",
        "9".repeat(400),
        "2026-10-05T14:22:11Z"
      ]) {
        const error = yield* refusal(withHeader("webhook-timestamp", value))
        assert.deepInclude(error, { _tag: "MalformedHeader", header: "webhook-timestamp" }, value)
        assert.include(error.message, "seconds since 1970")
      }
    })
  )

  it.effect("webhook-signature may hold several versions and several signatures", () =>
    Effect.gen(function* () {
      const genuine = WebhookVerifier.sign({ secret, id, timestampSeconds: now, body })
      const other = WebhookVerifier.sign({ secret: standardSecret, id, timestampSeconds: now, body })
      const base64 = genuine.slice(3)
      for (const value of [
        `${other} ${genuine}`,
        `${genuine} ${other}`,
        `v1a,${base64} v2,${base64} ${genuine}`,
        `v1,broken ${genuine}`,
        `v1, ,  nonsense ${genuine} `
      ]) {
        assert.strictEqual((yield* verify(withHeader("webhook-signature", value))).id, id, value)
      }
    })
  )

  it.effect("webhook-signature counts only as v1 and only in canonical base64 of 32 bytes", () =>
    Effect.gen(function* () {
      // Its base64 has both digits in which the url-safe alphabet differs.
      const timestamps = Array.from({ length: 600 }, (_, index) => now - 300 + index)
      const timestampSeconds = timestamps.find((at) => {
        const signature = WebhookVerifier.sign({ secret, id, timestampSeconds: at, body })
        return signature.includes("+") && signature.includes("/")
      })
      const delivery = signed({ timestampSeconds: timestampSeconds ?? now })
      assert.strictEqual((yield* verify(delivery)).id, id)
      const base64 = (delivery.headers["webhook-signature"] ?? "").slice(3)
      const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
      const noncanonical = `${base64.slice(0, 42)}${digits[digits.indexOf(base64.charAt(42)) + 1]}=`
      assert.deepStrictEqual(Buffer.from(noncanonical, "base64"), Buffer.from(base64, "base64"))
      for (const value of [
        base64,
        `v1${base64}`,
        `V1,${base64}`,
        `v2,${base64}`,
        `v1a,${base64}`,
        `v10,${base64}`,
        `,${base64}`,
        `v1,${base64},`,
        `v1,${base64},x`,
        `v1,,${base64}`,
        `v1,${noncanonical}`,
        `v1,${base64.replaceAll("+", "-").replaceAll("/", "_")}`,
        `v1,${base64.slice(0, -1)}`,
        `v1,${base64}=`,
        `v1,${base64.slice(4)}`,
        `v1,AAAA${base64}`,
        `v1,${base64.slice(0, 42)}==`,
        `v1,${Buffer.from(base64, "base64").toString("hex")}`,
        `sha256=${base64}`,
        `v1,\t${base64}`,
        `v1,${base64}\n`,
        `\nv1,${base64}`,
        "v1,",
        "v1",
        " "
      ]) {
        const error = yield* refusal(withHeader("webhook-signature", value, delivery))
        assert.deepInclude(error, { _tag: "MalformedHeader", header: "webhook-signature" }, value)
        assert.notInclude(error.message, base64.slice(0, 12))
      }
    })
  )

  it.effect("webhook-signature is read up to 16 signatures and 4096 characters", () =>
    Effect.gen(function* () {
      const { "webhook-signature": genuine } = signed().headers
      const other = hmac(Buffer.from("another key"))
      const preceded = (count: number, entry: string): string => `${`${entry} `.repeat(count)}${genuine}`
      assert.strictEqual((yield* verify(withHeader("webhook-signature", preceded(15, other)))).id, id)
      const tooMany = yield* refusal(withHeader("webhook-signature", preceded(16, other)))
      assert.strictEqual(tooMany._tag, "SignatureMismatch")
      const tooManyBroken = yield* refusal(withHeader("webhook-signature", preceded(16, "v1,x")))
      assert.strictEqual(tooManyBroken._tag, "MalformedHeader")
      assert.strictEqual((yield* verify(withHeader("webhook-signature", preceded(500, "v2,xyz")))).id, id)
      const tooLong = yield* refusal(withHeader("webhook-signature", preceded(600, "v2,xyz")))
      assert.include(tooLong.message, "is longer than 4096 characters")
    })
  )
})

describe("the tolerance", () => {
  const at = (offset: number) => signed({ timestampSeconds: now + offset })

  it.effect("accepts 300 seconds either way and no more", () =>
    Effect.gen(function* () {
      for (const offset of [-300, -299, 0, 299, 300]) {
        assert.strictEqual((yield* verify(at(offset))).attemptedAt, now + offset)
      }
      const old = yield* refusal(at(-301))
      assert.deepInclude(old, { _tag: "DeliveryTooOld", ageSeconds: 301, toleranceSeconds: 300 })
      assert.include(old.message, "301 seconds ago")
      const early = yield* refusal(at(301))
      assert.deepInclude(early, { _tag: "DeliveryTooNew", aheadSeconds: 301, toleranceSeconds: 300 })
      assert.include(early.message, "301 seconds in the future")
    })
  )

  it.effect("follows the clock", () =>
    Effect.gen(function* () {
      const { verify } = yield* verifier(secret)
      yield* TestClock.setTime(now * 1000)
      yield* verify(signed())
      yield* TestClock.adjust("5 minutes")
      yield* verify(signed())
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* refused(verify(signed())))._tag, "DeliveryTooOld")
    })
  )

  it.effect("can be set", () =>
    Effect.gen(function* () {
      yield* verify(at(-10), [secret], 10)
      assert.deepInclude(yield* refusal(at(-11), [secret], 10), { _tag: "DeliveryTooOld", toleranceSeconds: 10 })
      yield* verify(at(0), [secret], 0)
      assert.strictEqual((yield* refusal(at(1), [secret], 0))._tag, "DeliveryTooNew")
    })
  )

  it.effect("that would switch the check off is a defect", () =>
    Effect.gen(function* () {
      for (const tolerance of [Number.NaN, Number.POSITIVE_INFINITY, -1]) {
        const cause = yield* refused(Effect.sandbox(verify(at(0), [secret], tolerance)))
        assert.isTrue(Cause.isDie(cause), `${tolerance}`)
        assert.include(Cause.pretty(cause), "tolerance of the webhook verifier")
      }
    })
  )

  it.effect("refuses milliseconds and says so", () =>
    Effect.gen(function* () {
      const error = yield* refusal(signed({ timestampSeconds: now * 1000 + 123 }))
      assert.strictEqual(error._tag, "DeliveryTooNew")
      assert.include(error.message, "in seconds, not milliseconds")
    })
  )

  it.effect("is checked before the signature and holds for a genuine one", () =>
    Effect.gen(function* () {
      const forged = withHeader("webhook-signature", hmac(Buffer.from("forged")), at(-100_000))
      assert.strictEqual((yield* refusal(forged))._tag, "DeliveryTooOld")
      assert.strictEqual((yield* refusal(at(-100_000)))._tag, "DeliveryTooOld")
    })
  )
})

describe("a mismatch", () => {
  const mismatch = (content: string | Uint8Array) =>
    Effect.gen(function* () {
      const error = yield* refusal({
        headers: signed().headers,
        body: typeof content === "string" ? bytes(content) : content
      })
      assert.instanceOf(error, WebhookVerifier.SignatureMismatch)
      return error
    })

  it.effect("hints at a body that looks re-encoded", () =>
    Effect.gen(function* () {
      const parsed = JSON.parse(body)
      for (const content of [
        "",
        JSON.stringify(parsed),
        JSON.stringify(parsed, null, 2),
        `${body}\n`,
        ` ${body}`,
        body.replaceAll(":", ": "),
        JSON.stringify(body),
        JSON.stringify(Buffer.from(body)),
        JSON.stringify(Buffer.alloc(300_000, 255)),
        "[object Object]",
        "[ ]",
        "{}",
        '{"a":"\\" ","b": 1.0}',
        `{"due":0,"a":"${"x".repeat(300_000)}"}`,
        `{"a": "${"x".repeat(300_000)}"}`
      ]) {
        const error = yield* mismatch(content)
        assert.isTrue(error.bodyReencoded, content.slice(0, 40))
        assert.include(error.message, "billing.webhook(request)")
        assert.include(error.message, "may have been re-encoded")
      }
    })
  )

  it.effect("does not hint at a body that JavaScript would not write so", () =>
    Effect.gen(function* () {
      for (const content of [
        body.replace("Zoë", "Zoe"),
        '{"a":"two words \\" and \\\\","b":1.0}',
        "no JSON, but words",
        '{"a":',
        Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d),
        Uint8Array.of(0x7b, 0xff, 0x7d),
        Uint8Array.of(...bytes('{"a":"'), 0xff, ...bytes('"}')),
        "[".repeat(200_000),
        `{"due":0.0,"a":"${"x".repeat(300_000)}"}`,
        `{"due":1e5,"a":"${"x".repeat(300_000)}"}`
      ]) {
        const error = yield* mismatch(content)
        assert.isFalse(error.bodyReencoded, inspect(content.slice(0, 40)))
        assert.notInclude(error.message, "re-encoded")
        assert.include(error.message, "webhook secret")
      }
    })
  )

  it.effect("is hinted at once a minute at most, so that strangers cannot have it worked out for ever", () =>
    Effect.gen(function* () {
      const { verify } = yield* verifier(secret)
      const hints = Effect.map(
        refused(verify({ headers: signed({ timestampSeconds: 30 }).headers, body: bytes("{}") })),
        (error) => error._tag === "SignatureMismatch" && error.bodyReencoded
      )
      assert.deepStrictEqual(yield* Effect.all([hints, hints, hints]), [true, false, false])
      yield* TestClock.adjust("59 seconds")
      assert.isFalse(yield* hints)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Effect.all([hints, hints]), [true, false])
    })
  )

  it.effect("is reported for the signature of another secret, key, id, time or body", () =>
    Effect.gen(function* () {
      const others: ReadonlyArray<Partial<WebhookVerifier.SignOptions>> = [
        { secret: standardSecret },
        { secret: `${secret}f` },
        { secret: secret.slice("polar_whs_".length) },
        { id: id.replace("3", "4") },
        { timestampSeconds: now + 1 },
        { body: `${body} ` }
      ]
      for (const other of others) {
        const signature = signed(other).headers["webhook-signature"]
        const error = yield* refusal(withHeader("webhook-signature", signature))
        assert.strictEqual(error._tag, "SignatureMismatch", inspect(other))
      }
    })
  )

  it.effect("is reported when any byte of the signature differs", () =>
    Effect.gen(function* () {
      const genuine = Buffer.from((signed().headers["webhook-signature"] ?? "").slice(3), "base64")
      for (const index of genuine.keys()) {
        const altered = Buffer.from(genuine)
        altered.writeUInt8(altered.readUInt8(index) ^ 1, index)
        const error = yield* refusal(withHeader("webhook-signature", `v1,${altered.toString("base64")}`))
        assert.strictEqual(error._tag, "SignatureMismatch", `byte ${index}`)
      }
    })
  )
})

describe("headers alone", () => {
  it.effect("are refused as the whole delivery would be, and pass whatever the body may be", () =>
    Effect.gen(function* () {
      const { checkHeaders, verify } = yield* verifier(secret)
      const genuine = signed()
      for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"]) {
        for (const value of [
          undefined,
          "",
          "a.b",
          "v1,",
          "-1",
          "1e9",
          `${now - 301}`,
          `${now + 301}`,
          "v1,====",
          "é"
        ]) {
          const delivery = withHeader(name, value, genuine)
          const whole = yield* Effect.either(verify(delivery))
          const alone = yield* Effect.either(checkHeaders(delivery.headers))
          if (Either.isLeft(whole) && whole.left._tag !== "SignatureMismatch")
            assert.deepStrictEqual(alone, Either.left(whole.left))
          else assert.isTrue(Either.isRight(alone), `${name}: ${value}`)
        }
      }
      assert.isTrue(Either.isRight(yield* Effect.either(checkHeaders(genuine.headers))))
    }).pipe(Effect.withClock(stoppedClock))
  )
})

describe("signing", () => {
  it("makes the three headers that Polar sends", () => {
    const options = { secret: Redacted.make(secret), id, timestampSeconds: now, body: bytes(body) }
    assert.deepStrictEqual(WebhookVerifier.signedHeaders(options), {
      "webhook-id": id,
      "webhook-timestamp": `${now}`,
      "webhook-signature": hmac(Buffer.from(secret))
    })
    assert.strictEqual(WebhookVerifier.sign({ ...options, body }), WebhookVerifier.sign(options))
  })

  it("refuses a secret without the key that is asked for", () => {
    const options = { id, timestampSeconds: now, body }
    assert.throws(
      () => WebhookVerifier.sign({ ...options, secret, key: "standard" }),
      WebhookVerifier.InvalidWebhookSecret,
      /what follows "whsec_" is not base64/
    )
    for (const empty of ["", " ", "whsec_"]) {
      for (const key of ["utf8", "standard"] as const) {
        assert.throws(
          () => WebhookVerifier.sign({ ...options, secret: empty, key }),
          WebhookVerifier.InvalidWebhookSecret
        )
      }
    }
  })
})

describe("layers", () => {
  const verifiedId = (secret: string, key: WebhookVerifier.KeyScheme) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now * 1000)
      const { verify } = yield* WebhookVerifier.WebhookVerifier
      return (yield* verify(signed({ secret, key }))).id
    })

  it.effect("layerMemory verifies what is signed with memorySecret, and nothing else", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* verifiedId(WebhookVerifier.memorySecret, "standard"), id)
      const { verify } = yield* WebhookVerifier.WebhookVerifier
      assert.strictEqual((yield* verify(signed({ secret: WebhookVerifier.memorySecret }))).key, "utf8")
      assert.strictEqual((yield* refused(verify(signed())))._tag, "SignatureMismatch")
    }).pipe(Effect.provide(WebhookVerifier.layerMemory))
  )

  it.effect("layer verifies with the secrets given", () =>
    Effect.provide(verifiedId(secret, "utf8"), WebhookVerifier.layer({ secrets: [Redacted.make(secret)] }))
  )

  const configured = WebhookVerifier.layerConfig({
    secrets: Config.array(Config.redacted(), "WEBHOOK_SECRETS"),
    tolerance: Config.withDefault(Config.duration("WEBHOOK_TOLERANCE"), undefined)
  })
  const withConfig = (entries: ReadonlyArray<readonly [string, string]>) =>
    Effect.provide(
      verifiedId(standardSecret, "standard"),
      Layer.provide(configured, Layer.setConfigProvider(ConfigProvider.fromMap(new Map(entries))))
    )

  it.effect("layerConfig reads secrets and tolerance", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* withConfig([["WEBHOOK_SECRETS", `${secret},${standardSecret}`]]), id)
      const blank = yield* refused(withConfig([["WEBHOOK_SECRETS", `${secret},whsec_`]]))
      assert.deepInclude(blank, { _tag: "InvalidWebhookSecret", position: 2 })
      assert.isTrue(ConfigError.isConfigError(yield* refused(withConfig([]))))
    })
  )
})

describe("what is shown", () => {
  it.effect("in the span: id, key and secret index, and nothing of a secret, signature or body", () =>
    Effect.gen(function* () {
      const tracer = yield* Effect.tracer
      const spans: Array<Tracer.Span> = []
      const recording = Tracer.make({
        context: tracer.context,
        span: (...args) => {
          const span = tracer.span(...args)
          spans.push(span)
          return span
        }
      })
      yield* Effect.withTracer(verify(signed()), recording)
      yield* Effect.withTracer(refusal(withHeader("webhook-signature", hmac(Buffer.from("forged")))), recording)
      assert.deepStrictEqual(
        spans.map((span) => [span.name, ...[...span.attributes].filter(([name]) => !name.startsWith("code."))]),
        [
          [
            "WebhookVerifier.verify",
            ["messaging.message.id", id],
            ["kavach_polar.webhook.key", "utf8"],
            ["kavach_polar.webhook.secret_index", 0]
          ],
          ["WebhookVerifier.verify", ["messaging.message.id", id]]
        ]
      )
    })
  )

  it.effect("in errors: never a secret, a signature, a body or a header's value", () =>
    Effect.gen(function* () {
      const delivery = signed({ secret: standardSecret, body: "bodybodybody" })
      const signature = delivery.headers["webhook-signature"] ?? ""
      const deliveries = [
        delivery,
        signed({ secret: standardSecret, timestampSeconds: now - 301 }),
        signed({ secret: standardSecret, timestampSeconds: now + 301 }),
        withHeader("webhook-signature", `v2,${signature.slice(3)}`, delivery),
        withHeader("webhook-id", "header value", delivery),
        withHeader("webhook-timestamp", "header value", delivery),
        withHeader("webhook-id", undefined, delivery)
      ]
      const seen = new Set<string>()
      for (const one of deliveries) {
        const error = yield* refusal(one)
        const cause = yield* refused(Effect.sandbox(verify(one)))
        seen.add(error._tag)
        for (const shown of [error.message, `${error}`, JSON.stringify(error), inspect(error), Cause.pretty(cause)]) {
          for (const hidden of [secret, standardSecret, signature.slice(3), "bodybody", "header value"]) {
            assert.notInclude(shown, hidden)
          }
        }
      }
      assert.sameMembers(
        [...seen],
        ["SignatureMismatch", "DeliveryTooOld", "DeliveryTooNew", "MalformedHeader", "MissingHeader"]
      )
    })
  )
})

describe("for anything at all", () => {
  const anyBody = FastCheck.uint8Array({ maxLength: 400 })
  const anyId = FastCheck.stringMatching(/^[!-\-/-~]{1,255}$/)
  const anyOffset = FastCheck.integer({ min: -300, max: 300 })
  const anyUtf8Secret = FastCheck.string({ unit: "binary", minLength: 16, maxLength: 80 }).filter(isUsable)
  const anyStandardSecret = FastCheck.tuple(
    FastCheck.uint8Array({ minLength: 16, maxLength: 100 }).filter((key) => new Set(key).size > 4),
    FastCheck.constantFrom("whsec_", ""),
    FastCheck.boolean()
  ).map(([key, prefix, padded]) => {
    const base64 = Buffer.from(key).toString("base64")
    return `${prefix}${padded ? base64 : base64.replaceAll("=", "")}`
  })
  const anyKey = FastCheck.oneof(
    FastCheck.record({ secret: anyUtf8Secret, key: FastCheck.constant("utf8" as const) }),
    FastCheck.record({ secret: anyStandardSecret, key: FastCheck.constantFrom("utf8" as const, "standard" as const) })
  )

  it.effect.prop(
    "what is signed is verified",
    [anyKey, anyId, anyOffset, anyBody],
    ([signer, id, offset, body]) =>
      Effect.gen(function* () {
        const delivery = signed({ ...signer, id, timestampSeconds: now + offset, body })
        assert.deepStrictEqual(yield* verify(delivery, [secret, signer.secret]), {
          id,
          attemptedAt: now + offset,
          secretIndex: 1,
          key: signer.key,
          body
        })
      }),
    { fastCheck: { numRuns: 300 } }
  )

  const flipped = (value: Uint8Array, bit: number): Buffer => {
    const copy = Buffer.from(value)
    const index = Math.floor(bit / 8) % copy.length
    copy.writeUInt8(copy.readUInt8(index) ^ (1 << (bit % 8)), index)
    return copy
  }

  it.effect.prop(
    "one flipped bit is refused",
    [
      anyKey,
      anyId,
      FastCheck.uint8Array({ minLength: 1, maxLength: 400 }),
      FastCheck.constantFrom("body", "webhook-id", "webhook-timestamp", "webhook-signature"),
      FastCheck.nat(8 * 400)
    ],
    ([signer, id, body, part, bit]) =>
      Effect.gen(function* () {
        const delivery = signed({ ...signer, id, body })
        const altered =
          part === "body"
            ? { ...delivery, body: flipped(body, bit) }
            : withHeader(
                part,
                flipped(Buffer.from(delivery.headers[part] ?? "", "latin1"), bit).toString("latin1"),
                delivery
              )
        assert.include(
          ["SignatureMismatch", "MalformedHeader", "DeliveryTooOld", "DeliveryTooNew"],
          (yield* refusal(altered, [signer.secret]))._tag
        )
      }),
    { fastCheck: { numRuns: 500 } }
  )

  const anyText = FastCheck.oneof(
    FastCheck.string({ unit: "binary", maxLength: 300 }),
    FastCheck.string16bits({ maxLength: 300 }),
    FastCheck.integer().map(String),
    FastCheck.uint8Array({ minLength: 30, maxLength: 34 }).map((raw) => `v1,${Buffer.from(raw).toString("base64")}`),
    FastCheck.constantFrom(id, `${now}`, `${now * 1000}`, "v1,", "__proto__")
  )
  const anyHeader = FastCheck.option(anyText, { nil: undefined })

  it.effect.prop(
    "any headers and body give a typed refusal, never a defect",
    [
      FastCheck.record({ "webhook-id": anyHeader, "webhook-timestamp": anyHeader, "webhook-signature": anyHeader }),
      FastCheck.dictionary(FastCheck.string(), anyText),
      FastCheck.oneof(anyBody, FastCheck.json().map(bytes))
    ],
    ([headers, others, body]) =>
      Effect.gen(function* () {
        const error = yield* refusal({ headers: { ...others, ...headers }, body })
        assert.include(
          ["SignatureMismatch", "MalformedHeader", "MissingHeader", "DeliveryTooOld", "DeliveryTooNew"],
          error._tag
        )
        assert.isNotEmpty(error.message)
      }),
    { fastCheck: { numRuns: 500 } }
  )

  it.effect.prop(
    "another secret's signature is refused, and no error shows either secret",
    [FastCheck.uint8Array({ minLength: 24, maxLength: 48 }), FastCheck.uint8Array({ minLength: 24, maxLength: 48 })],
    ([mine, theirs]) =>
      Effect.gen(function* () {
        const [configured, foreign] = [mine, theirs].map((key) => `whsec_${Buffer.from(key).toString("base64")}`)
        if (configured === undefined || foreign === undefined || configured === foreign) return
        for (const key of ["utf8", "standard"] as const) {
          if (key === "standard" && theirs.every((byte) => byte === 0)) continue
          const error = yield* refusal(signed({ secret: foreign, key }), [configured])
          assert.strictEqual(error._tag, "SignatureMismatch")
          for (const shown of [error.message, JSON.stringify(error), inspect(error)]) {
            assert.notInclude(shown, configured)
            assert.notInclude(shown, foreign)
          }
        }
      }),
    { fastCheck: { numRuns: 100 } }
  )
})

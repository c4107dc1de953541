/** Our signatures against those of others: test vectors, the `standardwebhooks` package, and both of Polar's SDKs. */
import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { webhooks } from "@polar-sh/sdk/2026-10"
import { Clock, Effect, Redacted, Schema } from "effect"
import * as oldSdk from "polar-sdk-0/webhooks"
import * as standardwebhooks from "standardwebhooks"

const fixture = (path: string): Buffer => readFileSync(new URL(`fixtures/${path}`, import.meta.url))

const bodies = readdirSync(new URL("fixtures/polar-webhooks", import.meta.url)).map((name) => ({
  name,
  body: fixture(`polar-webhooks/${name}`)
}))

const secrets = {
  original: "polar_whs_InventedInventedInventedInvented0123AbCdEf",
  transitional: `whsec_${"Ab3".repeat(14)}Z`,
  standard: "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
}

/** Every secret with each key that Polar may derive from it. */
const signers = [
  { secret: secrets.original, key: "utf8" },
  { secret: secrets.transitional, key: "utf8" },
  { secret: secrets.transitional, key: "standard" },
  { secret: secrets.standard, key: "utf8" },
  { secret: secrets.standard, key: "standard" }
] as const
type Signer = (typeof signers)[number]

const id = "3f1c9a52-7b64-4e0d-9d27-0c5b8a1e4f33"

// The other implementations read the machine's clock; ours is set to the same second.
const now = Math.floor(Date.now() / 1000)

const verify = (delivery: WebhookVerifier.SignedDelivery, secret: string, at = now) =>
  WebhookVerifier.make({ secrets: [Redacted.make(secret)] }).pipe(
    Effect.flatMap(({ verify }) => verify(delivery)),
    Effect.withClock(Object.assign(Clock.make(), { currentTimeMillis: Effect.succeed(at * 1000) }))
  )

/** The package knows only the standard key, so for the other one it is given the base64 of the whole secret. */
const reference = ({ secret, key }: Signer): standardwebhooks.Webhook =>
  new standardwebhooks.Webhook(key === "standard" ? secret : Buffer.from(secret).toString("base64"))

/** Why something was refused. A plain `Effect.flip` would print an accepted body byte by byte. */
const refused = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<E> =>
  Effect.flip(Effect.andThen(effect, Effect.dieMessage("accepted what had to be refused")))
const rejection = (promise: () => Promise<unknown>) => refused(Effect.tryPromise({ try: promise, catch: (e) => e }))
const thrown = (run: () => unknown): Effect.Effect<unknown> => refused(Effect.try({ try: run, catch: (e) => e }))

/** Types that it does not know, and a draft, whose number of an invoice it does not take to be `null`. */
const unreadableToOldSdk = new Set([
  "benefit.created.slack_shared_channel.json",
  "benefit_grant.created.slack_shared_channel.json",
  "benefit_grant.cycled.slack_shared_channel.json",
  "discount.created.fixed.json",
  "discount.created.percentage.json",
  "discount.deleted.json",
  "discount.updated.json",
  "order.created.draft.json",
  "subscription.cycled.json",
  "subscription.paused.json",
  "subscription.resumed.json"
])

const oldSdkVerdict = (body: Buffer, headers: Record<string, string>, secret: string) => {
  try {
    oldSdk.validateEvent(body, headers, secret)
    return "accepted"
  } catch (error) {
    return error instanceof oldSdk.WebhookVerificationError ? "refused" : "unreadable"
  }
}

const headersOf = (signer: Signer, body: Uint8Array, timestampSeconds = now): Record<string, string> => ({
  ...WebhookVerifier.signedHeaders({ ...signer, id, timestampSeconds, body })
})

/** What an attacker, or a framework, may do to a delivery; each leaves valid JSON of a known type. */
const tampered = (headers: Record<string, string>, body: Buffer) => [
  { what: "another body", headers, body: Buffer.from(body.toString().replace("2026", "2027")) },
  { what: "a reformatted body", headers, body: Buffer.from(JSON.stringify(JSON.parse(body.toString()), null, 1)) },
  { what: "another id", headers: { ...headers, "webhook-id": id.replace("3f", "4f") }, body },
  { what: "another timestamp", headers: { ...headers, "webhook-timestamp": `${now + 1}` }, body },
  {
    what: "another version",
    headers: { ...headers, "webhook-signature": `v2${headers["webhook-signature"]?.slice(2)}` },
    body
  }
]

describe("test vectors", () => {
  const Vectors = Schema.Struct({
    webhook_id: Schema.String,
    webhook_timestamp: Schema.NumberFromString,
    vectors: Schema.NonEmptyArray(
      Schema.Struct({
        secret_kind: Schema.String,
        secret: Schema.String,
        key: Schema.Literal("utf8_full_secret", "base64_remainder"),
        raw_body: Schema.optional(Schema.String),
        raw_body_file: Schema.optional(Schema.String),
        "webhook-signature": Schema.String
      })
    )
  })
  const { vectors, webhook_id, webhook_timestamp } = Schema.decodeUnknownSync(Schema.parseJson(Vectors))(
    fixture("polar-signature-vectors.json").toString()
  )

  for (const [index, vector] of vectors.entries()) {
    it.effect(`${index + 1}: ${vector.secret_kind}, ${vector.key}`, () =>
      Effect.gen(function* () {
        const body =
          vector.raw_body_file === undefined ? Buffer.from(vector.raw_body ?? "") : fixture(vector.raw_body_file)
        const headers = {
          "webhook-id": webhook_id,
          "webhook-timestamp": `${webhook_timestamp}`,
          "webhook-signature": vector["webhook-signature"]
        }
        const key = vector.key === "utf8_full_secret" ? "utf8" : "standard"
        const verified = yield* verify({ headers, body }, vector.secret, webhook_timestamp)
        assert.deepStrictEqual(verified, { id: webhook_id, attemptedAt: webhook_timestamp, secretIndex: 0, key, body })
        const ours = { secret: vector.secret, key, id: webhook_id, timestampSeconds: webhook_timestamp, body } as const
        assert.strictEqual(WebhookVerifier.sign(ours), vector["webhook-signature"])
      })
    )
  }
})

it("the fixtures are all there", () => {
  assert.strictEqual(bodies.length, 120)
})

for (const signer of signers) {
  describe(`${signer.secret.slice(0, 9)}…, ${signer.key} key`, () => {
    it.effect("we verify what standardwebhooks signs", () =>
      Effect.gen(function* () {
        for (const { body, name } of bodies) {
          const headers = {
            "webhook-id": id,
            "webhook-timestamp": `${now}`,
            "webhook-signature": reference(signer).sign(id, new Date(now * 1000), body)
          }
          assert.strictEqual((yield* verify({ headers, body }, signer.secret)).key, signer.key, name)
        }
      })
    )

    it.effect("standardwebhooks verifies what we sign, and refuses what we refuse", () =>
      Effect.gen(function* () {
        for (const { body, name } of bodies) {
          const headers = headersOf(signer, body)
          assert.deepStrictEqual(reference(signer).verify(body, headers), JSON.parse(body.toString()), name)
          for (const delivery of tampered(headers, body)) {
            const theirs = yield* thrown(() => reference(signer).verify(delivery.body, delivery.headers))
            assert.instanceOf(theirs, standardwebhooks.WebhookVerificationError, `${name}: ${delivery.what}`)
            yield* refused(verify(delivery, signer.secret))
          }
        }
      })
    )

    it.effect("Polar's SDK verifies what we sign, and refuses what we refuse", () =>
      Effect.gen(function* () {
        for (const { body, name } of bodies) {
          const headers = headersOf(signer, body)
          const event = yield* Effect.promise(() => webhooks.validateEvent(body, headers, signer.secret))
          assert.strictEqual(event.type, JSON.parse(body.toString()).type, name)
          for (const delivery of tampered(headers, body)) {
            const theirs = yield* rejection(() =>
              webhooks.validateEvent(delivery.body, delivery.headers, signer.secret)
            )
            assert.instanceOf(theirs, webhooks.PolarWebhookVerificationError, `${name}: ${delivery.what}`)
            yield* refused(verify(delivery, signer.secret))
          }
        }
      })
    )

    it("Polar's old SDK verifies what we sign with the utf8 key, and refuses what we refuse", () => {
      for (const { body, name } of bodies) {
        const headers = headersOf(signer, body)
        const genuine = unreadableToOldSdk.has(name) ? "unreadable" : "accepted"
        const expected = signer.key === "utf8" ? genuine : "refused"
        assert.strictEqual(oldSdkVerdict(body, headers, signer.secret), expected, name)
        for (const delivery of tampered(headers, body)) {
          const verdict = oldSdkVerdict(delivery.body, delivery.headers, signer.secret)
          assert.strictEqual(verdict, "refused", `${name}: ${delivery.what}`)
        }
      }
    })

    it.effect("all draw the same line in time", () =>
      Effect.gen(function* () {
        const body = fixture("polar-webhooks/subscription.active.json")
        // A second of slack either way, because only our clock stands still.
        for (const [offset, accepted] of [
          [-298, true],
          [298, true],
          [-302, false],
          [303, false]
        ] as const) {
          const at = Math.floor(Date.now() / 1000)
          const headers = headersOf(signer, body, at + offset)
          const ours = yield* Effect.either(verify({ headers, body }, signer.secret, at))
          const standard = yield* Effect.either(Effect.try(() => reference(signer).verify(body, headers)))
          const sdk = yield* Effect.either(
            Effect.tryPromise(() => webhooks.validateEvent(body, headers, signer.secret))
          )
          assert.deepStrictEqual(
            [ours._tag, standard._tag, sdk._tag],
            accepted ? ["Right", "Right", "Right"] : ["Left", "Left", "Left"],
            `${offset} s`
          )
        }
      })
    )
  })
}

describe("two signatures in one header", () => {
  it.effect("are accepted by all, whichever comes first", () =>
    Effect.gen(function* () {
      const body = fixture("polar-webhooks/order.paid.json")
      const [utf8, standard] = (["utf8", "standard"] as const).map((key) =>
        WebhookVerifier.sign({ secret: secrets.standard, key, id, timestampSeconds: now, body })
      )
      for (const signature of [`${standard} ${utf8}`, `${utf8} ${standard}`, `v1a,${"A".repeat(86)}== ${utf8}`]) {
        const headers = { "webhook-id": id, "webhook-timestamp": `${now}`, "webhook-signature": signature }
        assert.strictEqual((yield* verify({ headers, body }, secrets.standard)).id, id)
        yield* Effect.promise(() => webhooks.validateEvent(body, headers, secrets.standard))
        assert.strictEqual(oldSdk.validateEvent(body, headers, secrets.standard).type, "order.paid")
      }
    })
  )
})

import { assert, describe, it } from "@effect/vitest"
import * as PolarEvent from "@kavach-polar/core/PolarEvent"
import { Subscription, SubscriptionId, SubscriptionStatus } from "@kavach-polar/core/Subscription"
import { DateFromTimestamp, EpochMicrosFromString } from "@kavach-polar/core/Timestamp"
import { Either, FastCheck, Option, Schema } from "effect"
import * as PolarObjects from "../src/records/PolarObjects.ts"
import * as StoredJson from "../src/records/storedJson.ts"
import { informative } from "../src/values/wire.ts"
import { fixture } from "./deliveries.ts"

const names = ["subscription.active", "subscription.canceled", "subscription.paused", "subscription.revoked"]

const bodyOf = (name: string): Record<string, unknown> => JSON.parse(new TextDecoder().decode(fixture(name)))

const storedOf = (name: string): Record<string, unknown> =>
  JSON.parse(
    StoredJson.encodeSubscription(
      PolarObjects.toSubscription(Either.getOrThrow(PolarObjects.readSubscription(bodyOf(name)["data"])))
    )
  )

const anything = FastCheck.oneof(
  FastCheck.constantFrom(
    null,
    "",
    "a\0b",
    "\ud800",
    "x".repeat(64),
    "x".repeat(65),
    "ü",
    [],
    {},
    "2026-10-05T14:22:08Z",
    "2026-10-05T14:22:08.412345Z",
    "2026-10-05 14:22:08.412+02:00",
    "+010000-01-01T00:00:00.000Z",
    "2026-02-30T00:00:00Z",
    "subscription.active",
    "no type"
  ),
  FastCheck.string(),
  FastCheck.double({ noDefaultInfinity: true, noNaN: true }),
  FastCheck.boolean(),
  FastCheck.jsonValue(),
  FastCheck.constant(JSON.parse('{"__proto__":{"id":"x"},"id":"y","email":null}')),
  FastCheck.record({ appliesAt: FastCheck.constantFrom("2026-10-05T14:22:08.000Z", 1), productId: FastCheck.string() })
)

/** Objects with some of their fields replaced by anything, and some left out. */
const altered = (originals: ReadonlyArray<Record<string, unknown>>) =>
  FastCheck.constantFrom(...originals).chain((original) =>
    FastCheck.tuple(
      FastCheck.dictionary(FastCheck.constantFrom(...Object.keys(original)), anything, { maxKeys: 3 }),
      FastCheck.subarray(Object.keys(original), { maxLength: 1 })
    ).map(([fields, left]) => {
      const object: Record<string, unknown> = { ...original, ...fields }
      for (const key of left) delete object[key]
      return object
    })
  )

const sameAs = <A>(quick: Option.Option<A>, schema: Option.Option<A>) => {
  assert.deepStrictEqual(Option.getOrNull(quick), Option.getOrNull(schema))
  return Option.isSome(quick)
}

describe("what is stored as JSON", () => {
  const schemaSubscription = Schema.decodeUnknownOption(Schema.parseJson(Subscription))
  const sameSubscription = (text: string) => sameAs(StoredJson.decodeSubscription(text), schemaSubscription(text))

  it("a subscription reads as it was written", () => {
    for (const name of names) {
      const written = PolarObjects.toSubscription(
        Either.getOrThrow(
          PolarObjects.readSubscription({ ...Object(bodyOf(name)["data"]), metadata: { a: 1, b: "x" } })
        )
      )
      const read = StoredJson.decodeSubscription(StoredJson.encodeSubscription(written))
      assert.deepStrictEqual(Option.getOrThrow(read), written)
      assert.isTrue(Option.getOrThrow(read) instanceof Subscription)
    }
  })

  it("a subscription reads as the schema reads it, whatever is in its fields", () => {
    FastCheck.assert(
      FastCheck.property(altered(names.map(storedOf)), (stored) => {
        sameSubscription(JSON.stringify(stored))
      }),
      { numRuns: 2000 }
    )
    for (const text of ["", "null", "[]", "1", "{}", '"text"', "{"]) assert.isFalse(sameSubscription(text), text)
  })

  it("a notification's payload reads as the schema reads it", () => {
    const payload = {
      id: "sub_1",
      status: "active",
      productId: "prod_1",
      currentPeriodEnd: "2026-10-05T14:22:08.412Z",
      cancelAtPeriodEnd: false,
      seats: 3,
      amount: 5700,
      currency: "usd",
      trialEndsAt: "2026-10-05T14:22:08.412Z",
      access: { entitlement: "granted", reason: "The subscription is active.", until: null }
    }
    const decode = Schema.decodeUnknownOption(
      Schema.parseJson(
        Schema.Struct({
          id: SubscriptionId,
          status: SubscriptionStatus,
          productId: Schema.String,
          currentPeriodEnd: Schema.NullOr(DateFromTimestamp),
          cancelAtPeriodEnd: Schema.Boolean,
          seats: informative("seats", Schema.Number),
          amount: informative("amount", Schema.Number),
          currency: informative("currency", Schema.String),
          trialEndsAt: informative("trialEndsAt", DateFromTimestamp),
          access: informative(
            "access",
            Schema.Struct({
              entitlement: Schema.Literal("granted", "grace", "denied"),
              reason: Schema.String,
              until: Schema.NullOr(DateFromTimestamp)
            })
          )
        })
      )
    )
    assert.isTrue(sameAs(StoredJson.decodePayload(JSON.stringify(payload)), decode(JSON.stringify(payload))))
    FastCheck.assert(
      FastCheck.property(altered([payload]), (stored) => {
        const text = JSON.stringify(stored)
        sameAs(StoredJson.decodePayload(text), decode(text))
      }),
      { numRuns: 1000 }
    )
  })
})

describe("an event's envelope", () => {
  it("reads as the schema reads it", () => {
    const decode = Schema.decodeUnknownEither(
      Schema.Struct({
        type: Schema.String.pipe(Schema.pattern(/^[\w.:-]{1,255}$/)),
        timestamp: EpochMicrosFromString,
        data: Schema.Record({ key: Schema.String, value: Schema.Unknown })
      })
    )
    const same = (json: unknown) =>
      sameAs(Either.getRight(PolarEvent.readEnvelope(json)), Either.getRight(decode(json)))
    for (const name of names) assert.isTrue(same(bodyOf(name)), name)
    FastCheck.assert(
      FastCheck.property(altered(names.map(bodyOf)), (json) => void same(json)),
      { numRuns: 1000 }
    )
  })
})

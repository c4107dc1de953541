import { assert, describe, it } from "@effect/vitest"
import { Subscription } from "@kavach-polar/core/Subscription"
import { Either, FastCheck, Schema } from "effect"
import * as PolarObjects from "../src/records/PolarObjects.ts"
import { fixture } from "./deliveries.ts"

const dataOf = (name: string): Record<string, unknown> => JSON.parse(new TextDecoder().decode(fixture(name))).data

const names = [
  "subscription.active",
  "subscription.canceled",
  "subscription.created.trialing",
  "subscription.past_due",
  "subscription.paused",
  "subscription.revoked",
  "subscription.updated"
]

const bySchema = Schema.decodeUnknownEither(PolarObjects.PolarSubscription)

const same = (data: unknown) => {
  const [quick, schema] = [PolarObjects.readSubscription(data), bySchema(data)]
  assert.deepStrictEqual(Either.getOrNull(quick), Either.getOrNull(schema))
  return Either.isRight(quick)
}

const time = FastCheck.oneof(
  FastCheck.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  FastCheck.constantFrom(
    "2026-10-05T14:22:08Z",
    "2026-10-05T14:22:08.4Z",
    "2026-10-05T14:22:08.412345Z",
    "2026-10-05T14:22:08.412345678Z",
    "2026-10-05T14:22:08.999999999Z",
    "2026-10-05T24:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59.999999Z",
    "2026-10-05 14:22:08.412345Z",
    "2026-10-05T14:22:08.412345",
    "2026-10-05T14:22:08.412345+02:00",
    "2026-10-05T14:22:08.Z",
    "2026-10-05"
  )
)

const anything = FastCheck.oneof(
  FastCheck.constantFrom(null, undefined, "", "a\0b", "\ud800", "x".repeat(64), "x".repeat(65), " ", "ü", [], {}),
  FastCheck.string(),
  FastCheck.double(),
  FastCheck.boolean(),
  time,
  FastCheck.jsonValue(),
  FastCheck.constant(JSON.parse('{"__proto__":{"id":"x"},"id":"y"}')),
  FastCheck.record({ applies_at: time, product_id: FastCheck.string(), seats: FastCheck.double() })
)

describe("a subscription is read", () => {
  it("from every example, and without the schema's help the same", () => {
    for (const name of names) assert.isTrue(same(dataOf(name)), name)
  })

  it("as the schema reads it, whatever is in its fields and in theirs", () => {
    const keys = Object.keys(PolarObjects.PolarSubscription.fields)
    const inner = ["customer", "product", "pending_update"] as const
    FastCheck.assert(
      FastCheck.property(
        FastCheck.constantFrom(...names),
        FastCheck.dictionary(FastCheck.constantFrom(...keys), anything, { maxKeys: 3 }),
        FastCheck.option(
          FastCheck.tuple(
            FastCheck.constantFrom(...inner),
            FastCheck.dictionary(
              FastCheck.constantFrom("id", "external_id", "email", "name", "organization_id", "deleted_at", "units"),
              anything
            )
          )
        ),
        (name, fields, nested) => {
          const data = { ...dataOf(name), ...fields }
          if (nested !== null) {
            const [key, values] = nested
            const object = data[key]
            data[key] = { ...(typeof object === "object" ? object : {}), ...values }
          }
          same(data)
        }
      ),
      { numRuns: 2000 }
    )
  })

  it("and nothing else is taken for one", () => {
    for (const data of [null, undefined, 1, "text", [], {}, [dataOf("subscription.active")]]) {
      assert.isFalse(same(data), JSON.stringify(data))
    }
  })

  it("and stored as the schema encodes it", () => {
    for (const name of names) {
      const data = { ...dataOf(name), metadata: { b: 1, a: true, "": "x" }, custom_field_data: { when: null } }
      const subscription = PolarObjects.toSubscription(Either.getOrThrow(PolarObjects.readSubscription(data)))
      assert.strictEqual(JSON.stringify(subscription), JSON.stringify(Schema.encodeSync(Subscription)(subscription)))
    }
  })
})

it("a change that waits for the next period dates what is read from Polar, as its own row does", () => {
  const changedAt = (modified_at: string | null, pending: object | null) =>
    PolarObjects.changedAt(
      Either.getOrThrow(
        PolarObjects.readSubscription({
          ...dataOf("subscription.active"),
          created_at: "2026-10-01T00:00:00Z",
          modified_at,
          pending_update:
            pending === null ? null : { applies_at: "2026-11-05T00:00:00Z", product_id: null, seats: 3, ...pending }
        })
      )
    )
  const micros = (text: string) => Date.parse(text) * 1000
  const [early, late] = ["2026-10-02T00:00:00Z", "2026-10-03T00:00:00Z"]
  assert.strictEqual(changedAt(early, { created_at: late, modified_at: null }), micros(late))
  assert.strictEqual(changedAt(late, { created_at: early, modified_at: null }), micros(late))
  assert.strictEqual(changedAt(early, { created_at: early, modified_at: late }), micros(late))
  assert.strictEqual(changedAt(early, {}), micros(early))
  assert.strictEqual(changedAt(early, null), micros(early))
})

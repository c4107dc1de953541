/** What holds for every kind of record: how it is read, stored and read back, and what of it is never kept. */
import { readdirSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck, Option } from "effect"
import { checkoutKind } from "../src/records/Checkout.ts"
import { customerKind } from "../src/records/Customer.ts"
import { customerSeatKind } from "../src/records/CustomerSeat.ts"
import { customerStateKind } from "../src/records/CustomerState.ts"
import { discountKind } from "../src/records/Discount.ts"
import * as DeliveryContent from "../src/records/deliveryContent.ts"
import type { Kind } from "../src/records/Kind.ts"
import { kindNamed, kinds, withoutPerson } from "../src/records/kinds.ts"
import { memberKind } from "../src/records/Member.ts"
import { organizationKind } from "../src/records/Organization.ts"
import { EpochMicros } from "../src/values/Timestamp.ts"
import { altered } from "./alteredObjects.ts"
import { fixture } from "./deliveries.ts"

type Json = Readonly<Record<string, unknown>>

const names = readdirSync(new URL("../../../test/fixtures/polar-webhooks/", import.meta.url)).map((file) =>
  file.replace(/\.json$/, "")
)

const bodyOf = (name: string): { readonly type: string; readonly data: Json } =>
  JSON.parse(new TextDecoder().decode(fixture(name)))

const at = EpochMicros.make(Date.parse("2026-12-01T00:00:00Z") * 1000)

const ofKey = {
  benefit_id: "b",
  customer_id: "c",
  organization_id: "o",
  display_key: "****-9F04B1",
  usage: 1,
  limit_usage: 3,
  expires_at: "2027-01-01T00:00:00.000Z"
}
const activation = { id: "a", label: "Ada's desk", meta: { cpu: "x" } }

/** What no event carries, as it is written. */
const written: Readonly<Record<string, ReadonlyArray<Json>>> = {
  license_key: [
    {
      ...ofKey,
      id: "k",
      subscription_id: null,
      order_id: "p",
      sealed_key: "c2VhbGVk",
      status: "granted",
      limit_activations: 2,
      activations: [activation],
      read_at: "2026-12-01T00:00:00.000Z"
    }
  ],
  license_answer: [
    {
      ...ofKey,
      id: "f".repeat(64),
      is_valid: true,
      license_key_id: "k",
      activation,
      conditions: null,
      checked_at: "2026-12-01T00:00:00.000Z"
    }
  ]
}

const fixturesOf = (kind: Kind<unknown>): ReadonlyArray<{ readonly type?: string; readonly data: Json }> =>
  written[kind.name]?.map((data) => ({ data })) ?? sentOf(kind)

const sentOf = ({ eventTypes, name }: Kind<unknown>) =>
  names
    .filter((one) => one.startsWith(name === "customer_state" ? "customer.state_changed" : `${name}.`))
    .map(bodyOf)
    .filter(({ type }) => name === "customer_state" || eventTypes.includes(type))

const read = (kind: Kind<unknown>, data: unknown, type?: string) =>
  Either.getOrThrow(kind.read(data, type === undefined ? undefined : { type, at }))

const precedenceOf = (kind: Kind<unknown>, data: Json, type?: string) => read(kind, data, type).precedence

const secrets =
  /polar_(?:c|cst|mst|oat|pat)_|whsec_|\b\d{1,3}(?:\.\d{1,3}){3}\b|rue des Lilas|Torstra|DE123456789|gravatar|pk_test/

/** Each state after those before it, of one time. */
const ladder = (kind: Kind<unknown>, states: ReadonlyArray<readonly [data: Json, type?: string]>) => {
  const found = states.map(([data, type]) => precedenceOf(kind, data, type))
  assert.deepStrictEqual(
    [...new Set(found)].sort((a, b) => a - b),
    found,
    kind.name
  )
}

describe("every kind", () => {
  for (const kind of kinds) {
    it(`${kind.name}: is read back as it was read, whatever was in it, and reading never throws`, () => {
      const bodies = fixturesOf(kind)
      assert.isAbove(bodies.length, 0)
      FastCheck.assert(
        FastCheck.property(altered(bodies.map(({ data }) => data)), (data) => {
          const report = kind.read(data)
          if (Either.isLeft(report)) return
          const { precedence, status, summary } = report.right
          assert.isTrue(Option.isSome(kind.fromStored(report.right.data)))
          assert.isTrue(Number.isSafeInteger(precedence) && precedence >= 0 && precedence < 2 ** 48)
          assert.isTrue(status.length > 0 && status.length <= 64)
          assert.isObject(JSON.parse(summary))
          assert.isTrue(Option.isSome(kind.fromStored(withoutPerson(report.right).data)))
        }),
        { numRuns: 300 }
      )
    })
  }

  it("has a name that fits into its column", () => {
    for (const { name } of kinds) assert.isAtMost(name.length, 16, name)
  })

  it("keeps no secret, no address and no number by which somebody is known elsewhere", () => {
    for (const kind of kinds) {
      for (const { data, type } of fixturesOf(kind)) {
        const { data: stored, summary } = read(kind, data, type)
        assert.notMatch(stored + summary, secrets, `${kind.name}, of ${type}`)
      }
    }
  })

  it("says of whose organization it is, but for what Polar does not say it of", () => {
    const own = "0f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e01"
    const other = "00000000-0000-4000-8000-000000000000"
    for (const name of names) {
      const { content } = DeliveryContent.readBytes(fixture(name), own)
      assert.include(["RecordEvent", "CustomerEvent"], content._tag, name)
      const foreign = DeliveryContent.readBytes(fixture(name), other).content._tag
      const isSilent = content._tag === "RecordEvent" && kindNamed(content.report.kind)?.namesOrganization === false
      assert.strictEqual(foreign, isSilent ? "RecordEvent" : "ForeignEvent", name)
    }
  })
})

describe("of two states of one time", () => {
  const changed = { modified_at: "2026-11-01T00:00:00.001Z" }

  it("a checkout's later change counts, and then the status that comes later", () => {
    const one = { id: "c" }
    ladder(checkoutKind, [
      ...["open", "confirmed", "failed", "expired", "succeeded", "undone"].map(
        (status) => [{ ...one, status }] as const
      ),
      [{ ...one, ...changed, status: "open" }]
    ])
  })

  it("a seat that was given again counts, and never the one that was taken", () => {
    const one = { id: "s" }
    ladder(customerSeatKind, [
      ...["revoked", "pending", "claimed"].map((status) => [{ ...one, status }] as const),
      [{ ...one, status: "revoked", revoked_at: "2026-11-01T00:00:00Z" }],
      [{ ...one, status: "pending", ...changed }],
      [{ ...one, status: "claimed", claimed_at: "2026-11-02T00:00:00Z" }]
    ])
  })

  it("of a discount, a member and a customer the deletion counts, and before it the later change", () => {
    ladder(discountKind, [[{ id: "d" }], [{ id: "d", ...changed }], [{ id: "d" }, "discount.deleted"]])
    const member = { id: "m", customer_id: "c" }
    ladder(memberKind, [[member], [{ ...member, ...changed }], [member, "member.deleted"]])
    ladder(customerKind, [[{ id: "c" }], [{ id: "c", ...changed }], [{ id: "c" }, "customer.deleted"]])
  })

  it("of an organization and a customer's state the later change counts", () => {
    ladder(organizationKind, [[{ id: "o" }], [{ id: "o", ...changed }]])
    const meter = { id: "x", meter_id: "y", created_at: "2026-10-01T00:00:00Z" }
    ladder(customerStateKind, [
      [{ id: "c" }],
      [{ id: "c", active_meters: [meter] }],
      [{ id: "c", active_meters: [{ ...meter, ...changed }] }]
    ])
  })
})

describe("a customer's state", () => {
  it("is of what can be read of it", () => {
    const { data } = bodyOf("customer.state_changed.commerce")
    const odd = { ...data, granted_benefits: [7, { id: "no-benefit" }, { id: "g", benefit_id: "b" }], active_meters: 5 }
    const state = Option.getOrThrow(customerStateKind.fromStored(read(customerStateKind, odd).data))
    assert.deepInclude(state, { activeMeters: [] })
    assert.deepStrictEqual(
      state.grantedBenefits.map(({ id }): string => id),
      ["g"]
    )
    assert.lengthOf(state.activeSubscriptions, 1)
  })
})

/** Benefits: who is given them by what they bought, what is told of it, and what takes them back. */
import { assert, describe, it } from "@effect/vitest"
import { type Records, Seed, Simulator, Subscriptions } from "@kavach-polar/simulator"
import { Effect, HashMap } from "effect"
import { bought, boughtOnce, layer, subscriptionNow, watch } from "./scene.ts"

const flag: Seed.BenefitInput = {
  id: "7a8b9c0d-f241-4a6f-9e8d-9b0c1d2e3f71",
  type: "feature_flag",
  description: "Exports",
  metadata: { key: "exports", rows: 100 }
}
const support: Seed.BenefitInput = {
  id: "2f3a4b5c-4796-4fb4-a3d2-4a5b6c7d8e76",
  type: "custom",
  description: "Priority support"
}
const key: Seed.BenefitInput = {
  id: "45609ab2-3fe0-4df5-b3e3-b3b1e942e3fd",
  type: "license_keys",
  description: "Desktop licence",
  prefix: "ACME",
  expires: { ttl: 1, timeframe: "month" },
  limitActivations: 2
}
const role: Seed.BenefitInput = {
  id: "25867994-392f-450d-b585-6f45f00bbf34",
  type: "discord",
  description: "Members Discord"
}

const products: ReadonlyArray<Seed.ProductInput> = [
  { ...Seed.products.pro, benefits: [flag, key] },
  { ...Seed.products.team, benefits: [flag, support] },
  { ...Seed.products.trial, benefits: [flag] },
  { ...Seed.products.lifetime, benefits: [flag, key, role] }
]

const scene = layer({ products })

/** The types of what was told of benefits, and that the customer's state was. */
const watchGrants = Effect.map(watch, (types) =>
  Effect.map(types, (all) => all.filter((type) => /^(?:benefit|product|customer\.state)/.test(type)))
)

/** Each grant as its benefit's type and what it is. */
const grants = Effect.flatMap(Simulator.Simulator, (simulator) =>
  simulator.read(({ tables }) =>
    Array.from(HashMap.values(tables.grants))
      .sort((one, other) => one.created_at - other.created_at)
      .map((grant) => ({ ...grant, type: HashMap.unsafeGet(tables.benefits, grant.benefit_id).type }))
  )
)
const inShort = Effect.map(grants, (all) =>
  all.map(
    ({ granted_at, revoked_at, type }) =>
      `${type} ${granted_at !== null ? "granted" : revoked_at !== null ? "revoked" : "waiting"}`
  )
)
const grantOf = (type: Records.Benefit["type"]) =>
  Effect.map(grants, (all) => all.find((grant) => grant.type === type) ?? assert.fail(`no grant of ${type}`))

const keys = Effect.flatMap(Simulator.Simulator, (simulator) =>
  simulator.read(({ tables }) => Array.from(HashMap.values(tables.licenseKeys)))
)

describe("what is bought once", () => {
  it.effect("gives all of its benefits, after the purchase is told; what needs the buyer waits", () =>
    Effect.gen(function* () {
      const types = yield* watch
      const order = yield* boughtOnce()
      assert.deepStrictEqual((yield* types).slice(-6), [
        "order.paid",
        "checkout.updated",
        "benefit_grant.created",
        "benefit_grant.created",
        "benefit_grant.created",
        "customer.state_changed"
      ])
      assert.deepStrictEqual(yield* inShort, ["feature_flag granted", "license_keys granted", "discord waiting"])
      const all = yield* grants
      assert.isTrue(all.every(({ order_id, subscription_id }) => order_id === order.id && subscription_id === null))
      const [one] = yield* keys
      assert.match(one?.key ?? "", /^ACME-/)
      assert.strictEqual(one?.limit_activations, 2)
      assert.isNotNull(one?.expires_at)
      assert.strictEqual((yield* grantOf("license_keys")).properties["license_key_id"], one?.id)
    }).pipe(Effect.provide(scene))
  )

  it.effect("keeps them when money goes back, unless it is asked to take them back: then all of them", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id } = yield* boughtOnce()
      const told = yield* watchGrants
      yield* simulator.refund(id, { amount: 100 })
      assert.deepStrictEqual(yield* told, [])
      // A part is enough, and so is that it is pending; that it fails undoes nothing.
      yield* simulator.holdNextRefund
      const { id: refund } = yield* simulator.refund(id, { amount: 100, revoke_benefits: true })
      assert.deepStrictEqual(yield* told, [
        "benefit_grant.revoked",
        "benefit_grant.revoked",
        "benefit_grant.revoked",
        "customer.state_changed"
      ])
      yield* simulator.settleRefund(refund, "failed")
      assert.deepStrictEqual(yield* told, [])
      assert.deepStrictEqual(yield* inShort, ["feature_flag revoked", "license_keys revoked", "discord revoked"])
      assert.strictEqual((yield* keys)[0]?.status, "revoked")
    }).pipe(Effect.provide(scene))
  )

  it.effect(
    "gives them back, under the same ids, when the product's benefits are edited: Polar looks at no refund",
    () =>
      Effect.gen(function* () {
        const simulator = yield* Simulator.Simulator
        const { id } = yield* boughtOnce()
        yield* simulator.refund(id, { revoke_benefits: true })
        const before = yield* grants
        const told = yield* watchGrants
        yield* simulator.setProductBenefits(Seed.products.lifetime.id, [key.id, support.id])
        assert.deepStrictEqual(yield* told, [
          "product.updated",
          "benefit_grant.created",
          "benefit_grant.created",
          "customer.state_changed"
        ])
        assert.deepStrictEqual(yield* inShort, [
          "feature_flag revoked",
          "license_keys granted",
          "discord revoked",
          "custom granted"
        ])
        const after = yield* grants
        assert.deepStrictEqual(
          after.slice(0, 3).map(({ id }) => id),
          before.map(({ id }) => id)
        )
        const all = yield* keys
        assert.deepStrictEqual(
          all.map(({ status }) => status),
          ["granted"]
        )
      }).pipe(Effect.provide(scene))
  )

  it.effect("twice gives two grants of each", () =>
    Effect.gen(function* () {
      yield* boughtOnce()
      yield* boughtOnce()
      assert.lengthOf(yield* grants, 6)
      assert.lengthOf(yield* keys, 2)
    }).pipe(Effect.provide(scene))
  )
})

describe("a subscription", () => {
  it.effect("gives what its product gives, goes on with it when a renewal is paid, and takes it back at the end", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      assert.deepStrictEqual(yield* inShort, ["feature_flag granted", "license_keys granted"])
      assert.isNull((yield* keys)[0]?.expires_at)
      const before = yield* grants
      const types = yield* watch
      yield* simulator.advance("32 days")
      assert.deepStrictEqual(yield* types, [
        "subscription.cycled",
        "subscription.updated",
        "order.created",
        "order.updated",
        "order.paid",
        "benefit_grant.cycled",
        "benefit_grant.cycled",
        "customer.state_changed"
      ])
      const cycled = yield* grants
      assert.deepStrictEqual(
        cycled.map(({ created_at, granted_at }) => [created_at, granted_at]),
        before.map(({ created_at, granted_at }) => [created_at, granted_at])
      )
      assert.isTrue(cycled.every(({ modified_at }) => modified_at !== null))
      yield* simulator.run(Subscriptions.cancel(id, {}))
      assert.deepStrictEqual(yield* inShort, ["feature_flag granted", "license_keys granted"])
      yield* types
      yield* simulator.advance("32 days")
      assert.deepStrictEqual((yield* types).slice(-4), [
        "subscription.revoked",
        "benefit_grant.revoked",
        "benefit_grant.revoked",
        "customer.state_changed"
      ])
    }).pipe(Effect.provide(scene))
  )

  it.effect("on trial gives them too, and goes on with them when the trial becomes paid", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* bought(Seed.products.trial.id)
      const told = yield* watchGrants
      yield* simulator.advance("15 days")
      assert.deepStrictEqual(yield* told, ["benefit_grant.cycled", "customer.state_changed"])
    }).pipe(Effect.provide(scene))
  )

  it.effect("that is past due takes them back at once, and gives them again under the same ids when it is paid", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      const before = yield* grants
      const told = yield* watchGrants
      yield* simulator.failNextPayment()
      yield* simulator.advanceTo(new Date((yield* subscriptionNow(id)).current_period_end / 1000))
      assert.deepStrictEqual(yield* told, ["benefit_grant.revoked", "benefit_grant.revoked", "customer.state_changed"])
      yield* simulator.advance("3 days")
      assert.deepStrictEqual(yield* told, ["benefit_grant.created", "benefit_grant.created", "customer.state_changed"])
      assert.deepStrictEqual(
        (yield* grants).map(({ id, properties }) => [id, properties]),
        before.map(({ id, properties }) => [id, properties])
      )
      assert.strictEqual((yield* keys)[0]?.status, "granted")
    }).pipe(Effect.provide(scene))
  )

  it.effect("that is past due keeps them while the organization is patient; the next attempt at a charge ends it", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      const told = yield* watchGrants
      for (let attempt = 0; attempt < 3; attempt++) yield* simulator.failNextPayment()
      yield* simulator.advanceTo(new Date((yield* subscriptionNow(id)).current_period_end / 1000))
      yield* simulator.advance("3 days")
      assert.notInclude(yield* told, "benefit_grant.revoked")
      yield* simulator.advance("3 days")
      assert.notInclude(yield* told, "benefit_grant.revoked")
      yield* simulator.advance("2 days")
      assert.deepStrictEqual(yield* told, ["benefit_grant.revoked", "benefit_grant.revoked", "customer.state_changed"])
    }).pipe(Effect.provide(layer({ products, benefitGraceDays: 7 })))
  )

  it.effect("that is paused takes them back, and gives them again when it is resumed", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = yield* bought()
      yield* simulator.run(Subscriptions.schedulePause(id, true, null))
      yield* simulator.advance("32 days")
      assert.deepStrictEqual(yield* inShort, ["feature_flag revoked", "license_keys revoked"])
      const told = yield* watchGrants
      yield* simulator.run(Subscriptions.resume(id))
      assert.deepStrictEqual(yield* told, ["benefit_grant.created", "benefit_grant.created", "customer.state_changed"])
    }).pipe(Effect.provide(scene))
  )
})

describe("the merchant", () => {
  it.effect(
    "edits a feature flag, which is told of the benefit alone, and a license key's limit, which its grants tell too",
    () =>
      Effect.gen(function* () {
        const simulator = yield* Simulator.Simulator
        yield* boughtOnce()
        const told = yield* watchGrants
        yield* simulator.updateBenefit(flag.id, { metadata: { key: "exports", rows: 1000 } })
        assert.deepStrictEqual(yield* told, ["benefit.updated"])
        yield* simulator.updateBenefit(key.id, { properties: { limit_usage: 5 } })
        assert.deepStrictEqual(yield* told, ["benefit.updated", "benefit_grant.updated", "customer.state_changed"])
        const [one] = yield* keys
        assert.deepInclude(one, { limit_usage: 5, limit_activations: 2, status: "granted" })
      }).pipe(Effect.provide(scene))
  )

  it.effect("deletes a benefit, and nobody has it any more", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* boughtOnce()
      const told = yield* watchGrants
      yield* simulator.deleteBenefit(flag.id)
      assert.deepStrictEqual(yield* told, ["benefit.updated", "benefit_grant.revoked", "customer.state_changed"])
      yield* boughtOnce()
      assert.lengthOf(yield* grants, 5)
      assert.strictEqual((yield* Effect.flip(simulator.updateBenefit(flag.id, {}))).status, 404)
    }).pipe(Effect.provide(scene))
  )

  it.effect("makes and edits products; what they may give has to be there", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const told = yield* watchGrants
      const fresh = { id: "5d6e7f8a-9b0c-4d1e-8f2a-3b4c5d6e7f80", name: "Pack", amount: 900, interval: null } as const
      const benefit = { ...support, id: "6e7f8a9b-0c1d-4e2f-9a3b-4c5d6e7f8a91" } as const
      yield* simulator.createProduct({ ...fresh, benefits: [benefit, flag] })
      yield* simulator.updateProduct(fresh.id, { archived: true })
      assert.deepStrictEqual(yield* told, ["benefit.created", "product.created", "product.updated"])
      const refusal = yield* Effect.flip(simulator.setProductBenefits(fresh.id, [fresh.id]))
      assert.include(refusal.message, "Benefit does not exist.")
    }).pipe(Effect.provide(scene))
  )
})

describe("a grant that waits for the customer", () => {
  it.effect("is granted when the account is connected, once, and at once when it comes back", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id: order } = yield* boughtOnce()
      const { error, id } = yield* grantOf("discord")
      assert.strictEqual(error?.type, "BenefitActionRequiredError")
      const told = yield* watchGrants
      const granted = yield* simulator.connectAccount(id, "42")
      assert.deepStrictEqual(yield* told, ["benefit_grant.updated", "customer.state_changed"])
      assert.isNull(granted.error)
      assert.deepInclude(granted.properties, { account_id: "42", granted_account_id: "42" })
      assert.strictEqual((yield* Effect.flip(simulator.connectAccount(id))).status, 409)
      yield* simulator.refund(order, { amount: 100, revoke_benefits: true })
      assert.deepStrictEqual((yield* grantOf("discord")).properties, { account_id: "42" })
      yield* simulator.setProductBenefits(Seed.products.lifetime.id, [role.id])
      const again = yield* grantOf("discord")
      assert.strictEqual(again.id, id)
      assert.isNotNull(again.granted_at)
    }).pipe(Effect.provide(scene))
  )
})

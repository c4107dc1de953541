/** The examples of docs/simulator.md, run. */
import { Effect } from "effect"
import { assert, test } from "vitest"
import { whatABuyerHas } from "../examples/simulatorBenefits.ts"
import { accessOfABuyer } from "../examples/simulatorLayers.ts"
import { aRenewalThatFails } from "../examples/simulatorPromises.ts"
import { aTeamThatGrows } from "../examples/simulatorQuantities.ts"
import { withPolarsOwnSdk } from "../examples/simulatorSdk.ts"

test("a renewal that fails", async () => {
  const { bought, unpaid } = await aRenewalThatFails()
  assert.strictEqual(bought?.status, "active")
  assert.strictEqual(unpaid?.status, "past_due")
})

test("layers", async () => {
  const { entitlement } = await Effect.runPromise(accessOfABuyer)
  assert.strictEqual(entitlement, "granted")
})

test("Polar's own SDK", async () => {
  const [subscription] = await withPolarsOwnSdk()
  assert.deepStrictEqual(subscription, { product_id: "c3d4e5f6-51a2-4b7c-9da4-ae1f2a3b4c62", status: "trialing" })
})

test("what a buyer has", async () => {
  assert.deepStrictEqual(await whatABuyerHas(), { rows: 1000, refunded: false })
})

test("a team that grows", async () => {
  assert.deepStrictEqual(await aTeamThatGrows(), { seats: 12, amount: 4800, prorations: 1 })
})

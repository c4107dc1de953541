/** Nobody reaches what is another user's, by any id and any call: it is not found, and nothing changes anywhere. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import type { Polar } from "@kavach-polar/http"
import { Seed } from "@kavach-polar/simulator"
import Database from "better-sqlite3"
import { expect, test } from "vitest"
import { outcome, type Scene, withScene } from "./BillingScene.ts"

const { lifetime, pro, team } = Seed.products
const flag = {
  id: "1b3f9f0e-5b0d-4c6e-9c55-2a7b5d0c1e11",
  type: "feature_flag" as const,
  description: "Exports",
  metadata: { key: "export" }
}

/** What is Ada's, and Mallory tries. */
interface Ids {
  readonly subscriptionId: string
  readonly orderId: string
  readonly checkoutId: string
}

type Try = (billing: Polar, ids: Ids) => Promise<unknown>

const mallory = "mallory"

/** Calls that take an id and say for whom; each with how it must end. */
const refused: Readonly<Record<string, readonly [Try, string]>> = {
  createCheckout: [
    ({ createCheckout }, { subscriptionId }) => createCheckout(mallory, team.id, { subscriptionId }),
    "SubscriptionNotFound"
  ],
  "subscriptions.change": [
    ({ subscriptions }, { subscriptionId }) => subscriptions.change(mallory, { product: team.id, subscriptionId }),
    "SubscriptionNotFound"
  ],
  "subscriptions.preview": [
    ({ subscriptions }, { subscriptionId }) => subscriptions.preview(mallory, { product: team.id, subscriptionId }),
    "SubscriptionNotFound"
  ],
  "subscriptions.cancel": [
    ({ subscriptions }, { subscriptionId }) => subscriptions.cancel(mallory, { subscriptionId }),
    "SubscriptionNotFound"
  ],
  "subscriptions.uncancel": [
    ({ subscriptions }, { subscriptionId }) => subscriptions.uncancel(mallory, { subscriptionId }),
    "SubscriptionNotFound"
  ],
  "subscriptions.revoke": [
    ({ subscriptions }, { subscriptionId }) => subscriptions.revoke(mallory, { subscriptionId }),
    "SubscriptionNotFound"
  ],
  "subscriptions.pause": [
    ({ subscriptions }, { subscriptionId }) => subscriptions.pause(mallory, { subscriptionId }),
    "SubscriptionNotFound"
  ],
  "subscriptions.resume": [
    ({ subscriptions }, { subscriptionId }) => subscriptions.resume(mallory, { subscriptionId }),
    "SubscriptionNotFound"
  ],
  "subscriptions.extendTrial": [
    ({ subscriptions }, { subscriptionId }) =>
      subscriptions.extendTrial(mallory, new Date("2030-01-01"), { subscriptionId }),
    "SubscriptionNotFound"
  ],
  "subscriptions.endTrial": [
    ({ subscriptions }, { subscriptionId }) => subscriptions.endTrial(mallory, { subscriptionId }),
    "SubscriptionNotFound"
  ],
  "subscriptions.applyDiscount": [
    ({ subscriptions }, { subscriptionId }) => subscriptions.applyDiscount(mallory, null, { subscriptionId }),
    "SubscriptionNotFound"
  ],
  "subscriptions.undoPending": [
    ({ subscriptions }, { subscriptionId }) => subscriptions.undoPending(mallory, { subscriptionId }),
    "SubscriptionNotFound"
  ],
  "checkouts.get": [
    ({ checkouts }, { checkoutId }) => checkouts.get(checkoutId, { userId: mallory }),
    "CheckoutNotFound"
  ],
  "checkouts.complete": [
    ({ checkouts }, { checkoutId }) => checkouts.complete(mallory, checkoutId),
    "CheckoutNotFound"
  ],
  "orders.invoice": [({ orders }, { orderId }) => orders.invoice(orderId, { userId: mallory }), "OrderNotFound"],
  "orders.receipt": [({ orders }, { orderId }) => orders.receipt(orderId, { userId: mallory }), "OrderNotFound"]
}

/** Calls that take no id but the user's own: what they answer to somebody who has nothing. */
const own: Readonly<Record<string, readonly [(billing: Polar) => Promise<unknown>, unknown]>> = {
  getSubscription: [({ getSubscription }) => getSubscription(mallory), null],
  listSubscriptions: [({ listSubscriptions }) => listSubscriptions(mallory), []],
  access: [async ({ access }) => (await access(mallory)).entitlement, "denied"],
  "orders.list": [({ orders }) => orders.list(mallory), []],
  "orders.owns": [({ orders }) => orders.owns(mallory, lifetime.id), false],
  "benefits.has": [({ benefits }) => benefits.has(mallory, "export"), false],
  "benefits.get": [({ benefits }) => benefits.get(mallory, flag.id), null],
  "benefits.list": [({ benefits }) => benefits.list(mallory), []],
  "licenseKeys.list": [({ licenseKeys }) => licenseKeys.list(mallory), []],
  "portal.url": [({ portal }) => outcome(portal.url(mallory)), "NoCustomer"],
  createPortalSession: [({ createPortalSession }) => outcome(createPortalSession(mallory)), "NoCustomer"],
  "customers.of": [async ({ customers }) => (await customers.of(mallory)).customers, []],
  "privacy.export": [async ({ privacy }) => (await privacy.export(mallory)).records, []]
}

/** The app's own, and its operators': they are for no user, or for whoever holds a key. */
const ofTheApp = new Set(
  "orders.get orders.refund products.get products.list licenseKeys.validate licenseKeys.activate licenseKeys.deactivate customers.waiting customers.timeline customers.link customers.move customers.unlink privacy.erase privacy.erasures privacy.resume linkCustomer linkWaiting replay reconcile reconcileAll notifications.dead notifications.retry notifications.bury settled start handler console webhook webhookListener dispose init health".split(
    " "
  )
)

const withAda = async (use: (scene: Scene, ids: Ids, state: () => Promise<unknown>) => Promise<void>) => {
  const folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  const filename = join(folder, "app.db")
  const plan = { ...pro, benefits: [flag] }
  try {
    await withScene(
      { products: [plan, team, lifetime], allowMultipleSubscriptions: true },
      { store: SqliteStore.layer({ filename }), refreshWhenDenied: false },
      async (scene) => {
        const { billing, simulator } = scene
        await scene.buy(pro.id, "ada")
        await scene.buy(lifetime.id, "ada")
        const { id: checkoutId } = await billing.createCheckout("ada", team.id, { ifSubscribed: "buy" })
        await simulator.flush()
        await billing.settled()
        const [subscription] = await billing.listSubscriptions("ada")
        const order = (await billing.orders.list("ada")).find(({ productId }) => productId === lifetime.id)
        const database = new Database(filename, { readonly: true })
        const tables = database
          .prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
          .pluck()
          .all() as ReadonlyArray<string>
        const state = async () => [
          tables.map((table) => [table, database.prepare(`SELECT * FROM ${table}`).all()]),
          await simulator.read((world) => JSON.stringify(world.tables))
        ]
        try {
          await use(scene, { subscriptionId: subscription?.id ?? "", orderId: order?.id ?? "", checkoutId }, state)
        } finally {
          database.close()
        }
      }
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test("by the ids of what another user has", async () => {
  await withAda(async ({ billing }, ids, state) => {
    for (const id of Object.values(ids)) expect(id).toMatch(/^[0-9a-f-]{36}$/)
    const before = await state()
    for (const [name, [attempt, tag]] of Object.entries(refused)) {
      expect(await outcome(attempt(billing, ids)), name).toBe(tag)
      // In capitals an id is the same.
      const inCapitals: Ids = {
        subscriptionId: ids.subscriptionId.toUpperCase(),
        orderId: ids.orderId.toUpperCase(),
        checkoutId: ids.checkoutId.toUpperCase()
      }
      expect(await outcome(attempt(billing, inCapitals)), `${name} in capitals`).toBe(tag)
    }
    expect(await state()).toEqual(before)
  })
}, 60_000)

test("by the calls that take no id", async () => {
  await withAda(async ({ billing }, _ids, state) => {
    const before = await state()
    for (const [name, [ask, answer]] of Object.entries(own)) expect(await ask(billing), name).toEqual(answer)
    expect(await state()).toEqual(before)
    expect(await billing.benefits.has("ada", "export")).toBe(true)
  })
}, 60_000)

test("every call is one of these", async () => {
  await withScene({}, {}, async ({ billing }) => {
    const names = Object.entries(billing).flatMap(([name, value]) =>
      typeof value === "function"
        ? [name]
        : typeof value === "object"
          ? Object.keys(value as object).map((inner) => `${name}.${inner}`)
          : []
    )
    const known = [...Object.keys(refused), ...Object.keys(own), ...ofTheApp]
    expect([...names].sort()).toEqual([...known].sort())
  })
})

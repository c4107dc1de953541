/** The table of docs/how-it-works.md that says whose a record is: each of its rows, with all that is weaker against it. */
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { signedHeaders } from "@kavach-polar/core/WebhookVerifier"
import Database from "better-sqlite3"
import { describe, expect, test } from "vitest"
import { anonymousCustomer, vary } from "../../packages/core/test/deliveries.ts"
import { email, pro, type Scene, tableBelow, webhookSecret, withScene } from "./BillingScene.ts"

const orderId = "a0b1c2d3-0000-4000-8000-000000000001"
const laterOrderId = "a0b1c2d3-0000-4000-8000-000000000002"
const subscriptionId = "3c4d5e6f-0000-4000-8000-000000000001"
const customerId = "c0c0c0c0-0000-4000-8000-000000000001"
const subscribersId = "c0c0c0c0-0000-4000-8000-000000000002"

const users = ["owner", "operator", "checkout", "parent", "link", "external_id", "metadata"] as const
type User = (typeof users)[number]

interface Stage extends Scene {
  readonly client: Database.Database
}

/** All that may say whose the order is, and for whom each of it speaks: for the user of its own name. */
interface Evidence {
  readonly checkout?: string
  readonly isParentKnown?: boolean
  readonly externalId?: string
  readonly metadata?: string
}

let deliveries = 0

const deliver = async ({ billing }: Stage, body: Uint8Array) => {
  const id = `evt_${++deliveries}`
  const timestampSeconds = Math.floor(Date.now() / 1000)
  const headers = { ...signedHeaders({ secret: webhookSecret, id, timestampSeconds, body }) }
  const request = new Request("http://app.invalid/webhook", { method: "POST", headers, body })
  expect((await billing.webhook(request)).status).toBe(200)
}

const orderWith = (
  { checkout, externalId, isParentKnown = false, metadata }: Evidence,
  id = orderId,
  timestamp = "2026-11-05T14:22:41.735000Z"
) =>
  vary("order.paid.subscription_cycle", {
    timestamp,
    data: {
      ...anonymousCustomer(customerId, externalId ?? null),
      id,
      checkout_id: checkout ?? null,
      subscription_id: isParentKnown ? subscriptionId : null,
      subscription: null,
      metadata: metadata === undefined ? {} : { kavach_user_id: metadata }
    }
  })

const checkoutOf = async ({ billing }: Stage, user: User) =>
  (await billing.createCheckout(user, pro, { customerEmail: email })).id

/** A subscription of the parent's, which is theirs by another customer. */
const parentsSubscription = async (stage: Stage) => {
  await stage.billing.linkCustomer("parent", subscribersId)
  const data = { ...anonymousCustomer(subscribersId), id: subscriptionId, checkout_id: null, metadata: {} }
  await deliver(stage, vary("subscription.active", { data }))
}

const link = ({ billing }: Stage) => billing.linkCustomer("link", customerId)

const named: Evidence = { externalId: "external_id", metadata: "metadata" }

const whose = ({ client }: Stage, id = orderId) =>
  client.prepare("SELECT user_id, owned_by FROM kavach_polar_records WHERE kind = 'order' AND id = ?").get(id)

const isCustomerOf = async ({ billing }: Stage, user: User) =>
  (await billing.customers.of(user)).customers.some((one) => one.customerId === customerId)

interface Row {
  readonly by: string
  readonly says: string
  /** Lets this row and all below it speak. */
  readonly play: (stage: Stage) => Promise<void>
  readonly user: User
  /** What is stored where that is not `by`. */
  readonly ownedBy?: string
  /** What else the row says. */
  readonly also?: (stage: Stage) => Promise<void>
}

const rows: ReadonlyArray<Row> = [
  {
    by: "",
    says: "The user it already belongs to",
    user: "owner",
    ownedBy: "checkout",
    play: async (stage) => {
      await deliver(stage, orderWith({ checkout: await checkoutOf(stage, "owner") }))
      await parentsSubscription(stage)
      await stage.billing.customers.move(subscriptionId, { to: "operator" })
      await link(stage)
      const checkout = await checkoutOf(stage, "checkout")
      await deliver(
        stage,
        orderWith({ ...named, checkout, isParentKnown: true }, orderId, "2026-11-06T00:00:00.000000Z")
      )
    }
  },
  {
    by: "operator",
    says: "Somebody who moved what it hangs on, or the record itself",
    user: "operator",
    play: async (stage) => {
      await parentsSubscription(stage)
      await stage.billing.customers.move(subscriptionId, { to: "operator" })
      await link(stage)
      const checkout = await checkoutOf(stage, "checkout")
      await deliver(stage, orderWith({ ...named, checkout, isParentKnown: true }))
    },
    also: async (stage) => {
      const checkout = await checkoutOf(stage, "checkout")
      const evidence = { ...named, checkout }
      await deliver(stage, orderWith(evidence, laterOrderId))
      expect(whose(stage, laterOrderId)).toEqual({ user_id: "checkout", owned_by: "checkout" })
      await stage.billing.customers.move(laterOrderId, { to: "operator" })
      await deliver(stage, orderWith(evidence, laterOrderId, "2026-11-06T00:00:00.000000Z"))
      expect(whose(stage, laterOrderId)).toEqual({ user_id: "operator", owned_by: "operator" })
    }
  },
  {
    by: "checkout",
    says: "This app made the checkout that it came from, for this user",
    user: "checkout",
    play: async (stage) => {
      await parentsSubscription(stage)
      await link(stage)
      const checkout = await checkoutOf(stage, "checkout")
      await deliver(stage, orderWith({ ...named, checkout, isParentKnown: true }))
    }
  },
  {
    by: "parent",
    says: "What it hangs on is this user's: of a refund its order, of an order its subscription",
    user: "parent",
    play: async (stage) => {
      await parentsSubscription(stage)
      await link(stage)
      await deliver(stage, orderWith({ ...named, isParentKnown: true }))
    },
    also: async (stage) => {
      const id = "4e4e4e4e-0000-4000-8000-000000000001"
      const refund = { id, order_id: orderId, subscription_id: null, customer_id: customerId, metadata: {} }
      await deliver(stage, vary("refund.created.partial", { data: refund }))
      const stored = stage.client.prepare("SELECT user_id, owned_by FROM kavach_polar_records WHERE kind = 'refund'")
      expect(stored.all()).toEqual([{ user_id: "parent", owned_by: "parent" }])
    }
  },
  {
    by: "link",
    says: "Its customer is linked to this user",
    user: "link",
    play: async (stage) => {
      await link(stage)
      await deliver(stage, orderWith(named))
    }
  },
  {
    by: "external_id",
    says: "Its customer's external_id names this user, and the app has that user. This also links the customer",
    user: "external_id",
    play: (stage) => deliver(stage, orderWith(named)),
    also: async (stage) => {
      expect(await isCustomerOf(stage, "external_id")).toBe(true)
      await deliver(stage, orderWith({ metadata: "metadata" }, laterOrderId))
      expect(whose(stage, laterOrderId)).toEqual({ user_id: "external_id", owned_by: "link" })
    }
  },
  {
    by: "metadata",
    says: "kavach_user_id in its metadata names this user, and the app has that user. This record only, not its customer",
    user: "metadata",
    // The app has nobody of that external id, so it says nothing.
    play: (stage) => deliver(stage, orderWith({ externalId: "nobody", metadata: "metadata" })),
    also: async (stage) => {
      expect(await isCustomerOf(stage, "metadata")).toBe(false)
      await deliver(stage, orderWith({}, laterOrderId))
      expect(whose(stage, laterOrderId)).toEqual({ user_id: null, owned_by: null })
    }
  }
]

const withStage = async (use: (stage: Stage) => Promise<void>) => {
  const client = new Database(":memory:")
  client.exec("CREATE TABLE members (id TEXT PRIMARY KEY, email TEXT)")
  for (const id of users) client.prepare("INSERT INTO members (id) VALUES (?)").run(id)
  const store = SqliteStore.fromClient(client, { users: { table: "members", id: "id", email: "email" } })
  await withScene({}, { store, emailVerified: () => false, reconcileEveryHours: false }, (scene) =>
    use(Object.assign(scene, { client }))
  )
  client.close()
}

describe("whose a record is", () => {
  for (const { also, by, ownedBy = by, play, says, user } of rows) {
    test(`${by === "" ? "theirs before" : by}: ${says}`, () =>
      withStage(async (stage) => {
        await play(stage)
        expect(whose(stage)).toEqual({ user_id: user, owned_by: ownedBy })
        await also?.(stage)
      }))
  }

  test("else it waits, also if Polar names users whom the app has not", () =>
    withStage(async (stage) => {
      await deliver(stage, orderWith({ externalId: "nobody", metadata: "nobody" }))
      expect(whose(stage)).toEqual({ user_id: null, owned_by: null })
    }))

  test("the documented table is this one", () => {
    const heading = "Whose is a record? The first of these that speaks, for every kind of record:"
    expect(tableBelow(heading, "docs/how-it-works.md")).toEqual(rows.map(({ by, says }) => [by, says]))
  })
})

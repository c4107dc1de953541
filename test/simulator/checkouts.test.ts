/** The buyer who comes back from Polar: before the webhooks, after them, or with them; having paid or not. */
import { Seed } from "@kavach-polar/simulator"
import { describe, expect, test } from "vitest"
import { email, outcome, pro, type Scene, userId, withScene } from "./BillingScene.ts"

const { free, lifetime, team, trial } = Seed.products

/** Ada opens a checkout, and pays it unless told otherwise. */
const opened = async ({ billing, simulator }: Scene, product: string, { pays = true } = {}) => {
  const { id } = await billing.createCheckout(userId, product, { customerEmail: email })
  if (pays) await simulator.pay(id, { customer_email: email })
  return id
}

interface Told {
  readonly access: Array<boolean>
  readonly purchases: Array<string>
}

const withTold = (use: (scene: Scene, told: Told) => Promise<void>, options = {}) => {
  const told: Told = { access: [], purchases: [] }
  return withScene(
    options,
    {
      onAccessChange: async (_, { after }) => void told.access.push(after.entitlement === "granted"),
      onPurchase: async (_, order) => void told.purchases.push(order.id)
    },
    (scene) => use(scene, told)
  )
}

type Order = "the return" | "the webhooks" | "both at once"

const crossed = async ({ billing, simulator }: Scene, id: string, first: Order) => {
  const complete = () => billing.checkouts.complete(userId, id)
  if (first === "the webhooks") {
    await simulator.flush()
    return complete()
  }
  if (first === "both at once") return (await Promise.all([complete(), simulator.flush()]))[0]
  await simulator.setChaos({ drops: 1 })
  const result = await complete()
  await simulator.setChaos({ drops: 0 })
  await simulator.advance("1 hour")
  await simulator.flush()
  return result
}

describe("a buyer who has paid", () => {
  const orders: ReadonlyArray<Order> = ["the return", "the webhooks", "both at once"]

  test.each(orders)("a subscription, %s first: has access when they are back, and it is told once", async (first) => {
    await withTold(async (scene, told) => {
      const { billing } = scene
      const id = await opened(scene, pro)
      expect(await crossed(scene, id, first)).toMatchObject({
        status: "succeeded",
        subscription: { productId: pro, status: "active", checkoutId: id },
        order: { status: "paid", productId: pro },
        access: { entitlement: "granted" }
      })
      await billing.settled()
      expect(told).toEqual({ access: [true], purchases: [(await billing.orders.list(userId))[0]?.id] })
      expect(await billing.reconcile(userId)).toMatchObject({ discrepancies: [] })
    })
  })

  test.each(orders)("what is bought once, %s first", async (first) => {
    await withTold(async (scene, told) => {
      const { billing } = scene
      const id = await opened(scene, lifetime.id)
      const result = await crossed(scene, id, first)
      expect(result).toMatchObject({ status: "succeeded", subscription: null, order: { status: "paid" } })
      expect(await billing.orders.owns(userId, lifetime.id)).toBe(true)
      await billing.settled()
      expect(told).toEqual({ access: [], purchases: [result.order?.id] })
    })
  })

  test.each(orders)("a trial, %s first: no order yet", async (first) => {
    await withTold(async (scene) => {
      const id = await opened(scene, trial.id)
      expect(await crossed(scene, id, first)).toMatchObject({
        status: "succeeded",
        subscription: { productId: trial.id, status: "trialing" },
        access: { entitlement: "granted" }
      })
    })
  })

  test.each(orders)("the upgrade of a free subscription, %s first", async (first) => {
    await withTold(async (scene) => {
      await scene.buy(free.id)
      const [before] = await scene.billing.listSubscriptions(userId)
      const id = await opened(scene, team.id)
      expect(await crossed(scene, id, first)).toMatchObject({
        status: "succeeded",
        subscription: { id: before?.id, productId: team.id },
        order: { status: "paid" }
      })
      expect(await scene.billing.listSubscriptions(userId)).toHaveLength(1)
    })
  })

  test("and has had the money back, is told that it was bought, and has nothing", async () => {
    await withTold(async (scene) => {
      const { billing, simulator } = scene
      const id = await opened(scene, lifetime.id)
      await simulator.flush()
      const [order] = await billing.orders.list(userId)
      await simulator.refund(order?.id ?? "")
      await simulator.flush()
      expect(await billing.checkouts.complete(userId, id)).toMatchObject({
        status: "succeeded",
        order: { status: "refunded" }
      })
      expect(await billing.orders.owns(userId, lifetime.id)).toBe(false)
    })
  })
})

describe("a buyer of whose purchase only a part was delivered", () => {
  const parts: ReadonlyArray<readonly [what: string, types: ReadonlyArray<string>]> = [
    ["the order", ["order.created", "order.paid"]],
    ["the subscription", ["subscription.created", "subscription.active"]]
  ]

  test.each(parts)("%s: gets all of it", async (_, types) => {
    await withTold(async (scene) => {
      const { billing, simulator } = scene
      await simulator.setChaos({ drops: 1 })
      const id = await opened(scene, pro)
      await simulator.setChaos({ drops: 0 })
      const events = await simulator.read(({ tables }) => [...tables.events].map(([, event]) => event))
      for (const event of events.filter(({ type }) => types.includes(type))) await simulator.redeliver(event.id)
      await simulator.flush()
      expect(await billing.checkouts.complete(userId, id)).toMatchObject({
        status: "succeeded",
        subscription: { productId: pro },
        order: { status: "paid" },
        access: { entitlement: "granted" }
      })
    })
  })

  test("the order of an upgrade: gets the product that was paid for", async () => {
    await withTold(async (scene) => {
      const { billing, simulator } = scene
      await scene.buy(free.id)
      await simulator.setChaos({ drops: 1 })
      const id = await opened(scene, team.id)
      await simulator.setChaos({ drops: 0 })
      const events = await simulator.read(({ tables }) => [...tables.events].map(([, event]) => event))
      for (const event of events.filter(({ type }) => type === "order.paid")) await simulator.redeliver(event.id)
      expect(await billing.checkouts.complete(userId, id)).toMatchObject({
        status: "succeeded",
        subscription: { productId: team.id }
      })
    })
  })

  test("and given to somebody else by an operator, is told that it was bought", async () => {
    await withTold(async (scene) => {
      const { billing, simulator } = scene
      const id = await opened(scene, pro)
      await simulator.flush()
      const [subscription] = await billing.listSubscriptions(userId)
      await billing.customers.move(subscription?.customer.id ?? "", { to: "lin" })
      expect(await billing.checkouts.complete(userId, id)).toMatchObject({
        status: "succeeded",
        subscription: null,
        order: null,
        access: { entitlement: "denied" }
      })
    })
  })

  test("many pages that ask at once have Polar asked once", async () => {
    await withTold(async (scene) => {
      const id = await opened(scene, pro, { pays: false })
      const asked: Array<string> = []
      const realFetch = globalThis.fetch
      globalThis.fetch = async (input, init) => {
        asked.push(String(input instanceof Request ? input.url : input))
        return realFetch(input, init)
      }
      try {
        await Promise.all(Array.from({ length: 20 }, () => scene.billing.checkouts.complete(userId, id)))
      } finally {
        globalThis.fetch = realFetch
      }
      expect(asked.filter((url) => url.includes("/v1/checkouts/"))).toHaveLength(1)
    })
  })
})

describe("a buyer who has not paid", () => {
  test("is told so at once, and has nothing", async () => {
    await withTold(async (scene, told) => {
      const { billing, simulator } = scene
      const id = await opened(scene, pro, { pays: false })
      const nothing = { subscription: null, order: null, access: { entitlement: "denied" } }
      // Nobody waits for a payment that is not under way: else the test would take longer than it may.
      const complete = () => billing.checkouts.complete(userId, id, { waitSeconds: 30 })
      expect(await complete()).toMatchObject({ status: "open", ...nothing })
      await simulator.decline(id, { customer_email: email })
      expect(await complete()).toMatchObject({ status: "open", ...nothing })
      await simulator.expireCheckout(id)
      // As long as an answer is good for all who ask.
      await new Promise((resolve) => setTimeout(resolve, 1100))
      expect(await complete()).toMatchObject({ status: "expired", ...nothing })
      await simulator.flush()
      expect(told).toEqual({ access: [], purchases: [] })
    })
  })
})

describe("whose checkout it is", () => {
  test("another user's, one that this app did not make, and none are all not found", async () => {
    await withTold(async (scene) => {
      const { billing } = scene
      const id = await opened(scene, pro)
      const elsewhere = await scene.api("POST", "/v1/checkouts/", { products: [pro] })
      for (const [user, checkout] of [
        ["mallory", id],
        [userId, elsewhere.id],
        [userId, "0f0e0d0c-0b0a-4908-8706-0504030201ff"],
        [userId, "none"]
      ] as const) {
        expect(await outcome(billing.checkouts.complete(user, checkout))).toBe("CheckoutNotFound")
        expect(await outcome(billing.checkouts.get(checkout, { userId: user }))).toBe("CheckoutNotFound")
      }
      expect(await billing.listSubscriptions("mallory")).toEqual([])
      expect(await billing.checkouts.get(id, { userId })).toMatchObject({ id, userId, productId: pro })
      expect(await billing.checkouts.get(id)).toMatchObject({ userId })
      await expect(billing.checkouts.get(id, { userId: undefined } as never)).rejects.toMatchObject({
        _tag: "InvalidOption"
      })
    })
  })
})

describe("Polar out of reach", () => {
  test("says so when the wait is over; what came by webhook is answered all the same", async () => {
    await withTold(async (scene) => {
      const { billing, simulator } = scene
      const id = await opened(scene, pro)
      await simulator.flush()
      const other = await opened(scene, team.id, { pays: false }).catch(() => undefined)
      expect(other).toBeUndefined()
      await simulator.close()
      expect(await billing.checkouts.complete(userId, id)).toMatchObject({ status: "succeeded" })
    })
    await withTold(async (scene) => {
      const id = await opened(scene, pro)
      await scene.simulator.close()
      expect(await outcome(scene.billing.checkouts.complete(userId, id, { waitSeconds: 0 }))).toBe("PolarUnavailable")
    })
  })
})

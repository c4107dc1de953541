/**
 * Every call to Polar that a user waits for, met by everything that can be wrong with it: it recovers, or it fails with an
 * error that says what to do. The table is that of docs/polar-calls.md.
 */
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { polar } from "@kavach-polar/http"
import { Seed, type ServeOptions } from "@kavach-polar/simulator"
import Database from "better-sqlite3"
import { drizzle } from "drizzle-orm/better-sqlite3"
import { describe, expect, test } from "vitest"
import {
  documented,
  documentedRows,
  email,
  outcome,
  pro,
  type Scene,
  tokenWithout,
  userId,
  webhookSecret,
  withScene
} from "./BillingScene.ts"

interface Row {
  readonly what: string
  readonly options?: ServeOptions
  readonly arrange?: (scene: Scene) => Promise<void>
  readonly buyer?: { readonly customerEmail?: string; readonly customerName?: string }
  readonly product?: string
  /** `made`, or the error's tag. */
  readonly checkout: string
  readonly portal: string
  readonly reconcile: string
}

const longName = "Ada ".repeat(100)

const archived = { ...Seed.products.pro, archived: true }

const rows: ReadonlyArray<Row> = [
  {
    what: "nothing is wrong",
    arrange: (scene) => scene.buy(),
    product: Seed.products.lifetime.id,
    checkout: "made",
    portal: "made",
    reconcile: "made"
  },
  {
    what: "the customer is gone",
    arrange: async (scene) => {
      await scene.buy(Seed.products.lifetime.id)
      const { id } = await scene.customer()
      await scene.silently(() => scene.api("DELETE", `/v1/customers/${id}`))
    },
    checkout: "made",
    portal: "made",
    reconcile: "made"
  },
  {
    what: "the customer was made anew",
    arrange: async (scene) => {
      await scene.buy(Seed.products.lifetime.id)
      const { id } = await scene.customer()
      await scene.silently(async () => {
        await scene.api("DELETE", `/v1/customers/${id}`)
        await scene.api("POST", "/v1/customers/", { email, external_id: userId })
      })
    },
    checkout: "made",
    portal: "made",
    reconcile: "made"
  },
  {
    what: "the customer is another user's",
    arrange: async (scene) => {
      const { id } = await scene.api("POST", "/v1/customers/", { email })
      await scene.billing.linkCustomer("lin", id)
    },
    checkout: "made",
    portal: "NoCustomer",
    reconcile: "made"
  },
  {
    what: "the customer has records of another user, too",
    arrange: async (scene) => {
      await scene.buy(Seed.products.lifetime.id)
      await scene.buy(Seed.products.lifetime.id, "lin")
    },
    checkout: "made",
    portal: "CustomerShared",
    reconcile: "made"
  },
  {
    what: "the address is refused",
    buyer: { customerEmail: "ada@example.com" },
    checkout: "made",
    portal: "NoCustomer",
    reconcile: "made"
  },
  {
    what: "the address is none",
    buyer: { customerEmail: "no address at all" },
    checkout: "made",
    portal: "NoCustomer",
    reconcile: "made"
  },
  {
    what: "the name is too long",
    buyer: { customerEmail: email, customerName: longName },
    checkout: "made",
    portal: "made",
    reconcile: "made"
  },
  {
    what: "the address is refused and the name is too long",
    buyer: { customerEmail: "x@example.com", customerName: longName },
    checkout: "made",
    portal: "NoCustomer",
    reconcile: "made"
  },
  {
    what: "the token may not write customers",
    options: tokenWithout("customers:write"),
    checkout: "made",
    portal: "PolarForbidden",
    reconcile: "PolarForbidden"
  },
  {
    what: "the token may not write checkouts",
    options: tokenWithout("checkouts:write"),
    checkout: "PolarForbidden",
    portal: "made",
    reconcile: "made"
  },
  {
    what: "the token may not open portals",
    options: tokenWithout("customer_sessions:write"),
    checkout: "made",
    portal: "PolarForbidden",
    reconcile: "made"
  },
  {
    what: "the token may not read subscriptions",
    options: tokenWithout("subscriptions:read"),
    checkout: "made",
    portal: "made",
    reconcile: "PolarForbidden"
  },
  {
    what: "the token may not read orders",
    options: tokenWithout("orders:read", "refunds:read"),
    checkout: "made",
    portal: "made",
    reconcile: "made"
  },
  {
    what: "the token is none",
    options: { accessTokens: [] },
    checkout: "PolarUnauthorized",
    portal: "PolarUnauthorized",
    reconcile: "PolarUnauthorized"
  },
  {
    what: "the product is archived",
    options: { products: [archived] },
    checkout: "ProductNotForSale",
    portal: "made",
    reconcile: "made"
  },
  {
    what: "the product does not exist",
    product: "00000000-0000-4000-8000-000000000000",
    checkout: "ProductNotForSale",
    portal: "made",
    reconcile: "made"
  },
  {
    what: "the product's id is none",
    product: "product_xxx",
    checkout: "ProductNotForSale",
    portal: "made",
    reconcile: "made"
  },
  { what: "the user has no customer", buyer: {}, checkout: "made", portal: "NoCustomer", reconcile: "made" },
  {
    what: "the customer is a team",
    arrange: async (scene) => {
      await scene.buy(Seed.products.lifetime.id)
      await scene.api("PATCH", `/v1/customers/${(await scene.customer()).id}`, { type: "team" })
    },
    checkout: "made",
    portal: "made",
    reconcile: "made"
  },
  {
    what: "the customer is a team, of which the user is nobody",
    arrange: async (scene) => {
      const { id } = await scene.api("POST", "/v1/customers/", { email: "boss@acme-mail.dev", type: "team" })
      await scene.billing.linkCustomer(userId, id)
    },
    checkout: "made",
    portal: "MemberNeeded",
    reconcile: "made"
  },
  {
    what: "the customer is a team, and the token may not read members",
    options: tokenWithout("members:read"),
    arrange: async (scene) => {
      const { id } = await scene.api("POST", "/v1/customers/", { email: "boss@acme-mail.dev", type: "team" })
      await scene.billing.linkCustomer(userId, id)
    },
    checkout: "made",
    portal: "MemberNeeded",
    reconcile: "made"
  },
  {
    what: "Polar's limit is reached",
    options: { requestsPerMinute: 0 },
    checkout: "PolarRateLimited",
    portal: "PolarRateLimited",
    reconcile: "PolarRateLimited"
  },
  {
    what: "the user is subscribed",
    arrange: (scene) => scene.buy(),
    checkout: "AlreadySubscribed",
    portal: "made",
    reconcile: "made"
  }
]

describe("calls to Polar", () => {
  test.each(rows)("$what: checkout $checkout, portal $portal, reconcile $reconcile", async (row) => {
    const { arrange, buyer = { customerEmail: email, customerName: "Ada" }, options = {}, product = pro } = row
    await withScene(options, {}, async (scene) => {
      await arrange?.(scene)
      const { billing } = scene
      const found = {
        checkout: await outcome(billing.createCheckout(userId, product, buyer)),
        portal: await outcome(billing.createPortalSession(userId)),
        reconcile: await outcome(billing.reconcile(userId))
      }
      expect(found).toEqual({ checkout: row.checkout, portal: row.portal, reconcile: row.reconcile })
    })
  })

  test("who bought, and whose customer is gone, is told that there is nothing to manage, until they buy again", async () => {
    await withScene({}, {}, async (scene) => {
      await scene.buy()
      const [{ id } = expect.fail("no subscription")] = await scene.billing.listSubscriptions(userId)
      const gone = await scene.customer()
      await scene.api("DELETE", `/v1/customers/${gone.id}`)
      await scene.simulator.flush()
      expect(await outcome(scene.billing.createPortalSession(userId))).toBe("NoCustomer")
      await scene.buy()
      const { url } = await scene.billing.createPortalSession(userId)
      expect((await fetch(url)).status).toBe(200)
      const [now] = await scene.billing.listSubscriptions(userId)
      expect(now?.id).not.toBe(id)
    })
  })

  test("who is subscribed is told by which; another thing may be bought, and a free plan is upgraded", async () => {
    await withScene({}, {}, async (scene) => {
      const { billing, simulator } = scene
      await scene.buy(Seed.products.free.id)
      const free = await billing.getSubscription(userId)
      await expect(billing.createCheckout(userId, Seed.products.free.id)).rejects.toMatchObject({
        _tag: "AlreadySubscribed",
        subscription: free
      })
      await scene.buy()
      const current = await billing.getSubscription(userId)
      expect(current).toMatchObject({ id: free?.id, productId: pro })
      await expect(billing.createCheckout(userId, Seed.products.team.id)).rejects.toMatchObject({
        _tag: "AlreadySubscribed",
        subscription: current
      })
      await scene.buy(Seed.products.lifetime.id)
      expect(await billing.orders.list(userId, { productId: Seed.products.lifetime.id })).toHaveLength(1)
      // Polar has ended it, which nobody told yet.
      await simulator.setChaos({ drops: 1 })
      await scene.api("DELETE", `/v1/subscriptions/${current?.id}`)
      expect((await billing.getSubscription(userId))?.status).toBe("active")
      expect(await outcome(billing.createCheckout(userId, Seed.products.team.id))).toBe("made")
    })
  })

  test("an organization that allows several subscriptions refuses nobody", async () => {
    await withScene({ allowMultipleSubscriptions: true }, {}, async (scene) => {
      await scene.buy()
      await scene.buy(Seed.products.team.id)
      expect(await scene.billing.listSubscriptions(userId)).toHaveLength(2)
    })
  })

  test("one user's clicks use up nobody's limit: equal ones get one session, too many the open one or an error", async () => {
    await withScene({ requestsPerMinute: 60 }, {}, async ({ billing, simulator }) => {
      const click = (product: string = pro) =>
        billing.createCheckout("mallory", product, { customerEmail: "m@acme-mail.dev", reuse: false })
      const ids = new Set<string>()
      for (let round = 0; round < 30; round++) {
        for (const { id } of await Promise.all(Array.from({ length: 10 }, () => click()))) ids.add(id)
      }
      expect(ids.size).toBe(10)
      await expect(click(Seed.products.team.id)).rejects.toMatchObject({ _tag: "TooManySessions" })
      expect(await outcome(billing.createCheckout(userId, pro, { customerEmail: email }))).toBe("made")
      expect(await outcome(billing.reconcile(userId))).toBe("made")
      const portals = await Promise.all(Array.from({ length: 50 }, () => billing.createPortalSession("mallory")))
      expect(new Set(portals.map(({ url }) => url)).size).toBe(1)
      expect(await simulator.read(({ tables }) => [...tables.checkouts].length)).toBe(11)
    })
  })

  test("a click too many does not lead to a checkout that was paid", async () => {
    await withScene({}, { sessionsPerMinute: 1 }, async (scene) => {
      await scene.buy(Seed.products.lifetime.id)
      const again = scene.billing.createCheckout(userId, Seed.products.lifetime.id, { customerEmail: email })
      await expect(again).rejects.toMatchObject({ _tag: "TooManySessions", perMinute: 1 })
    })
  })

  test("a Polar that is silent keeps a buyer for as long as is configured, and no longer", async () => {
    const silent = createServer(() => {})
    await once(silent.listen(0, "127.0.0.1"), "listening")
    const { port } = silent.address() as AddressInfo
    const billing = polar({
      accessToken: "polar_oat_silent",
      apiBaseUrl: `http://127.0.0.1:${port}`,
      webhookSecret,
      logLevel: "none",
      buyerTimeoutSeconds: 0.3,
      store: SqliteStore.layer({ filename: ":memory:" })
    })
    try {
      await expect(billing.createCheckout(userId, pro, { customerEmail: email })).rejects.toMatchObject({
        _tag: "PolarTimeout",
        operation: "create checkout",
        seconds: 0.3
      })
      await expect(billing.createPortalSession(userId)).rejects.toMatchObject({ _tag: "PolarTimeout", seconds: 0.3 })
    } finally {
      await billing.dispose()
      silent.closeAllConnections()
      silent.close()
    }
  })

  test("the documented table is this one", () => {
    expect(documentedRows("# Calls to Polar: what can be wrong, and what comes of it", 3)).toEqual(
      rows.map(({ checkout, portal, reconcile, what }) => [what, ...[checkout, portal, reconcile].map(documented)])
    )
  })
})

test("a customer's id that is none of Polar's, stored before that was checked, is no customer", async () => {
  const client = new Database(":memory:")
  await withScene({}, { store: SqliteStore.fromDrizzle(drizzle(client)) }, async (scene) => {
    await scene.billing.linkCustomer(userId, "7c1f0000-0000-4000-8000-000000000001")
    const { changes } = client.prepare("UPDATE kavach_polar_customers SET customer_id = 'cus_1'").run()
    expect(changes).toBe(1)
    expect(await outcome(scene.billing.createPortalSession(userId))).toBe("NoCustomer")
    expect(await outcome(scene.billing.reconcile(userId))).toBe("made")
    expect(await outcome(scene.billing.createCheckout(userId, pro, { customerEmail: email }))).toBe("made")
  })
  client.close()
})

/** Whoever has paid gets in, also where no webhook ever came. */
import { Seed } from "@kavach-polar/simulator"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { email, pro, type Scene, userId, withScene } from "./BillingScene.ts"

const { lifetime } = Seed.products
const withFlag = {
  ...lifetime,
  benefits: [
    {
      id: "1b3f9f0e-5b0d-4c6e-9c55-2a7b5d0c1e11",
      type: "feature_flag" as const,
      description: "Exports",
      metadata: { key: "export" }
    }
  ]
}

/** Paths of Polar that were asked for, one each time. */
let asked: Array<string> = []
let isAway = false
const realFetch = globalThis.fetch

beforeEach(() => {
  asked = []
  isAway = false
  vi.spyOn(globalThis, "fetch").mockImplementation((input, init) => {
    const { pathname } = new URL(input instanceof Request ? input.url : input)
    // Tests ask with texts, and billing with addresses.
    if (input instanceof URL) {
      asked.push(pathname)
      if (isAway) return new Promise(() => {})
    }
    return realFetch(input, init)
  })
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const pass = (millis: number) => {
  const now = Date.now() + millis
  vi.useFakeTimers({ toFake: ["Date"] })
  vi.setSystemTime(now)
}

/** `vi.waitFor` moves a clock that is not the real one. */
const eventually = async (check: () => void | Promise<void>) => {
  for (let attempt = 0; ; attempt++) {
    try {
      return await check()
    } catch (error) {
      if (attempt === 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

const entitlement = async ({ billing }: Scene) => (await billing.access(userId)).entitlement

const buySilently = (scene: Scene, product: string = pro) => scene.silently(() => scene.buy(product))

describe("by default, in the background", () => {
  test("who has paid has access a moment later, and the app is told once", async () => {
    const told: Array<string> = []
    const onSubscriptionChange = (user: string, { status }: { readonly status: string }) => {
      told.push(`${user} ${status}`)
    }
    await withScene({}, { onSubscriptionChange }, async (scene) => {
      await buySilently(scene)
      expect(await entitlement(scene)).toBe("denied")
      await eventually(async () => expect(await entitlement(scene)).toBe("granted"))
      await scene.billing.settled()
      expect(told).toEqual([`${userId} active`])
      // The webhooks come after all.
      await scene.simulator.setChaos({ drops: 0 })
      await scene.simulator.advance("1 hour")
      await scene.simulator.flush()
      await scene.billing.settled()
      expect(told).toEqual([`${userId} active`])
    })
  })

  test.each<[string, string, (scene: Scene) => Promise<unknown>]>([
    ["getSubscription", pro, ({ billing }) => billing.getSubscription(userId)],
    ["orders.owns", lifetime.id, ({ billing }) => billing.orders.owns(userId, lifetime.id)],
    ["benefits.has", withFlag.id, ({ billing }) => billing.benefits.has(userId, "export")],
    ["benefits.get", withFlag.id, ({ billing }) => billing.benefits.get(userId, "export")]
  ])("so does %s", async (_name, product, ask) => {
    await withScene({ products: [Seed.products.pro, withFlag] }, {}, async (scene) => {
      await buySilently(scene, product)
      expect(await ask(scene)).toBeFalsy()
      await eventually(async () => expect(await ask(scene)).toBeTruthy())
    })
  })

  test("a customer whose purchase was made elsewhere", async () => {
    await withScene({}, {}, async (scene) => {
      const { id: customerId } = await scene.api("POST", "/v1/customers/", { email })
      await scene.billing.linkCustomer(userId, customerId)
      await scene.silently(async () => {
        const { id } = await scene.api("POST", "/v1/checkouts/", { products: [pro], customer_id: customerId })
        await scene.simulator.pay(id)
      })
      expect(await entitlement(scene)).toBe("denied")
      await eventually(async () => expect(await entitlement(scene)).toBe("granted"))
    })
  })

  test("who has not paid is refused as before, and Polar is asked once a minute", async () => {
    await withScene({}, {}, async (scene) => {
      await scene.billing.createCheckout(userId, pro, { customerEmail: email })
      asked = []
      for (let time = 0; time < 5; time++) expect(await entitlement(scene)).toBe("denied")
      await eventually(() => expect(asked).toContain("/v1/benefit-grants/"))
      await new Promise((resolve) => setTimeout(resolve, 100))
      const once = [...asked]
      expect(new Set(once).size).toBe(once.length)
      expect(await entitlement(scene)).toBe("denied")
      pass(59_000)
      expect(await entitlement(scene)).toBe("denied")
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect(asked).toEqual(once)
      // The minute begins when what was found is stored, which may be by now only.
      pass(61_000)
      expect(await entitlement(scene)).toBe("denied")
      await eventually(() => expect(asked).toEqual([...once, ...once]))
    })
  })

  test("nobody asks Polar about somebody whom it has never seen, or about another time than now", async () => {
    await withScene({}, {}, async (scene) => {
      expect(await entitlement(scene)).toBe("denied")
      await scene.billing.createCheckout("lin", pro, { customerEmail: "lin@acme-mail.dev" })
      asked = []
      expect((await scene.billing.access("lin", { at: new Date("2030-01-01") })).entitlement).toBe("denied")
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(asked).toEqual([])
    })
  })

  test("a token that may not list orders looks at the rest", async () => {
    await withScene({}, {}, async (scene) => {
      await buySilently(scene)
      const wrapped = vi.mocked(globalThis.fetch).getMockImplementation()
      vi.mocked(globalThis.fetch).mockImplementation(async (input, init) =>
        String(input).includes("/v1/orders/")
          ? Response.json({ error: "insufficient_scope" }, { status: 403 })
          : (wrapped ?? realFetch)(input, init)
      )
      // The checkout is not asked about any more.
      pass(25 * 3_600_000)
      expect(await entitlement(scene)).toBe("denied")
      await eventually(async () => expect(await entitlement(scene)).toBe("granted"))
    })
  })

  test("a recent checkout that cannot be read, or whose orders may not be listed, is not in the way of the rest", async () => {
    const answers = [
      ["/v1/checkouts/", 200, {}],
      ["/v1/orders/", 403, { error: "insufficient_scope" }]
    ] as const
    for (const [path, status, body] of answers) {
      await withScene({}, {}, async (scene) => {
        await buySilently(scene)
        await scene.billing.createCheckout("lin", pro, { customerEmail: "lin@acme-mail.dev" })
        const wrapped = vi.mocked(globalThis.fetch).getMockImplementation() ?? realFetch
        vi.mocked(globalThis.fetch).mockImplementation(async (input, init) =>
          String(input).includes(path) ? Response.json(body, { status }) : wrapped(input, init)
        )
        expect(await entitlement(scene)).toBe("denied")
        await eventually(async () => expect(await entitlement(scene)).toBe("granted"))
        // Nor of anybody else.
        asked = []
        expect((await scene.billing.access("lin")).entitlement).toBe("denied")
        await eventually(() => expect(asked).toContain("/v1/benefit-grants/"))
        vi.mocked(globalThis.fetch).mockImplementation(wrapped)
      })
    }
  })
})

describe('with "await"', () => {
  test("the first answer is right", async () => {
    await withScene({}, { refreshWhenDenied: "await" }, async (scene) => {
      await buySilently(scene)
      expect(await entitlement(scene)).toBe("granted")
    })
  })

  test("an outage of Polar holds an answer up for two seconds, and then nobody's for a minute", async () => {
    await withScene({}, { refreshWhenDenied: "await" }, async (scene) => {
      await buySilently(scene)
      await scene.billing.createCheckout("lin", pro, { customerEmail: "lin@acme-mail.dev" })
      isAway = true
      asked = []
      expect(await entitlement(scene)).toBe("denied")
      expect(asked).toHaveLength(1)
      // It gives up after ten seconds.
      await new Promise((resolve) => setTimeout(resolve, 9000))
      isAway = false
      asked = []
      expect((await scene.billing.access("lin")).entitlement).toBe("denied")
      expect(asked).toEqual([])
      pass(61_000)
      expect(await entitlement(scene)).toBe("granted")
    })
  }, 30_000)
})

test("switched off, Polar is not asked", async () => {
  await withScene({}, { refreshWhenDenied: false }, async (scene) => {
    await buySilently(scene)
    asked = []
    expect(await entitlement(scene)).toBe("denied")
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(asked).toEqual([])
  })
})

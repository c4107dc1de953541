/**
 * Every change of a subscription, made at the simulator: what the app has at once, what its webhooks add to that (nothing), what
 * the app is told (once), and what Polar's refusals are called. The table is that of docs/subscriptions.md.
 */
import { Seed, type ServeOptions } from "@kavach-polar/simulator"
import { describe, expect, test } from "vitest"
import { documentedRows, outcome, pro, type Scene, userId, withScene } from "./BillingScene.ts"
import { type Change, type Subscriptions, subscriptionChanges } from "./subscriptionChanges.ts"

const { free, lifetime, seats, team, units } = Seed.products

interface Told {
  readonly status: string
  readonly productId: string
  readonly cancelAtPeriodEnd: boolean
}

/** A billing whose user bought the product, and what the app is told from then on. */
const subscribed = async (
  use: (scene: Scene, told: ReadonlyArray<Told>) => Promise<void>,
  { options = {}, product = pro as string }: { readonly options?: ServeOptions; readonly product?: string } = {}
) => {
  const told: Array<Told> = []
  await withScene(
    options,
    {
      onSubscriptionChange: async (_, { cancelAtPeriodEnd, productId, status }) =>
        void told.push({ cancelAtPeriodEnd, productId, status })
    },
    async (scene) => {
      await scene.buy(product)
      await scene.billing.settled()
      told.length = 0
      await use(scene, told)
    }
  )
}

const ownIdOf = async ({ billing }: Scene) => (await billing.listSubscriptions(userId))[0]?.id ?? expect.fail("none")

const arranged = async (
  { billing, simulator }: Scene,
  { aMonthLater, arrange }: Pick<Change, "aMonthLater" | "arrange">
) => {
  await arrange?.(billing.subscriptions, userId)
  if (aMonthLater) await simulator.advance("32 days")
  await simulator.flush()
  await billing.settled()
}

describe("a change of a subscription", () => {
  test.each(subscriptionChanges)("$name: is stored at once, and told once", async ({ product, becomes, ...rest }) => {
    await subscribed(
      async (scene, told) => {
        const { billing, simulator } = scene
        await arranged(scene, rest)
        const before = told.length
        // The webhooks of the change come late: all of them after the answer.
        await simulator.setChaos({ delays: 1, longestDelay: 60 })
        const made = await rest.make(billing.subscriptions, userId)
        expect(made).toMatchObject(becomes)
        expect(await billing.listSubscriptions(userId)).toMatchObject([becomes])
        await billing.settled()
        expect(told.length - before, "told before the webhooks").toBe(rest.told)
        await simulator.setChaos({ delays: 0 })
        await simulator.flush()
        await billing.settled()
        expect(await billing.listSubscriptions(userId), "after the webhooks").toMatchObject([becomes])
        expect(told.length - before, "told in all").toBe(rest.told)
        expect(await billing.reconcile(userId)).toMatchObject({ discrepancies: [] })
      },
      product === undefined ? {} : { product }
    )
  })

  test.each(subscriptionChanges)(
    "$name: twice, and crossed by its own webhooks, ends the same",
    async ({ product, becomes, ...rest }) => {
      await subscribed(
        async (scene, told) => {
          const { billing, simulator } = scene
          await arranged(scene, rest)
          const before = told.length
          const subscriptionId = await ownIdOf(scene)
          const [one, other] = await Promise.all([
            rest.make(billing.subscriptions, userId),
            // Whoever comes second finds it done, or finds that there is none any more.
            rest.make(billing.subscriptions, userId).catch((error: { readonly _tag: string }) => error),
            simulator.flush()
          ])
          expect(one).toMatchObject(becomes)
          if ("_tag" in other) expect(other._tag).toBe("NoSubscription")
          else expect(other).toMatchObject({ id: subscriptionId, ...becomes })
          await simulator.flush()
          await billing.settled()
          expect(await billing.listSubscriptions(userId)).toMatchObject([{ id: subscriptionId, ...becomes }])
          expect(told.length - before).toBe(rest.told)
        },
        product === undefined ? {} : { product }
      )
    }
  )

  test("two at once end in one of the two states", async () => {
    await subscribed(async ({ billing, simulator }) => {
      const changed = await Promise.allSettled([
        billing.subscriptions.change(userId, { product: team.id, prorationBehavior: "invoice" }),
        billing.subscriptions.cancel(userId)
      ])
      await simulator.flush()
      const [stored] = await billing.listSubscriptions(userId)
      const { discrepancyCount } = await billing.reconcile(userId)
      expect(discrepancyCount).toBe(0)
      // Canceled first, Polar takes no other product; changed first, the new product is canceled.
      expect(stored).toMatchObject({ cancelAtPeriodEnd: true })
      expect(stored?.productId).toBe(changed[0].status === "fulfilled" ? team.id : pro)
      if (changed[0].status === "rejected") {
        expect(changed[0].reason).toMatchObject({ _tag: "SubscriptionChangeRefused", reason: "scheduled to end" })
      }
    })
  })

  test("an older webhook that comes after it changes nothing", async () => {
    await subscribed(async ({ billing, simulator }, told) => {
      await simulator.setChaos({ drops: 1 })
      await billing.subscriptions.cancel(userId)
      await simulator.setChaos({ drops: 0 })
      const all = await simulator.read(({ tables }) => [...tables.events].map(([, event]) => event))
      const old = all.filter(({ type }) => type === "subscription.active")
      expect(old).toHaveLength(1)
      for (const { id } of old) await simulator.redeliver(id)
      await simulator.flush()
      await billing.settled()
      expect(await billing.getSubscription(userId)).toMatchObject({ cancelAtPeriodEnd: true })
      expect(told).toEqual([{ cancelAtPeriodEnd: true, productId: pro, status: "active" }])
    })
  })
})

const documentedAs: Readonly<Record<string, string>> = {
  "cancel at once": "revoke",
  "change of seats": "change of seats or units",
  "change of units": "change of seats or units",
  "no discount any more": "applyDiscount"
}

test("the documented table says what is told of each", () => {
  const rows = documentedRows("## What each call does", 4, "docs/subscriptions.md")
  const told = new Map(rows.map(([name, , , toldOf]) => [name, toldOf === "once" ? 1 : 0]))
  for (const { name, told: times } of subscriptionChanges) {
    const documented = documentedAs[name] ?? name
    if (name !== "resume before the pause") expect([name, told.get(documented)]).toEqual([name, times])
  }
})

interface Refusal {
  readonly what: string
  readonly product?: string
  readonly options?: ServeOptions
  readonly arrange?: (scene: Scene) => Promise<unknown>
  readonly make: (subscriptions: Subscriptions, scene: Scene) => Promise<unknown>
  readonly tag: string
  readonly reason?: string
}

const refusals: ReadonlyArray<Refusal> = [
  {
    what: "change: it is scheduled to end",
    arrange: ({ billing }) => billing.subscriptions.cancel(userId),
    make: ({ change }) => change(userId, { product: team.id }),
    tag: "SubscriptionChangeRefused",
    reason: "scheduled to end"
  },
  {
    what: "change: it has ended",
    arrange: ({ billing }) => billing.subscriptions.revoke(userId),
    make: async ({ change }, scene) => change(userId, { product: team.id, subscriptionId: await ownIdOf(scene) }),
    tag: "SubscriptionChangeRefused",
    reason: "ended"
  },
  {
    what: "change: the product is bought once",
    make: ({ change }) => change(userId, { product: lifetime.id }),
    tag: "SubscriptionChangeRefused",
    reason: "product not possible"
  },
  {
    what: "change: the payment fails",
    arrange: ({ simulator }) => simulator.failNextPayment(),
    make: ({ change }) => change(userId, { product: team.id, prorationBehavior: "invoice" }),
    tag: "SubscriptionPaymentFailed"
  },
  {
    what: "change: the payment fails, and the same change waits already",
    arrange: async ({ billing, simulator }) => {
      await billing.subscriptions.change(userId, { product: team.id, prorationBehavior: "next_period" })
      await simulator.failNextPayment()
    },
    make: ({ change }) => change(userId, { product: team.id, prorationBehavior: "invoice" }),
    tag: "SubscriptionPaymentFailed"
  },
  {
    what: "change: the organization may not reset",
    make: ({ change }) => change(userId, { product: team.id, prorationBehavior: "reset" }),
    tag: "SubscriptionChangeRefused",
    reason: "proration not allowed"
  },
  {
    what: "change: it is not sold by seats",
    make: ({ change }) => change(userId, { seats: 5 }),
    tag: "SubscriptionChangeRefused",
    reason: "not sold by seats"
  },
  {
    what: "change: it is not sold by units",
    product: seats.id,
    make: ({ change }) => change(userId, { units: 5 }),
    tag: "SubscriptionChangeRefused",
    reason: "not sold by units"
  },
  {
    what: "change: more seats than are sold",
    product: seats.id,
    make: ({ change }) => change(userId, { seats: 1000 }),
    tag: "SubscriptionChangeRefused",
    reason: "quantity out of range"
  },
  {
    what: "change: fewer units than are sold",
    product: units.id,
    make: ({ change }) => change(userId, { units: 1 }),
    tag: "SubscriptionChangeRefused",
    reason: "quantity out of range"
  },
  {
    what: "change: more seats are assigned",
    product: seats.id,
    arrange: async (scene) => {
      await scene.billing.subscriptions.change(userId, { seats: 5, prorationBehavior: "invoice" })
      await scene.simulator.assignSeats(await ownIdOf(scene), 3)
    },
    make: ({ change }) => change(userId, { seats: 2 }),
    tag: "SubscriptionChangeRefused",
    reason: "seats assigned"
  },
  {
    what: "change: the payment for more seats fails",
    product: seats.id,
    arrange: ({ simulator }) => simulator.failNextPayment(),
    make: ({ change }) => change(userId, { seats: 5, prorationBehavior: "invoice" }),
    tag: "SubscriptionPaymentFailed"
  },
  {
    what: "change: from seats to a product without them",
    product: seats.id,
    make: ({ change }) => change(userId, { product: team.id }),
    tag: "SubscriptionChangeRefused",
    reason: "product not possible"
  },
  {
    what: "preview: what the change would be refused for",
    make: ({ preview }) => preview(userId, { seats: 5 }),
    tag: "SubscriptionChangeRefused",
    reason: "not sold by seats"
  },
  {
    what: "cancel: Polar is at it for longer than anybody waits",
    arrange: async (scene) => scene.simulator.lockSubscription(await ownIdOf(scene), 100),
    make: ({ cancel }) => cancel(userId),
    tag: "SubscriptionLocked"
  },
  {
    what: "pause: it is scheduled to end",
    arrange: ({ billing }) => billing.subscriptions.cancel(userId),
    make: ({ pause }) => pause(userId),
    tag: "SubscriptionChangeRefused",
    reason: "cannot be paused"
  },
  {
    what: "extendTrial: the time has passed",
    make: ({ extendTrial }) => extendTrial(userId, new Date("2020-01-01")),
    tag: "SubscriptionChangeRefused",
    reason: "time not possible"
  },
  {
    what: "applyDiscount: there is no such discount",
    make: ({ applyDiscount }) => applyDiscount(userId, "NOPE"),
    tag: "SubscriptionChangeRefused",
    reason: "discount not applicable"
  },
  {
    what: "the user has none",
    make: ({ cancel }) => cancel("lin"),
    tag: "NoSubscription"
  },
  {
    what: "the subscription is another user's",
    make: async ({ revoke }, scene) => revoke("lin", { subscriptionId: await ownIdOf(scene) }),
    tag: "SubscriptionNotFound"
  },
  {
    what: "there is no such subscription",
    make: ({ cancel }) => cancel(userId, { subscriptionId: "0f0e0d0c-0b0a-4908-8706-0504030201ff" }),
    tag: "SubscriptionNotFound"
  }
]

describe("what Polar refuses", () => {
  test.each(refusals)("$what", async ({ arrange, make, options, product, reason, tag }) => {
    await subscribed(
      async (scene) => {
        const { billing, simulator } = scene
        await arrange?.(scene)
        await simulator.flush()
        const before = await simulator.read(({ tables }) => [...tables.subscriptions])
        const made = make(billing.subscriptions, scene)
        expect(await outcome(made)).toBe(tag)
        if (reason !== undefined) await expect(made).rejects.toMatchObject({ reason })
        expect(await simulator.read(({ tables }) => [...tables.subscriptions]), "nothing was changed").toEqual(before)
      },
      { ...(options === undefined ? {} : { options }), ...(product === undefined ? {} : { product }) }
    )
  })

  test("of several live ones, one must be named", async () => {
    await subscribed(
      async (scene) => {
        const { billing } = scene
        await scene.buy(team.id)
        const all = await billing.listSubscriptions(userId)
        expect(all).toHaveLength(2)
        await expect(billing.subscriptions.cancel(userId)).rejects.toMatchObject({
          _tag: "SeveralSubscriptions",
          subscriptions: all.map(({ id, productId, status }) => ({ id, productId, status }))
        })
        const [newest, oldest] = all
        await billing.subscriptions.cancel(userId, { subscriptionId: oldest?.id ?? "" })
        expect(await billing.listSubscriptions(userId)).toMatchObject([
          { id: newest?.id, cancelAtPeriodEnd: false },
          { id: oldest?.id, cancelAtPeriodEnd: true }
        ])
      },
      { options: { allowMultipleSubscriptions: true } }
    )
  })

  test("an option that is unknown, unset or said twice is a mistake, and nothing is asked of Polar", async () => {
    await subscribed(async ({ billing: { subscriptions } }) => {
      const wrong: ReadonlyArray<() => Promise<unknown>> = [
        () => subscriptions.change(userId, {} as never),
        () => subscriptions.change(userId, { product: team.id, seats: 2 } as never),
        () => subscriptions.change(userId, { product: "enterprize" }),
        () => subscriptions.change(userId, { seats: 0 }),
        () => subscriptions.cancel(userId, { subscriptionId: undefined } as never),
        () => subscriptions.cancel(userId, { atPeriodend: true } as never),
        () => subscriptions.pause(userId, { atPeriodEnd: false } as never),
        () => subscriptions.extendTrial(userId, new Date(Number.NaN)),
        () => subscriptions.applyDiscount(userId, "")
      ]
      for (const call of wrong) await expect(call()).rejects.toMatchObject({ _tag: "InvalidOption" })
      expect(await subscriptions.cancel(userId)).toMatchObject({ cancelAtPeriodEnd: true })
    })
  })
})

describe("a preview", () => {
  test("is what the change then charges", async () => {
    await subscribed(
      async ({ billing, simulator }) => {
        const change = { seats: 12, prorationBehavior: "invoice" } as const
        const preview = await billing.subscriptions.preview(userId, change)
        await billing.subscriptions.change(userId, change)
        await simulator.flush()
        const [order] = await billing.orders.list(userId)
        expect(order).toMatchObject({ billingReason: "subscription_update", status: "paid" })
        expect(preview).toMatchObject({ available: true, currency: "usd", discount: 0, appliedBalance: 0 })
        if (!preview.available) return expect.fail("no preview")
        expect(preview.prorations).toHaveLength(1)
        // Time goes by between the two.
        expect(Math.abs(preview.due - (order?.totalAmount ?? 0))).toBeLessThanOrEqual(1)
        expect(preview.due).toBe(preview.net + preview.tax)
      },
      { product: seats.id, options: { taxRate: 0.2 } }
    )
  })

  test("is not available where Polar has none", async () => {
    await subscribed(
      async ({ billing }) => {
        expect(await billing.subscriptions.preview(userId, { product: free.id })).toEqual({ available: false })
      },
      { options: { previews: false } }
    )
  })
})

test("a subscription that is locked for a moment is changed all the same", async () => {
  await subscribed(async (scene) => {
    await scene.simulator.lockSubscription(await ownIdOf(scene), 2)
    expect(await scene.billing.subscriptions.cancel(userId)).toMatchObject({ cancelAtPeriodEnd: true })
  })
})

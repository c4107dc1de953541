/**
 * Every change of a subscription, made at the simulator: what the app has at once, what its webhooks add to that (nothing), what
 * the app is told (once), and what Polar's refusals are called. The table is that of docs/subscriptions.md.
 */
import type { Polar, SubscriptionDetails } from "@kavach-polar/http"
import { Seed, type ServeOptions } from "@kavach-polar/simulator"
import { describe, expect, test } from "vitest"
import { documentedRows, outcome, pro, type Scene, userId, withScene } from "./BillingScene.ts"

const { free, lifetime, team, trial } = Seed.products

type Subscriptions = Polar["subscriptions"]

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

interface Change {
  readonly name: string
  readonly product?: string
  readonly options?: ServeOptions
  /** Before the change. */
  readonly arrange?: (scene: Scene) => Promise<unknown>
  readonly make: (subscriptions: Subscriptions) => Promise<SubscriptionDetails>
  readonly becomes: object
  /** How many notifications it is: none where the documented fields stay as they are. */
  readonly told: number
}

const paused = async (scene: Scene) => {
  await scene.billing.subscriptions.pause(userId)
  await scene.simulator.advance("32 days")
  await scene.simulator.flush()
  expect(await scene.billing.getSubscription(userId)).toMatchObject({ status: "paused" })
}

const until = new Date("2027-06-01T00:00:00.000Z")

const changes: ReadonlyArray<Change> = [
  {
    name: "change to a product",
    make: ({ change }) => change(userId, { product: team.id, prorationBehavior: "invoice" }),
    becomes: { productId: team.id, status: "active", pendingUpdate: null },
    told: 1
  },
  {
    name: "change with the next period",
    make: ({ change }) => change(userId, { product: team.id, prorationBehavior: "next_period" }),
    becomes: { productId: pro, pendingUpdate: { productId: team.id } },
    told: 0
  },
  {
    name: "undoPending",
    arrange: ({ billing }) =>
      billing.subscriptions.change(userId, { product: team.id, prorationBehavior: "next_period" }),
    make: ({ undoPending }) => undoPending(userId),
    becomes: { productId: pro, pendingUpdate: null },
    told: 0
  },
  {
    name: "cancel",
    make: ({ cancel }) => cancel(userId, { reason: "too_expensive", comment: "Adieu" }),
    becomes: {
      status: "active",
      cancelAtPeriodEnd: true,
      cancellationReason: "too_expensive",
      cancellationComment: "Adieu"
    },
    told: 1
  },
  {
    name: "uncancel",
    arrange: ({ billing }) => billing.subscriptions.cancel(userId),
    make: ({ uncancel }) => uncancel(userId),
    becomes: { status: "active", cancelAtPeriodEnd: false, endsAt: null },
    told: 1
  },
  {
    name: "cancel at once",
    make: ({ cancel }) => cancel(userId, { atPeriodEnd: false }),
    becomes: { status: "canceled", isLive: false },
    told: 1
  },
  {
    name: "revoke",
    make: ({ revoke }) => revoke(userId, { reason: "unused" }),
    becomes: { status: "canceled", isLive: false, cancellationReason: "unused" },
    told: 1
  },
  {
    name: "pause",
    make: ({ pause }) => pause(userId, { resumesAt: until }),
    becomes: { status: "active", pauseAtPeriodEnd: true, resumesAt: until },
    told: 0
  },
  {
    name: "resume before the pause",
    arrange: ({ billing }) => billing.subscriptions.pause(userId),
    make: ({ resume }) => resume(userId),
    becomes: { status: "active", pauseAtPeriodEnd: false },
    told: 0
  },
  {
    name: "resume",
    arrange: paused,
    make: ({ resume }) => resume(userId),
    becomes: { status: "active", pausedAt: null, isPaused: false },
    told: 1
  },
  {
    name: "extendTrial",
    product: trial.id,
    make: ({ extendTrial }) => extendTrial(userId, until),
    becomes: { status: "trialing", trialEnd: until },
    told: 1
  },
  {
    name: "endTrial",
    product: trial.id,
    make: ({ endTrial }) => endTrial(userId),
    becomes: { status: "active" },
    told: 1
  }
]

const ownIdOf = async ({ billing }: Scene) => (await billing.listSubscriptions(userId))[0]?.id ?? expect.fail("none")

describe("a change of a subscription", () => {
  test.each(changes)(
    "$name: is stored at once, and told once",
    async ({ arrange, make, options, product, becomes, ...rest }) => {
      await subscribed(
        async (scene, told) => {
          const { billing, simulator } = scene
          await arrange?.(scene)
          await simulator.flush()
          await billing.settled()
          const before = told.length
          // The webhooks of the change come late: all of them after the answer.
          await simulator.setChaos({ delays: 1, longestDelay: 60 })
          const made = await make(billing.subscriptions)
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
        { ...(options === undefined ? {} : { options }), ...(product === undefined ? {} : { product }) }
      )
    }
  )

  test.each(changes)(
    "$name: twice, and crossed by its own webhooks, ends the same",
    async ({ arrange, make, options, product, becomes, ...rest }) => {
      await subscribed(
        async (scene, told) => {
          const { billing, simulator } = scene
          await arrange?.(scene)
          await simulator.flush()
          await billing.settled()
          const before = told.length
          const subscriptionId = await ownIdOf(scene)
          const [one, other] = await Promise.all([
            make(billing.subscriptions),
            // Whoever comes second finds it done, or finds that there is none any more.
            make(billing.subscriptions).catch((error: { readonly _tag: string }) => error),
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
        { ...(options === undefined ? {} : { options }), ...(product === undefined ? {} : { product }) }
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

test("the documented table says what is told of each", () => {
  const rows = documentedRows("## What each call does", 4, "docs/subscriptions.md")
  const told = new Map(rows.map(([name, , , toldOf]) => [name, toldOf === "once" ? 1 : 0]))
  for (const { name, told: times } of changes) {
    const documented = { "cancel at once": "revoke", "resume before the pause": undefined }[name] ?? name
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
  test("is not available where Polar has none", async () => {
    await subscribed(async ({ billing }) => {
      expect(await billing.subscriptions.preview("ada", { product: free.id })).toEqual({ available: false })
    })
  })
})

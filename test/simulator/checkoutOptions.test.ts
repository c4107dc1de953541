/** What an app may say of a checkout, and what becomes of somebody who is subscribed already. */
import { Seed } from "@kavach-polar/simulator"
import { describe, expect, test } from "vitest"
import { email, outcome, pro, type Scene, userId, withScene } from "./BillingScene.ts"

const { free, lifetime, team, trial } = Seed.products

const several = { allowMultipleSubscriptions: true }
const spring = { id: "4c6a1f0e-7a52-4a0c-9b1d-2f60c3a8e511", name: "Spring sale", code: "SPRING26", percent: 25 }

/** A checkout as Polar has it. */
const atPolar = (scene: Scene, id: string) =>
  scene.api("GET", `/v1/checkouts/${id}`) as Promise<unknown> as Promise<Record<string, unknown>>

/** How many there are at Polar. */
const countAtPolar = async (scene: Scene): Promise<number> => {
  const { pagination } = (await scene.api("GET", "/v1/checkouts/")) as unknown as {
    readonly pagination: { readonly total_count: number }
  }
  return pagination.total_count
}

const pay = async ({ billing, simulator }: Scene, id: string) => {
  await simulator.pay(id, { customer_email: email })
  await simulator.flush()
  await billing.settled()
}

const said = { customerEmail: email } as const

describe("what the app says", () => {
  test("is what Polar has", async () => {
    await withScene({ discounts: [spring] }, {}, async (scene) => {
      const { id } = await scene.billing.createCheckout(userId, [pro, team.id], {
        ...said,
        returnUrl: "https://app.example.com/plans",
        embedOrigin: "https://app.example.com",
        allowDiscountCodes: false,
        trial: { interval: "week", count: 2 },
        customerIpAddress: "2001:db8::7",
        customerBillingAddress: { country: "FR", postalCode: "75011", city: "Paris" },
        requireBillingAddress: true,
        isBusinessCustomer: true,
        externalReference: "quote-17",
        metadata: { campaign: "spring" }
      })
      const checkout = await atPolar(scene, id)
      expect(checkout).toMatchObject({
        product_id: pro,
        return_url: "https://app.example.com/plans",
        embed_origin: "https://app.example.com",
        allow_discount_codes: false,
        trial_interval: "week",
        trial_interval_count: 2,
        customer_ip_address: "2001:db8::7",
        customer_billing_address: { country: "FR", postal_code: "75011", city: "Paris" },
        require_billing_address: true,
        is_business_customer: true,
        metadata: { campaign: "spring", kavach_external_reference: "quote-17", kavach_user_id: userId }
      })
      expect((checkout["products"] as ReadonlyArray<{ id: string }>).map(({ id }) => id)).toEqual([pro, team.id])
      await pay(scene, id)
      expect(await scene.billing.listSubscriptions(userId)).toMatchObject([
        { status: "trialing", metadata: { kavach_external_reference: "quote-17", campaign: "spring" } }
      ])
    })
  })

  test("a discount by its code, in capitals or not; one that does not apply is told by name", async () => {
    await withScene({ discounts: [spring] }, {}, async (scene) => {
      const { billing } = scene
      const { id } = await billing.createCheckout(userId, lifetime.id, { ...said, discountCode: "spring26" })
      expect(await atPolar(scene, id)).toMatchObject({ discount_id: spring.id, discount_amount: 1225 })
      await expect(
        billing.createCheckout(userId, lifetime.id, { ...said, discountCode: "SPRING" })
      ).rejects.toMatchObject({
        _tag: "DiscountNotApplicable",
        discount: "SPRING",
        message: expect.stringContaining("Polar has none with this code.")
      })
      const unknown = "9f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e09"
      await expect(billing.createCheckout(userId, lifetime.id, { ...said, discountId: unknown })).rejects.toMatchObject(
        {
          _tag: "DiscountNotApplicable",
          discount: unknown
        }
      )
    })
  })

  test.each<[option: string, options: object]>([
    ["discountCode", { discountCode: "A1", discountId: spring.id }],
    ["customerTaxId", { customerTaxId: "FR83404833048" }],
    ["seats", { seats: 3, minSeats: 5 }],
    ["seats", { seats: 7, maxSeats: 5 }],
    ["seats", { minSeats: 7, maxSeats: 5 }],
    ["seats", { seats: 0 }],
    ["maxSeats", { maxSeats: 10_001 }],
    ["units", { units: 2, minUnits: 3 }],
    ["units", { units: 1.5 }],
    ["amount", { amount: -1 }],
    ["currency", { currency: "EUR" }],
    ["locale", { locale: "fr_FR" }],
    ["trial", { trial: true }],
    ["trial", { trial: { interval: "day", count: 0 } }],
    ["customerIpAddress", { customerIpAddress: "203.0.113.7, 10.0.0.1" }],
    ["customerIpAddress", { customerIpAddress: "203.0.113.700" }],
    ["customerBillingAddress.country", { customerBillingAddress: { country: "France" } }],
    ["customerBillingAddress.zip", { customerBillingAddress: { country: "FR", zip: "1" } }],
    ["embedOrigin", { embedOrigin: "https://app.example.com/page" }],
    ["externalReference", { externalReference: "" }],
    ["metadata.kavach_user_id", { metadata: { kavach_user_id: "bob" } }],
    ["metadata", { metadata: { note: "" } }],
    ["metadata", { metadata: Object.fromEntries(Array.from({ length: 48 }, (_, index) => [`key${index}`, 1])) }],
    ["subscriptionId", { subscriptionId: undefined }],
    ["ifSubscribed", { ifSubscribed: "upgrade" }],
    ["reuse", { reuse: "yes" }],
    ["discountcode", { discountcode: "SPRING" }]
  ])("%s is refused before Polar is asked: %j", async (option, options) => {
    await withScene({}, {}, async (scene) => {
      await expect(scene.billing.createCheckout(userId, pro, options as never)).rejects.toMatchObject({
        _tag: "InvalidOption",
        call: "createCheckout()",
        option: expect.stringMatching(new RegExp(`^${option}(\\.|$)`))
      })
      expect(await countAtPolar(scene)).toBe(0)
    })
  })

  test("a change among several products is refused: it may charge for what nobody chose", async () => {
    await withScene({}, {}, async (scene) => {
      const change = scene.billing.createCheckout(userId, [pro, team.id], { ...said, ifSubscribed: "change" })
      await expect(change).rejects.toMatchObject({ _tag: "InvalidOption", option: "ifSubscribed" })
      expect(await countAtPolar(scene)).toBe(0)
    })
  })

  test("no product at all is refused", async () => {
    await withScene({}, {}, async ({ billing }) => {
      await expect(billing.createCheckout(userId, [])).rejects.toMatchObject({
        _tag: "InvalidOption",
        option: "productId"
      })
    })
  })
})

describe("a trial", () => {
  test("is the product's, unless the app says otherwise", async () => {
    await withScene(several, {}, async (scene) => {
      const { id } = await scene.billing.createCheckout(userId, trial.id, { ...said, trial: false })
      await pay(scene, id)
      expect(await scene.billing.listSubscriptions(userId)).toMatchObject([{ status: "active", trialStart: null }])
    })
  })

  test("is had once, with trialOncePerUser", async () => {
    await withScene(several, { trialOncePerUser: true }, async (scene) => {
      const { billing } = scene
      await pay(scene, (await billing.createCheckout(userId, trial.id, said)).id)
      expect(await billing.access(userId)).toMatchObject({ entitlement: "granted" })
      await billing.subscriptions.revoke(userId)
      await pay(scene, (await billing.createCheckout(userId, trial.id, said)).id)
      expect((await billing.listSubscriptions(userId)).map(({ status }) => status)).toEqual(["active", "canceled"])
      // Nor is it had by saying so.
      const { id } = await billing.createCheckout(userId, pro, { ...said, trial: { interval: "day", count: 3 } })
      expect(await atPolar(scene, id)).toMatchObject({ allow_trial: false, trial_interval: null })
      // Another user has theirs.
      const other = await billing.createCheckout("bob", trial.id, { customerEmail: "bob@acme-mail.dev" })
      expect(await atPolar(scene, other.id)).toMatchObject({ allow_trial: true })
    })
  })

  test("is had again without", async () => {
    await withScene(several, {}, async (scene) => {
      const { billing } = scene
      await pay(scene, (await billing.createCheckout(userId, trial.id, said)).id)
      await billing.subscriptions.revoke(userId)
      await pay(scene, (await billing.createCheckout(userId, trial.id, said)).id)
      expect((await billing.listSubscriptions(userId)).map(({ status }) => status)).toEqual(["trialing", "canceled"])
    })
  })
})

describe("a user who is subscribed", () => {
  const subscribed = (use: (scene: Scene, subscriptionId: string) => Promise<void>, options = several) =>
    withScene(options, {}, async (scene) => {
      await pay(scene, (await scene.billing.createCheckout(userId, pro, said)).id)
      const subscription = await scene.billing.getSubscription(userId)
      await use(scene, subscription?.id ?? expect.fail("no subscription"))
    })

  test("is not sold the same again, also where the organization allows several", async () => {
    await subscribed(async (scene, id) => {
      const { billing } = scene
      const before = await countAtPolar(scene)
      for (const product of [pro, pro.toUpperCase(), [team.id, pro]]) {
        await expect(billing.createCheckout(userId, product, said)).rejects.toMatchObject({
          _tag: "AlreadySubscribed",
          subscription: { id, productId: pro, status: "active" }
        })
      }
      expect(await countAtPolar(scene)).toBe(before)
      // Something else is.
      expect(await billing.createCheckout(userId, team.id, said)).toMatchObject({ outcome: "checkout" })
    })
  })

  test("buys another of the same where the app says so", async () => {
    await subscribed(async (scene) => {
      const { id } = await scene.billing.createCheckout(userId, pro, { ...said, ifSubscribed: "buy" })
      await pay(scene, id)
      expect(await scene.billing.listSubscriptions(userId)).toHaveLength(2)
    })
  })

  test("but not where Polar would refuse the buyer at the end", async () => {
    await subscribed(
      async ({ billing }) => {
        expect(await outcome(billing.createCheckout(userId, pro, { ...said, ifSubscribed: "buy" }))).toBe(
          "AlreadySubscribed"
        )
      },
      {} as typeof several
    )
  })

  test('ifSubscribed: "portal" leads to the portal', async () => {
    await subscribed(async ({ billing }) => {
      const outcome = await billing.createCheckout(userId, pro, { ...said, ifSubscribed: "portal" })
      expect(outcome).toEqual({ outcome: "portal", url: expect.stringMatching(/^http/) })
    })
  })

  test('ifSubscribed: "change" changes the subscription, once, and opens no checkout', async () => {
    await subscribed(
      async (scene, id) => {
        const { billing } = scene
        const before = await countAtPolar(scene)
        const upgrade = () => billing.createCheckout(userId, team.id, { ...said, ifSubscribed: "change" })
        const clicks = await Promise.all([upgrade(), upgrade()])
        for (const outcome of [...clicks, await upgrade()]) {
          expect(outcome).toMatchObject({ outcome: "changed", subscription: { id, productId: team.id } })
        }
        await scene.simulator.flush()
        expect(await billing.listSubscriptions(userId)).toMatchObject([{ id, productId: team.id, status: "active" }])
        // The organization allows one at a time: the checkout that Polar would refuse was opened to ask it, once.
        expect((await countAtPolar(scene)) - before).toBeLessThanOrEqual(1)
        expect(await billing.reconcile(userId)).toMatchObject({ discrepancies: [] })
      },
      {} as typeof several
    )
  })

  test("a free one is upgraded by its id", async () => {
    await withScene(several, {}, async (scene) => {
      const { billing } = scene
      await pay(scene, (await billing.createCheckout(userId, free.id, said)).id)
      const { id = expect.fail("no subscription") } = (await billing.getSubscription(userId)) ?? {}
      const checkout = await billing.createCheckout(userId, pro, { ...said, subscriptionId: id.toUpperCase() })
      expect(await atPolar(scene, checkout.id)).toMatchObject({ subscription_id: id })
      await pay(scene, checkout.id)
      expect(await billing.listSubscriptions(userId)).toMatchObject([{ id, productId: pro }])
      // Now it is paid for, and changed otherwise.
      await expect(billing.createCheckout(userId, team.id, { ...said, subscriptionId: id })).rejects.toMatchObject({
        _tag: "AlreadySubscribed",
        subscription: { id }
      })
    })
  })

  test("nobody upgrades another's", async () => {
    await subscribed(async (scene, subscriptionId) => {
      const { billing } = scene
      const before = await countAtPolar(scene)
      await expect(
        billing.createCheckout("bob", team.id, { customerEmail: "bob@acme-mail.dev", subscriptionId })
      ).rejects.toMatchObject({ _tag: "SubscriptionNotFound", userId: "bob" })
      expect(await countAtPolar(scene)).toBe(before)
    })
  })
})

describe("the same click again", () => {
  test("gets the same checkout, at once and later", async () => {
    await withScene({}, {}, async (scene) => {
      const buy = () => scene.billing.createCheckout(userId, pro, said)
      const [one, two] = await Promise.all([buy(), buy()])
      expect([two, await buy()]).toEqual([one, one])
      expect(await countAtPolar(scene)).toBe(1)
    })
  })

  test.each<[what: string, product: string, options: object]>([
    ["another product", team.id, said],
    ["another option", pro, { ...said, metadata: { campaign: "spring" } }],
    ["a new one, by reuse: false", pro, { ...said, reuse: false }]
  ])("gets another one for %s", async (_, product, options) => {
    await withScene({}, {}, async ({ billing }) => {
      const one = await billing.createCheckout(userId, pro, said)
      expect((await billing.createCheckout(userId, product, options)).id).not.toBe(one.id)
    })
  })

  test("gets another one when something was bought since, and another user theirs", async () => {
    await withScene({}, {}, async (scene) => {
      const { billing } = scene
      const one = await billing.createCheckout(userId, lifetime.id, said)
      const others = await billing.createCheckout("bob", lifetime.id, said)
      expect(others.id).not.toBe(one.id)
      await pay(scene, one.id)
      const again = await billing.createCheckout(userId, lifetime.id, said)
      expect(again.id).not.toBe(one.id)
      await pay(scene, again.id)
      expect(await billing.orders.list(userId)).toHaveLength(2)
    })
  })
})

/** Core's billing over the in-memory store, fed by the simulator's webhooks, with and without what goes wrong on the way. */
import { assert, describe, it } from "@effect/vitest"
import {
  Billing,
  BillingStore,
  NotificationDispatcher,
  SubscriptionListener,
  WebhookVerifier
} from "@kavach-polar/core"
import { ProductId, UserId } from "@kavach-polar/core/Subscription"
import { type Payments, PlanChange, Seed, Simulator, Subscriptions } from "@kavach-polar/simulator"
import { Effect, Either, HashMap, Layer, Option, Random, TestClock } from "effect"

const Polar = Simulator.layer({ allowMultipleSubscriptions: true }).pipe(Layer.provide(Simulator.layerNoNetwork))

const App = Billing.layer().pipe(
  Layer.provideMerge(NotificationDispatcher.layer({ pollInterval: "30 days" })),
  Layer.provideMerge(
    Layer.mergeAll(
      BillingStore.layerMemory,
      Simulator.layerClient,
      WebhookVerifier.layerMemory,
      SubscriptionListener.layerMemory
    )
  ),
  Layer.provideMerge(Polar)
)

const status = (error: { readonly _tag: string }): number =>
  error._tag === "StoreError" ? 503 : error._tag === "NotAnEvent" ? 400 : 403

/** The app's webhook endpoint, in this process. */
const connected = Effect.gen(function* () {
  const billing = yield* Billing.Billing
  const simulator = yield* Simulator.Simulator
  yield* billing.start
  yield* simulator.connect(
    ({ body, headers }) =>
      billing.receiveWebhook(headers, body).pipe(
        Effect.as(200),
        Effect.catchAll((error) => Effect.succeed(status(error)))
      ),
    { secret: WebhookVerifier.memorySecret }
  )
  return { billing, simulator }
})

const ada = UserId.make("usr_1")
const pro = ProductId.make(Seed.products.pro.id)

const bought = (userId: UserId, email: string, product = pro) =>
  Effect.gen(function* () {
    const billing = yield* Billing.Billing
    const simulator = yield* Simulator.Simulator
    const checkout = yield* billing.createCheckout(userId, product, { customerEmail: email })
    const { subscription } = yield* simulator.pay(checkout.id, { customer_email: email })
    return subscription === null ? yield* Effect.fail("declined") : subscription.id
  })

describe("a life without trouble", () => {
  it.effect("checkout, renewal, cancellation, end: the app knows at every step", () =>
    Effect.gen(function* () {
      const { billing, simulator } = yield* connected
      const id = yield* bought(ada, "ada@acme-mail.dev")
      yield* simulator.flush
      assert.strictEqual((yield* billing.access(ada)).entitlement, "granted")
      const first = Option.getOrThrow(yield* billing.getSubscription(ada))
      assert.strictEqual(first.id, id)

      yield* TestClock.adjust("32 days")
      yield* simulator.flush
      const renewed = Option.getOrThrow(yield* billing.getSubscription(ada))
      assert.isAbove(renewed.currentPeriodEnd?.getTime() ?? 0, first.currentPeriodEnd?.getTime() ?? 0)

      yield* simulator.run(Subscriptions.cancel(id, { customer_cancellation_reason: "unused" }))
      yield* simulator.flush
      const ending = Option.getOrThrow(yield* billing.getSubscription(ada))
      assert.isTrue(ending.cancelAtPeriodEnd)
      assert.strictEqual((yield* billing.access(ada)).entitlement, "granted")

      yield* TestClock.adjust("32 days")
      yield* simulator.flush
      assert.isTrue(Option.isNone(yield* billing.getSubscription(ada)))
      assert.notStrictEqual((yield* billing.access(ada)).entitlement, "granted")
    }).pipe(Effect.provide(App))
  )

  it.effect(
    "bought with another user's e-mail address: Polar gives it to that customer, and it is the buyer's all the same",
    () =>
      Effect.gen(function* () {
        const { billing, simulator } = yield* connected
        const grace = UserId.make("usr_2")
        yield* bought(ada, "shared@acme-mail.dev")
        // Grace's checkout cannot have a customer of her own; at the till, Polar gives the purchase to Ada's.
        const id = yield* bought(grace, "shared@acme-mail.dev", ProductId.make(Seed.products.team.id))
        yield* simulator.flush
        const owners = yield* simulator.read(({ tables }) => HashMap.size(tables.customers))
        assert.strictEqual(owners, 1)
        // The subscription's customer is linked to Ada; that Grace's checkout was made here says more.
        const idsOf = (userId: UserId) =>
          Effect.map(billing.listSubscriptions(userId), (all) => all.map((subscription): string => subscription.id))
        assert.deepStrictEqual(yield* idsOf(grace), [id])
        assert.notInclude(yield* idsOf(ada), id)
        assert.lengthOf(yield* idsOf(ada), 1)
      }).pipe(Effect.provide(App))
  )
})

const chaos = {
  duplicates: 0.3,
  reorder: 0.4,
  drops: 0.2,
  delays: 0.3,
  longestDelay: 120_000,
  tampering: 0.2
}

/** Things that subscribers and their cards do. */
const deeds = ["cancel", "uncancel", "plan", "pause", "resume", "decline", "month", "week", "revoke", "buy"] as const

const act = (deed: (typeof deeds)[number], userId: UserId, email: string) =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const mine = yield* simulator.read(({ tables }) =>
      Array.from(HashMap.values(tables.subscriptions))
        .filter(({ customer_id }) => HashMap.unsafeGet(tables.customers, customer_id).external_id === userId)
        .sort((one, other) => other.created_at - one.created_at)
    )
    const id = mine[0]?.id ?? ""
    switch (deed) {
      case "cancel":
        return yield* simulator.run(Subscriptions.cancel(id, {}))
      case "uncancel":
        return yield* simulator.run(Subscriptions.uncancel(id))
      case "plan":
        return yield* simulator.run(PlanChange.updatePlan(id, { product_id: Seed.products.team.id }))
      case "pause":
        return yield* simulator.run(Subscriptions.schedulePause(id, true, null))
      case "resume":
        return yield* simulator.run(Subscriptions.resume(id))
      case "decline":
        return yield* simulator.failNextPayment()
      case "month":
        return yield* simulator.advance("31 days")
      case "week":
        return yield* simulator.advance("7 days")
      case "revoke":
        return yield* simulator.run(Subscriptions.revoke(id))
      case "buy":
        return yield* bought(userId, email)
    }
  })

describe("a life with all the trouble that Polar allows for", () => {
  for (const seed of [1, 2, 3, 4]) {
    it.effect(`duplicates, drops, delays, disorder and forgery, seed ${seed}: the app ends where Polar is`, () =>
      Effect.gen(function* () {
        const { billing, simulator } = yield* connected
        yield* simulator.setChaos(chaos)
        const users = ["usr_1", "usr_2", "usr_3"].map((id) => UserId.make(id))
        let done = 0
        for (let turn = 0; turn < 200 && done < 20; turn++) {
          const userId = users[yield* Random.nextIntBetween(0, users.length)] ?? ada
          const deed = deeds[turn < 3 ? 9 : yield* Random.nextIntBetween(0, deeds.length)] ?? "week"
          const result = yield* Effect.either(act(deed, userId, `${userId}@acme-mail.dev`))
          if (Either.isRight(result)) done += 1
          yield* simulator.flush
        }
        assert.strictEqual(done, 20)
        // Quiet again: what is still to be tried again, is.
        yield* simulator.setChaos({ duplicates: 0, reorder: 0, drops: 0, delays: 0, tampering: 0 })
        yield* simulator.advance("1 hour")

        const truth = yield* simulator.read(({ tables }) => tables)
        const events = Array.from(HashMap.values(truth.events))
        assert.isAbove(events.length, 50)
        assert.isTrue(
          events.every(({ succeeded }) => succeeded === true),
          "some event died"
        )
        const codes = new Set(Array.from(HashMap.values(truth.deliveries), ({ http_code }) => http_code))
        assert.deepStrictEqual(codes, new Set([200, 403, null]), "delivered, forged and lost")
        const known = (yield* Effect.forEach(users, (userId) => billing.listSubscriptions(userId))).flat()
        assert.strictEqual(known.length, HashMap.size(truth.subscriptions))
        for (const subscription of known) {
          const real = HashMap.unsafeGet(truth.subscriptions, subscription.id)
          assert.deepStrictEqual(
            {
              status: subscription.status,
              productId: subscription.productId,
              end: subscription.currentPeriodEnd?.getTime() ?? null,
              cancelAtPeriodEnd: subscription.cancelAtPeriodEnd,
              ended: subscription.endedAt !== null,
              pastDue: subscription.pastDueAt !== null
            },
            {
              status: real.status,
              productId: real.product_id,
              end: Math.floor(real.current_period_end / 1000),
              cancelAtPeriodEnd: real.cancel_at_period_end,
              ended: real.ended_at !== null,
              pastDue: real.past_due_at !== null
            }
          )
        }
      }).pipe(Effect.provide(App), Effect.withRandom(Random.make(seed)))
    )
  }
})

it.effect("a checkout that is declined leaves the user with nothing, and can be paid later", () =>
  Effect.gen(function* () {
    const { billing, simulator } = yield* connected
    const checkout = yield* billing.createCheckout(ada, pro, { customerEmail: "ada@acme-mail.dev" })
    const declined = yield* simulator.decline(checkout.id)
    assert.strictEqual(declined.outcome, "declined")
    yield* simulator.flush
    assert.isTrue(Option.isNone(yield* billing.getSubscription(ada)))
    const paid: Payments.Payment = yield* simulator.pay(checkout.id)
    assert.strictEqual(paid.outcome, "succeeded")
    yield* simulator.flush
    assert.strictEqual((yield* billing.access(ada)).entitlement, "granted")
  }).pipe(Effect.provide(App))
)

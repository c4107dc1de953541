/** What no webhook brought: an endpoint that is down for months, and reconciliation with the simulator's API. */
import { assert, describe, it } from "@effect/vitest"
import {
  Billing,
  BillingStore,
  NotificationDispatcher,
  SubscriptionListener,
  WebhookVerifier
} from "@kavach-polar/core"
import { ProductId, UserId } from "@kavach-polar/core/Subscription"
import { Seed, Simulator, Subscriptions, Webhooks } from "@kavach-polar/simulator"
import { Effect, HashMap, Layer, Option, Ref } from "effect"

const Polar = Simulator.layer().pipe(Layer.provide(Simulator.layerNoNetwork))

const App = Billing.layer({ webhookUrl: "http://in-process.invalid/" }).pipe(
  Layer.provideMerge(NotificationDispatcher.layer({ pollInterval: "3000 days" })),
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

/** The app's endpoint, which takes nothing until it is told to. */
const connected = Effect.gen(function* () {
  const billing = yield* Billing.Billing
  const simulator = yield* Simulator.Simulator
  const up = yield* Ref.make(false)
  yield* billing.start
  const endpoint = yield* simulator.connect(
    ({ body, headers }) =>
      Effect.flatMap(Ref.get(up), (isUp) =>
        isUp
          ? billing.receiveWebhook(headers, body).pipe(
              Effect.as(200),
              Effect.orElseSucceed(() => 503)
            )
          : Effect.succeed(503)
      ),
    { secret: WebhookVerifier.memorySecret }
  )
  return { billing, simulator, endpoint, setUp: Ref.set(up, true) }
})

const bought = (user: string, product: string) =>
  Effect.gen(function* () {
    const billing = yield* Billing.Billing
    const simulator = yield* Simulator.Simulator
    const email = `${user}@acme-mail.dev`
    const checkout = yield* billing.createCheckout(UserId.make(user), ProductId.make(product), { customerEmail: email })
    const { subscription } = yield* simulator.pay(checkout.id, { customer_email: email })
    return subscription?.id ?? assert.fail("declined")
  })

/** What Polar has and what the store has, of every subscription and order, side by side. */
const bothSides = (users: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const billing = yield* Billing.Billing
    const simulator = yield* Simulator.Simulator
    const polar = yield* simulator.read(({ tables }) =>
      [
        ...Array.from(HashMap.values(tables.subscriptions), (one) =>
          [
            one.id,
            one.status,
            one.product_id,
            Math.floor(one.current_period_end / 1000),
            one.cancel_at_period_end,
            one.ended_at === null ? null : Math.floor(one.ended_at / 1000)
          ].join(" ")
        ),
        ...Array.from(HashMap.values(tables.orders), (one) => `${one.id} ${one.status}`)
      ].sort()
    )
    const lists = yield* Effect.forEach(users, (user) => billing.listSubscriptions(UserId.make(user)))
    const orders = yield* Effect.forEach(users, (user) => billing.orders.list(UserId.make(user)))
    const stored = [
      ...lists
        .flat()
        .map((one) =>
          [
            one.id,
            one.status,
            one.productId,
            one.currentPeriodEnd?.getTime() ?? null,
            one.cancelAtPeriodEnd,
            one.endedAt === null ? null : one.endedAt.getTime()
          ].join(" ")
        ),
      ...orders.flat().map((one) => `${one.id} ${one.status}`)
    ].sort()
    return { polar, stored }
  })

const users = Array.from({ length: 12 }, (_, index) => `usr_${index}`)

describe("an endpoint that was down for months", () => {
  it.effect("the store ends where Polar is, is told of the endpoint, and what comes late changes nothing", () =>
    Effect.gen(function* () {
      const { billing, endpoint, setUp, simulator } = yield* connected
      const products = [Seed.products.pro.id, Seed.products.team.id, Seed.products.trial.id]
      const ids = yield* Effect.forEach(users, (user, index) =>
        bought(user, products[index % 3] ?? Seed.products.pro.id)
      )
      const at = (index: number) => ids[index] ?? assert.fail("no such subscription")
      yield* simulator.run(Subscriptions.cancel(at(0), {}))
      yield* simulator.run(Subscriptions.revoke(at(1)))
      yield* simulator.failNextPayment()
      yield* simulator.advance("33 days")
      yield* simulator.run(Subscriptions.cancel(at(2), {}))
      yield* simulator.run(Subscriptions.schedulePause(at(3), true, null))
      yield* simulator.failNextPayment({ forGood: true })
      yield* simulator.advance("40 days")

      const { polar } = yield* bothSides(users)
      assert.deepStrictEqual((yield* bothSides(users)).stored, [])
      const dry = yield* billing.reconcileAll({ dryRun: true })
      assert.isAbove(polar.length, 2 * 12 - 1)
      const found = (kind: string) => dry.discrepancies.filter((one) => one.kind === kind).length
      assert.strictEqual(found("subscription") + found("order"), polar.length)
      // The others are kept as well, and nobody is told of them.
      assert.deepStrictEqual([found("customer"), found("checkout")], [users.length, users.length])
      const others = ["customer", "checkout", "product", "discount"].reduce((sum, kind) => sum + found(kind), 0)
      assert.strictEqual(dry.discrepancyCount, polar.length + others)
      assert.deepStrictEqual((yield* bothSides(users)).stored, [])

      const report = yield* billing.reconcileAll()
      assert.deepInclude(report, {
        compared: dry.discrepancyCount,
        discrepancyCount: dry.discrepancyCount,
        notCompared: [],
        notified: 12,
        unknownToPolar: []
      })
      assert.deepInclude(report.webhooks.endpoints[0], { isOwn: true, enabled: false, redelivered: 0 })
      assert.isAbove(report.webhooks.endpoints[0]?.undelivered ?? 0, 9)
      assert.deepStrictEqual((yield* bothSides(users)).stored, polar)
      assert.isAbove(new Set(polar.map((line) => line.split(" ")[1])).size, 2)

      // Somebody enables it: what had died is asked for again, and comes when all of it is old.
      yield* setUp
      yield* simulator.run(Webhooks.updateEndpoint(endpoint.id, { enabled: true }))
      const again = yield* billing.reconcileAll()
      assert.deepInclude(again, { discrepancyCount: 0, notified: 0 })
      assert.isAbove(again.webhooks.endpoints[0]?.redelivered ?? 0, 9)
      yield* simulator.flush
      assert.deepStrictEqual((yield* bothSides(users)).stored, polar)
      assert.deepInclude(yield* billing.reconcileAll(), { discrepancyCount: 0, notified: 0 })

      // And life goes on by webhooks.
      yield* simulator.advance("32 days")
      yield* simulator.flush
      const later = yield* bothSides(users)
      assert.deepStrictEqual(later.stored, later.polar)
      assert.notDeepEqual(later.polar, polar)
    }).pipe(Effect.provide(App))
  )

  it.effect("a buyer who comes back has access by asking for them alone", () =>
    Effect.gen(function* () {
      const { billing } = yield* connected
      yield* bought("usr_0", Seed.products.pro.id)
      yield* bought("usr_1", Seed.products.pro.id)
      const user = UserId.make("usr_0")
      assert.isTrue(Option.isNone(yield* billing.getSubscription(user)))
      yield* billing.reconcile(user)
      assert.strictEqual((yield* billing.access(user)).entitlement, "granted")
      assert.isTrue(Option.isNone(yield* billing.getSubscription(UserId.make("usr_1"))))
    }).pipe(Effect.provide(App))
  )
})

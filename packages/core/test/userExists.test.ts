/** `userExists`: the app says which of the users that Polar names are its own. */
import { assert, describe, it } from "@effect/vitest"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { CheckoutId, CustomerId, ProductId, UserId } from "@kavach-polar/core/Subscription"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Cause, Deferred, Effect, Fiber, Layer, Option, Ref, TestClock } from "effect"
import { anonymousCustomer, deliveryOf, subscriptionIn, vary } from "./deliveries.ts"

const ada = UserId.make("usr_1042")

/** An app whose users live elsewhere, and that can be asked for them. */
const layer = (options: Billing.BillingOptions) => {
  const ports = Layer.mergeAll(
    BillingStore.layerMemory,
    PolarClient.layerMemory,
    WebhookVerifier.layerMemory,
    SubscriptionListener.layerMemory
  )
  return Layer.provideMerge(Billing.layer(options), Layer.provideMerge(NotificationDispatcher.layer(), ports))
}

/** The names by which Polar can name a user: the customer's external id, and metadata. */
const byExternalId = (userId = ada) => vary("subscription.active", { data: anonymousCustomer("cus_1", userId) })
const byMetadata = (userId = ada) =>
  vary("subscription.active", { data: { ...anonymousCustomer("cus_1"), metadata: { kavach_user_id: userId } } })

const deliver = (id: string, body: Uint8Array) =>
  Effect.flatMap(Billing.Billing, (billing) =>
    billing.receiveWebhook(
      WebhookVerifier.signedHeaders({ secret: WebhookVerifier.memorySecret, id, timestampSeconds: 0, body }),
      body
    )
  )

const entitlement = (userId: UserId) =>
  Effect.flatMap(Billing.Billing, (billing) =>
    Effect.map(billing.access(userId, { at: new Date("2026-10-06T00:00:00Z") }), (access) => access.entitlement)
  )

const told = Effect.gen(function* () {
  yield* TestClock.adjust("1 minute")
  const received = yield* Ref.get(yield* SubscriptionListener.ReceivedNotifications)
  return received.map(({ subscription, userId }) => `${userId} ${subscription.status}`)
})

/** An app that is asked, and answers as the test says. */
const askable = (answer: (userId: UserId) => Effect.Effect<boolean, unknown>) => {
  const asked: Array<UserId> = []
  return {
    asked,
    options: {
      userExists: (userId: UserId) => {
        asked.push(userId)
        return answer(userId)
      }
    }
  }
}

describe.each([
  ["the customer's external id", byExternalId],
  ["metadata", byMetadata]
])("a user whom %s names", (_name, body) => {
  it.effect("and the app has: what they bought is theirs", () => {
    const app = askable((userId) => Effect.succeed(userId === ada))
    return Effect.gen(function* () {
      assert.deepInclude(yield* deliver("evt_1", body()), { state: "applied", userId: ada })
      assert.strictEqual(yield* entitlement(ada), "granted")
      assert.deepStrictEqual(app.asked, [ada])
      assert.deepStrictEqual(yield* told, ["usr_1042 active"])
    }).pipe(Effect.provide(layer(app.options)))
  })

  it.effect("and the app does not have: it waits, and gives nobody access", () => {
    const app = askable(() => Effect.succeed(false))
    return Effect.gen(function* () {
      const billing = yield* Billing.Billing
      assert.deepInclude(yield* deliver("evt_1", body()), { state: "unlinked", userId: null, notified: false })
      assert.strictEqual(yield* entitlement(ada), "denied")
      assert.isTrue(Option.isNone(yield* billing.getSubscription(ada)))
      assert.lengthOf(yield* billing.customers.waiting(), 1)
      assert.deepStrictEqual((yield* billing.customers.of(ada)).customers, [])
      assert.deepStrictEqual(app.asked, [ada])
      assert.deepStrictEqual(yield* told, [])
    }).pipe(Effect.provide(layer(app.options)))
  })

  const failures: ReadonlyArray<readonly [string, Effect.Effect<boolean, unknown>]> = [
    ["fails", Effect.fail(new Error("the users' service is away"))],
    ["dies", Effect.die("a mistake in the app")],
    ["never answers", Effect.never]
  ]
  it.effect.each(failures)(
    "and the app %s: nothing is written, and the delivery is applied once, later",
    ([, failure]) =>
      Effect.gen(function* () {
        const answer = yield* Ref.make(failure)
        yield* Effect.gen(function* () {
          const store = yield* BillingStore.BillingStore
          const first = yield* Effect.fork(Effect.flip(deliver("evt_1", body())))
          yield* TestClock.adjust("3 seconds")
          const error = yield* Fiber.join(first)
          assert.strictEqual(error._tag, "UserLookupFailed")
          assert.include(error.message, "nothing was written. Try again.")
          assert.isTrue("cause" in error && Cause.isCause(error.cause) && !Cause.isEmpty(error.cause))
          assert.deepStrictEqual(yield* store.deliveries({}), [])
          assert.strictEqual(yield* entitlement(ada), "denied")

          yield* Ref.set(answer, Effect.succeed(true))
          assert.deepInclude(yield* deliver("evt_1", body()), { state: "applied", duplicate: false, userId: ada })
          assert.deepInclude(yield* deliver("evt_1", body()), { state: "applied", duplicate: true })
          assert.strictEqual(yield* entitlement(ada), "granted")
          assert.deepStrictEqual(yield* told, ["usr_1042 active"])
        }).pipe(Effect.provide(layer({ userExists: () => Effect.flatten(Ref.get(answer)) })))
      })
  )
})

describe("a comparison of one user", () => {
  const atPolar = Effect.flatMap(PolarClient.MemoryPolar, (polar) =>
    polar.putSubscription(subscriptionIn(deliveryOf("evt", byExternalId())))
  )

  it.effect.each([
    ["the app does not have: it gives them nothing, and links nobody", false],
    ["the app has: what Polar knows by their id is theirs", true]
  ] as const)("whom %s", ([, exists]) => {
    const app = askable(() => Effect.succeed(exists))
    return Effect.gen(function* () {
      const billing = yield* Billing.Billing
      const store = yield* BillingStore.BillingStore
      yield* atPolar
      yield* billing.reconcile(ada)
      assert.strictEqual(Option.isSome(yield* store.customerOf(ada)), exists)
      assert.strictEqual(yield* entitlement(ada), exists ? "granted" : "denied")
      assert.include(app.asked, ada)
    }).pipe(Effect.provide(layer(app.options)))
  })
})

describe("the options", () => {
  it("say not that everybody is trusted, and that the app is asked", () => {
    const options = { externalIds: "trust", userExists: () => Effect.succeed(true) } as const
    assert.throws(
      () => Billing.layer(options),
      /^Billing\.layer\(\): externalIds: .*userExists would be without effect/
    )
  })
})

describe("the app", () => {
  it.effect("is asked of nobody whom billing knows by a link or a checkout", () => {
    const app = askable(() => Effect.succeed(false))
    return Effect.gen(function* () {
      const billing = yield* Billing.Billing
      const store = yield* BillingStore.BillingStore
      const lin = UserId.make("usr_1043")
      yield* billing.linkCustomer(lin, CustomerId.make("c0c0c0c0-0000-4000-8000-00000000000c"))
      yield* store.recordCheckout(
        { id: CheckoutId.make("c"), userId: ada, productId: ProductId.make("p") },
        defaultPolicy
      )
      yield* deliver("evt_1", byExternalId())
      yield* deliver("evt_2", vary("customer.updated", { data: { id: "cus_2", external_id: lin } }))
      assert.deepStrictEqual(app.asked, [])
      assert.strictEqual(yield* entitlement(ada), "granted")
    }).pipe(Effect.provide(layer(app.options)))
  })

  it.effect("is asked while nothing else of the store's waits for the answer", () =>
    Effect.gen(function* () {
      const answer = yield* Deferred.make<boolean>()
      const slow = UserId.make("usr_slow")
      yield* Effect.gen(function* () {
        const first = yield* Effect.fork(deliver("evt_slow", byExternalId(slow)))
        yield* TestClock.adjust("1 second")
        const other = vary("subscription.active", {
          data: { ...anonymousCustomer("cus_2", ada), id: "00000000-0000-4000-8000-000000000002" }
        })
        assert.deepInclude(yield* deliver("evt_2", other), { state: "applied", userId: ada })
        assert.isTrue(Option.isNone(yield* Fiber.poll(first)))
        yield* Deferred.succeed(answer, true)
        assert.deepInclude(yield* Fiber.join(first), { state: "applied", userId: slow })
      }).pipe(
        Effect.provide(
          layer({ userExists: (userId) => (userId === slow ? Deferred.await(answer) : Effect.succeed(true)) })
        )
      )
    })
  )
})

describe("what waited", () => {
  it.effect("is its user's as soon as the app has them; while the app cannot say, linkWaiting says so", () =>
    Effect.gen(function* () {
      const answer = yield* Ref.make<Effect.Effect<boolean, unknown>>(Effect.succeed(false))
      yield* Effect.gen(function* () {
        const billing = yield* Billing.Billing
        yield* deliver("evt_1", byMetadata())
        assert.strictEqual(yield* billing.linkWaiting, 0)
        yield* Ref.set(answer, Effect.fail("away"))
        assert.strictEqual((yield* Effect.flip(billing.linkWaiting))._tag, "UserLookupFailed")
        assert.strictEqual(yield* entitlement(ada), "denied")
        yield* Ref.set(answer, Effect.succeed(true))
        assert.strictEqual(yield* billing.linkWaiting, 1)
        assert.strictEqual(yield* entitlement(ada), "granted")
        assert.strictEqual(yield* billing.linkWaiting, 0)
        assert.deepStrictEqual(yield* told, ["usr_1042 active"])
      }).pipe(Effect.provide(layer({ userExists: () => Effect.flatten(Ref.get(answer)) })))
    })
  )
})

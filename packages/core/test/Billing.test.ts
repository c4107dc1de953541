import { assert, describe, it } from "@effect/vitest"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { PolarForbidden, PolarRejected, PolarUnavailable } from "@kavach-polar/core/PolarError"
import { CustomerId, ProductId, type User, UserId } from "@kavach-polar/core/Subscription"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Cause, Deferred, Effect, Fiber, Layer, Option, Ref, TestClock } from "effect"
import { anonymousCustomer, at, fixture, type Variation, vary } from "./deliveries.ts"

const ada = UserId.make("usr_1042")
const lin = UserId.make("usr_1043")
const strangerId = "c0c0c0c0-0000-4000-8000-00000000000c"
const product = ProductId.make("a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60")

const users: ReadonlyArray<User> = [
  { id: ada, email: Option.some("ada.martin@acme-mail.dev"), name: Option.some("Ada Martin"), emailVerified: true },
  { id: lin, email: Option.some("lin.osei@acme-mail.dev"), name: Option.none() }
]

const layer = (options?: Billing.BillingOptions, store = BillingStore.layerMemoryWith(users)) => {
  const ports = Layer.mergeAll(
    store,
    PolarClient.layerMemory,
    WebhookVerifier.layerMemory,
    SubscriptionListener.layerMemory
  )
  return Layer.provideMerge(Billing.layer(options), Layer.provideMerge(NotificationDispatcher.layer(), ports))
}

const deliver = (id: string, body: Uint8Array) =>
  Effect.flatMap(Billing.Billing, (billing) =>
    billing.receiveWebhook(
      WebhookVerifier.signedHeaders({ secret: WebhookVerifier.memorySecret, id, timestampSeconds: 0, body }),
      body
    )
  )

const told = Effect.gen(function* () {
  yield* TestClock.adjust("1 minute")
  const received = yield* SubscriptionListener.ReceivedNotifications
  const notifications = yield* Ref.get(received)
  return notifications.map(({ subscription, userId }) => `${userId} ${subscription.status}`)
})

describe("Billing.receiveWebhook", () => {
  it.effect("a genuine delivery changes the user's subscription and tells the app, once", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      assert.isTrue(Option.isNone(yield* billing.getSubscription(ada)))
      const outcome = yield* deliver("evt_1", fixture("subscription.active"))
      assert.deepInclude(outcome, { state: "applied", duplicate: false, userId: ada })
      const again = yield* deliver("evt_1", fixture("subscription.active"))
      assert.deepInclude(again, { state: "applied", duplicate: true, notified: false })
      const subscription = Option.getOrThrow(yield* billing.getSubscription(ada))
      assert.strictEqual(subscription.status, "active")
      assert.isTrue(Option.isNone(yield* billing.getSubscription(lin)))
      assert.deepStrictEqual(yield* told, ["usr_1042 active"])
    }).pipe(Effect.provide(layer()))
  )

  describe("by a store that does not answer", () => {
    /** The store in memory, which is silent until `speaks` is done. */
    const silentUntil = (speaks: Deferred.Deferred<void>) =>
      Layer.effect(
        BillingStore.BillingStore,
        Effect.map(BillingStore.BillingStore, (inner) => ({
          ...inner,
          receiveDeliveries: (...args: Parameters<typeof inner.receiveDeliveries>) =>
            Effect.flatMap(Deferred.isDone(speaks), (isDone) =>
              isDone ? inner.receiveDeliveries(...args) : Effect.uninterruptible(Effect.never)
            )
        }))
      ).pipe(Layer.provide(BillingStore.layerMemoryWith(users)))

    it.effect("is answered after five seconds, and the store is asked again for the next", () =>
      Effect.gen(function* () {
        const speaks = yield* Deferred.make<void>()
        yield* Effect.gen(function* () {
          const first = yield* Effect.fork(Effect.flip(deliver("evt_1", fixture("subscription.active"))))
          yield* TestClock.adjust("4900 millis")
          assert.isTrue(Option.isNone(yield* Fiber.poll(first)))
          yield* Deferred.succeed(speaks, undefined)
          yield* TestClock.adjust("100 millis")
          const error = yield* Fiber.join(first)
          assert.deepInclude(error, { _tag: "StoreError", operation: "receiveDeliveries", reason: "busy" })
          assert.include(error.message, "not stored within five seconds")
          const again = yield* deliver("evt_1", fixture("subscription.active"))
          assert.deepInclude(again, { state: "applied", duplicate: false })
        }).pipe(Effect.provide(layer(undefined, silentUntil(speaks))))
      })
    )

    it.effect("too many deliveries are refused at once", () =>
      Effect.gen(function* () {
        yield* Effect.gen(function* () {
          const all = yield* Effect.fork(
            Effect.forEach(
              Array.from({ length: 700 }, (_, n) => `evt_${n}`),
              (id) => Effect.flip(deliver(id, fixture("order.paid"))),
              { concurrency: "unbounded" }
            )
          )
          yield* TestClock.adjust("5 seconds")
          const errors = yield* Fiber.join(all)
          const refused = errors.filter(({ message }) => message.includes("too many deliveries wait"))
          const late = errors.filter(({ message }) => message.includes("not stored within five seconds"))
          assert.strictEqual(late.length + refused.length, 700)
          // One step under way, and as many as may wait.
          assert.isAtMost(late.length, 100 + 512)
          assert.isAtLeast(late.length, 512)
        }).pipe(Effect.provide(layer(undefined, silentUntil(yield* Deferred.make<void>()))))
      })
    )
  })

  it.effect("a delivery signed by somebody else changes nothing", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      const store = yield* BillingStore.BillingStore
      const body = fixture("subscription.active")
      const headers = WebhookVerifier.signedHeaders({
        secret: "whsec_c29tZWJvZHkgZWxzZQ==",
        id: "evt_1",
        timestampSeconds: 0,
        body
      })
      const error = yield* Effect.flip(billing.receiveWebhook(headers, body))
      assert.strictEqual(error._tag, "SignatureMismatch")
      assert.isTrue(Option.isNone(yield* billing.getSubscription(ada)))
      assert.lengthOf(yield* store.deliveries({}), 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("keeps what it cannot read, and says when it is no event at all", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore.BillingStore
      const unreadable = yield* deliver("evt_1", vary("subscription.active", { data: { id: 7 } }))
      assert.deepInclude(unreadable, { state: "failed", duplicate: false })
      const slack = yield* Effect.flip(deliver("evt_2", new TextEncoder().encode(`{"text":"hi","blocks":[]}`)))
      assert.strictEqual(slack._tag, "NotAnEvent")
      const inbox = yield* store.deliveries({ states: ["failed"] })
      assert.deepStrictEqual(
        inbox.map(({ id }) => id),
        ["evt_2", "evt_1"]
      )
      assert.strictEqual(inbox[1]?.lastError, "id is not what Polar documents")
      // The same delivery, readable after all (as after an upgrade), runs again.
      assert.deepInclude(yield* deliver("evt_1", fixture("subscription.active")), {
        state: "applied",
        duplicate: false
      })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("an unknown event type or status is kept and grants nothing", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      assert.deepInclude(yield* deliver("evt_1", vary("order.paid", { type: "planet.aligned" })), { state: "ignored" })
      assert.deepInclude(yield* deliver("evt_2", vary("subscription.active", { data: { status: "hibernating" } })), {
        state: "applied"
      })
      assert.isTrue(Option.isNone(yield* billing.getSubscription(ada)))
      assert.strictEqual((yield* billing.access(ada)).entitlement, "denied")
      assert.strictEqual((yield* billing.listSubscriptions(ada))[0]?.status, "hibernating")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("names and ids of products are taken by every call; what is neither is a mistake", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      const polar = yield* PolarClient.MemoryPolar
      yield* billing.createCheckout(ada, "pro")
      const [opened] = yield* polar.checkouts
      assert.deepStrictEqual(opened?.input.products, [product])
      yield* deliver("evt_1", fixture("subscription.active"))
      const entitlement = (options: Billing.AccessOptions) =>
        Effect.map(billing.access(ada, options), (access) => access.entitlement)
      const when = new Date(at(0))
      assert.strictEqual(yield* entitlement({ at: when, product: "pro" }), "granted")
      assert.strictEqual(yield* entitlement({ at: when, product }), "granted")
      assert.strictEqual(yield* entitlement({ at: when, product: "team" }), "denied")
      assert.isFalse(yield* billing.orders.owns(ada, "team"))
      const mistakes: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        billing.createCheckout(ada, "taem"),
        billing.access(ada, { product: "taem" }),
        billing.orders.owns(ada, "taem")
      ]
      for (const call of mistakes) {
        const defect = yield* Effect.flip(Effect.sandbox(call))
        assert.include(Cause.pretty(defect), "Did you mean team?")
      }
    }).pipe(Effect.provide(layer({ products: { pro: product, team: { id: "0c0ffee0-0000-4000-8000-00000000000a" } } })))
  )

  it.effect("linkCustomer refuses what is no id of Polar's, and takes one in capitals", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      for (const id of ["cus_x", "ada.martin@acme-mail.dev", "usr_1042"]) {
        const defect = yield* Effect.flip(Effect.sandbox(billing.linkCustomer(lin, CustomerId.make(id))))
        assert.include(Cause.pretty(defect), "linkCustomer(): customerId: it must be an id of Polar's, a UUID")
      }
      const store = yield* BillingStore.BillingStore
      assert.isTrue(Option.isNone(yield* store.customerOf(lin)))
      yield* billing.linkCustomer(lin, CustomerId.make(strangerId.toUpperCase()))
      assert.strictEqual(Option.getOrThrow(yield* store.customerOf(lin)), strangerId)
    }).pipe(Effect.provide(layer()))
  )

  it("a catalogue that is wrong or not whole is refused by the layer", () => {
    for (const products of [{ pro: "prod_1" }, { pro: undefined }, [], {}]) {
      assert.throws(() => Billing.layer({ products }), /^Billing\.layer\(\): products/)
    }
  })

  it.effect("access can be asked for another time than now", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      yield* deliver("evt_1", fixture("subscription.past_due"))
      const overdueSince = Date.parse("2026-11-05T14:25:01.979Z")
      const inDays = (days: number) => billing.access(ada, { at: new Date(overdueSince + days * 86_400_000) })
      assert.strictEqual((yield* inDays(6)).entitlement, "grace")
      assert.strictEqual((yield* inDays(7)).entitlement, "denied")
      // The test's clock stands at 1970.
      assert.strictEqual((yield* billing.access(ada)).entitlement, "grace")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("deliveries of another organization are recorded and ignored", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      assert.deepInclude(yield* deliver("evt_1", fixture("subscription.active")), { state: "ignored" })
      assert.isTrue(Option.isNone(yield* billing.getSubscription(ada)))
    }).pipe(Effect.provide(layer({ organizationId: "another" })))
  )

  it.effect("the same lifecycle ends the same forwards, backwards and doubled", () =>
    Effect.gen(function* () {
      const names = ["created", "active", "updated", "canceled", "uncanceled", "past_due", "resumed", "revoked"]
      const orders = [names, [...names].reverse(), names.flatMap((name) => [name, name])]
      const ends = yield* Effect.forEach(orders, (order) =>
        Effect.gen(function* () {
          const billing = yield* Billing.Billing
          for (const name of order) {
            yield* deliver(`evt_${name}`, vary(`subscription.${name}`, { timestamp: at(names.indexOf(name) + 1) }))
          }
          const [last] = yield* billing.listSubscriptions(ada)
          return { current: yield* billing.getSubscription(ada), last, told: (yield* told).at(-1) }
        }).pipe(Effect.provide(layer()))
      )
      for (const end of ends) assert.deepStrictEqual({ ...end }, { ...ends[0] })
      assert.deepStrictEqual(ends[0]?.current, Option.none())
      assert.strictEqual(ends[0]?.told, "usr_1042 canceled")
    })
  )
})

describe("Billing identity", () => {
  const stranger = (data: Variation["data"] = {}): Variation => ({
    data: { ...anonymousCustomer(strangerId), ...data }
  })

  it.effect("what nobody owns is kept, and given to the user when the app links the customer", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      const store = yield* BillingStore.BillingStore
      assert.deepInclude(yield* deliver("evt_1", vary("subscription.active", stranger())), {
        state: "unlinked",
        notified: false
      })
      assert.deepStrictEqual(yield* told, [])
      yield* billing.linkCustomer(lin, CustomerId.make(strangerId))
      assert.strictEqual(Option.getOrThrow(yield* billing.getSubscription(lin)).status, "active")
      assert.deepStrictEqual(yield* told, ["usr_1043 active"])
      assert.deepInclude((yield* store.deliveries({ ids: ["evt_1"] }))[0], { state: "applied", userId: lin })
      const taken = yield* Effect.flip(billing.linkCustomer(ada, CustomerId.make(strangerId)))
      assert.strictEqual(taken._tag, "CustomerLinkedToAnotherUser")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("metadata names a user only if the app has that user, and a stored link beats it", () =>
    Effect.gen(function* () {
      const claim = (userId: string) => ({ metadata: { kavach_user_id: userId } })
      const ghost = yield* deliver(
        "evt_1",
        vary("subscription.active", stranger({ id: "sub_1", ...claim("usr_ghost") }))
      )
      assert.deepInclude(ghost, { state: "unlinked", userId: null })
      const known = yield* deliver("evt_2", vary("subscription.active", stranger({ id: "sub_2", ...claim(lin) })))
      assert.deepInclude(known, { state: "applied", userId: lin })
      const billing = yield* Billing.Billing
      yield* billing.linkCustomer(ada, CustomerId.make(strangerId))
      const linked = yield* deliver("evt_3", vary("subscription.active", stranger({ id: "sub_3", ...claim(lin) })))
      assert.deepInclude(linked, { state: "applied", userId: ada })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("the customer's external id links it, and what was kept for it comes along", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      yield* deliver("evt_1", vary("subscription.active", stranger()))
      const linked = yield* deliver(
        "evt_2",
        vary("customer.updated", { data: { id: strangerId, external_id: lin, email: "Lin.Osei@acme-mail.dev" } })
      )
      assert.deepInclude(linked, { state: "applied", userId: lin, notified: true })
      assert.isTrue(Option.isSome(yield* billing.getSubscription(lin)))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a deleted customer keeps its history, and is nobody's customer any more", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      yield* deliver("evt_1", fixture("subscription.active"))
      yield* deliver("evt_2", fixture("customer.deleted"))
      assert.isTrue(Option.isSome(yield* billing.getSubscription(ada)))
      const store = yield* BillingStore.BillingStore
      assert.isTrue(Option.isNone(yield* store.customerOf(ada)))
      // Nor is one that is deleted before anything else is known of it.
      yield* deliver("evt_3", vary("customer.deleted", { data: { id: "cus_y" } }))
      assert.isTrue(Option.isNone(yield* store.customerOf(ada)))
    }).pipe(Effect.provide(layer()))
  )
})

describe("Billing.createCheckout", () => {
  it.effect("makes the customer first, so that whatever is bought comes back to the user", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      const polar = yield* PolarClient.MemoryPolar
      const checkout = yield* billing.createCheckout(ada, product, {
        successUrl: "https://app.example.com/done",
        metadata: { plan: "pro" }
      })
      const [customer] = yield* polar.customers
      const [opened] = yield* polar.checkouts
      assert.strictEqual(customer?.external_id, ada)
      assert.strictEqual(opened?.session.id, checkout.id)
      assert.strictEqual(opened?.input.customerId, customer?.id)
      assert.deepStrictEqual(opened?.input.metadata, { kavach_user_id: ada, kavach_checkout: "recorded", plan: "pro" })
      yield* billing.createCheckout(ada, product)
      assert.lengthOf(yield* polar.customers, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("goes on when the e-mail belongs to another customer, and takes nobody's customer over", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      const client = yield* PolarClient.PolarClient
      const polar = yield* PolarClient.MemoryPolar
      const other = yield* client.createCustomer({ email: "ADA.martin@acme-mail.dev", externalId: "crm-7" })
      yield* billing.createCheckout(ada, product)
      const [opened] = yield* polar.checkouts
      assert.isUndefined(opened?.input.customerId)
      assert.strictEqual(opened?.input.externalCustomerId, ada)
      assert.deepStrictEqual(opened?.input.metadata, { kavach_user_id: ada, kavach_checkout: "recorded" })
      assert.deepStrictEqual(yield* polar.customers, [other])
      // Polar attaches the purchase to the other customer; the metadata brings this subscription home, and no more.
      yield* deliver(
        "evt_1",
        vary("subscription.active", {
          data: { ...anonymousCustomer(other.id, null), metadata: { kavach_user_id: ada } }
        })
      )
      assert.isTrue(Option.isSome(yield* billing.getSubscription(ada)))
      const store = yield* BillingStore.BillingStore
      assert.isTrue(Option.isNone(yield* store.customerOf(ada)))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("goes on when the token may not make customers, for users without a row too", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      const polar = yield* PolarClient.MemoryPolar
      const guest = UserId.make("usr_without_row")
      yield* polar.failNext(
        new PolarForbidden({
          operation: "create customer",
          code: "insufficient_scope",
          requiredScopes: ["customers:write"]
        })
      )
      yield* billing.createCheckout(guest, product, {
        customerEmail: "guest@acme-mail.dev",
        customerEmailVerified: true
      })
      const [opened] = yield* polar.checkouts
      assert.deepInclude(opened?.input, { externalCustomerId: guest, customerEmail: "guest@acme-mail.dev" })
      yield* deliver(
        "evt_1",
        vary("subscription.active", {
          data: { ...anonymousCustomer("cus_other"), metadata: { kavach_user_id: guest } }
        })
      )
      assert.isTrue(Option.isSome(yield* billing.getSubscription(guest)))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("lets the buyer type another address when Polar finds theirs undeliverable", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      const polar = yield* PolarClient.MemoryPolar
      yield* polar.failNext(
        new PolarForbidden({ operation: "create customer", code: "insufficient_scope", requiredScopes: [] })
      )
      yield* polar.failNext(
        new PolarRejected({
          operation: "create checkout",
          status: 422,
          code: "RequestValidationError",
          detail: null,
          issues: [{ path: ["customer_email"], message: "The domain name does not accept email." }]
        })
      )
      yield* billing.createCheckout(ada, product)
      const [opened] = yield* polar.checkouts
      assert.deepInclude(opened?.input, { externalCustomerId: ada })
      assert.isUndefined(opened?.input.customerEmail)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("makes a new customer when the linked one was deleted at Polar", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      const polar = yield* PolarClient.MemoryPolar
      yield* billing.linkCustomer(ada, CustomerId.make("d6f2ae0e-5b0d-4c6e-9c55-2a7b5d0c1e01"))
      yield* TestClock.adjust("1 second")
      yield* billing.createCheckout(ada, product)
      const [customer] = yield* polar.customers
      const [opened] = yield* polar.checkouts
      assert.strictEqual(opened?.input.customerId, customer?.id)
      assert.strictEqual(customer?.external_id, ada)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("fails with Polar's outage, not with a doubtful checkout", () =>
    Effect.gen(function* () {
      const billing = yield* Billing.Billing
      const polar = yield* PolarClient.MemoryPolar
      yield* polar.failNext(
        new PolarUnavailable({
          operation: "create customer",
          status: 503,
          reason: "maintenance",
          retryAfterSeconds: null,
          mayHaveActed: true
        })
      )
      const error = yield* Effect.flip(billing.createCheckout(ada, product))
      assert.strictEqual(error._tag, "PolarUnavailable")
      assert.lengthOf(yield* polar.checkouts, 0)
    }).pipe(Effect.provide(layer()))
  )
})

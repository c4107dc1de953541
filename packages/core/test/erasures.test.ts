import { assert, describe, it } from "@effect/vitest"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { PolarRejected, PolarUnavailable, PolarUnexpectedAnswer } from "@kavach-polar/core/PolarError"
import { StoreError } from "@kavach-polar/core/StoreError"
import { CustomerId, SubscriptionId, UserId } from "@kavach-polar/core/Subscription"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Effect, Layer } from "effect"

type Store = BillingStore.BillingStoreService
type Client = typeof PolarClient.PolarClient.Service

const layerWith = (changed: {
  readonly store?: (store: Store) => Partial<Store>
  readonly client?: (client: Client) => Partial<Client>
}) => {
  const store = Layer.effect(
    BillingStore.BillingStore,
    Effect.map(BillingStore.BillingStore, (store) => ({ ...store, ...changed.store?.(store) }))
  ).pipe(Layer.provide(BillingStore.layerMemory))
  const client = Layer.effect(
    PolarClient.PolarClient,
    Effect.map(PolarClient.PolarClient, (client) => ({ ...client, ...changed.client?.(client) }))
  ).pipe(Layer.provideMerge(PolarClient.layerMemory))
  const ports = Layer.mergeAll(store, client, WebhookVerifier.layerMemory, SubscriptionListener.layerMemory)
  return Billing.layer().pipe(Layer.provide(NotificationDispatcher.layerElsewhere), Layer.provideMerge(ports))
}

describe("what waits", () => {
  it.effect("one that cannot be written keeps none of the others waiting", () => {
    let isAway = true
    const away = new PolarUnavailable({
      operation: "find customer",
      status: 503,
      reason: "it answered 503",
      retryAfterSeconds: null,
      mayHaveActed: false
    })
    const unwritable = new StoreError({ operation: "eraseUser", reason: "unknown", detail: "a row of theirs" })
    const layer = layerWith({
      store: ({ eraseUser }) => ({
        eraseUser: (request, policy) =>
          request.userId === "poison" && !isAway ? Effect.fail(unwritable) : eraseUser(request, policy)
      }),
      client: ({ findCustomerByExternalId }) => ({
        findCustomerByExternalId: (id) => (isAway ? Effect.fail(away) : findCustomerByExternalId(id))
      })
    })
    return Effect.gen(function* () {
      const { privacy } = yield* Billing.Billing
      const ids: Array<string> = []
      for (const user of ["poison", "ada", "bob"]) {
        const erasure = yield* privacy.erase(UserId.make(user), { polar: "delete" })
        assert.strictEqual(erasure.state, "waiting")
        ids.push(erasure.id)
      }
      isAway = false
      assert.strictEqual(yield* privacy.resume, 2)
      const states = new Map((yield* privacy.erasures).map(({ id, state }) => [id, state]))
      assert.deepStrictEqual(
        ids.map((id) => states.get(id)),
        ["waiting", "done", "done"]
      )
    }).pipe(Effect.provide(layer))
  })
})

describe("a subscription at Polar that cannot be read", () => {
  const unreadable = new PolarUnexpectedAnswer({ operation: "list subscriptions", status: 200, detail: "odd" })
  const id = SubscriptionId.make("3c4d5e6f-be0d-4c2b-9a4f-5d6e7f8a9b67")
  const oddPolar = (asked: Array<string>) =>
    layerWith({
      client: ({ recordPage }) => ({
        recordPage: (kind, filter, page) =>
          kind.name === "subscription"
            ? Effect.succeed({ snapshots: [], unreadable: [{ id, error: unreadable }], isLast: true })
            : recordPage(kind, filter, page),
        updateSubscription: (asks, { _tag }) => {
          asked.push(`${_tag} ${asks}`)
          return Effect.fail(unreadable)
        },
        getSubscription: () => Effect.fail(unreadable)
      })
    })
  const customer = { email: "ada@acme-mail.dev", externalId: "ada" }

  it.effect("is ended, and is no erasure that is done where nobody can tell that it has", () => {
    const asked: Array<string> = []
    return Effect.gen(function* () {
      const { privacy } = yield* Billing.Billing
      yield* (yield* PolarClient.PolarClient).createCustomer(customer)
      const erasure = yield* privacy.erase(UserId.make("ada"), { polar: "keep", subscriptions: "revoke" })
      assert.deepStrictEqual(asked, [`Revoke ${id}`])
      assert.strictEqual(erasure.state, "waiting")
      assert.strictEqual(erasure.lastError, unreadable.message)
    }).pipe(Effect.provide(oddPolar(asked)))
  })

  it.effect("ends with its customer, where that is deleted", () => {
    const asked: Array<string> = []
    return Effect.gen(function* () {
      const { privacy } = yield* Billing.Billing
      yield* (yield* PolarClient.PolarClient).createCustomer(customer)
      assert.strictEqual((yield* privacy.erase(UserId.make("ada"), { polar: "delete" })).state, "done")
      assert.deepStrictEqual(yield* (yield* PolarClient.MemoryPolar).customers, [])
    }).pipe(Effect.provide(oddPolar(asked)))
  })
})

it.effect("a customer of whom Polar says that its id is none has nothing there that could be waited for", () => {
  const none = (operation: string, place: string) =>
    new PolarRejected({
      operation,
      status: 422,
      code: "RequestValidationError",
      detail: null,
      issues: [{ path: [place], message: "Input should be a valid UUID" }]
    })
  const layer = layerWith({
    client: ({ deleteCustomer, recordPage }) => ({
      recordPage: (kind, filter, page) =>
        filter.customerId === "cus_123" ? none("list subscriptions", "customer_id") : recordPage(kind, filter, page),
      deleteCustomer: (id, options) => (id === "cus_123" ? none("delete customer", "id") : deleteCustomer(id, options))
    })
  })
  return Effect.gen(function* () {
    const store = yield* BillingStore.BillingStore
    const { privacy } = yield* Billing.Billing
    // By whoever linked it before ids were checked.
    yield* store.linkCustomer(
      { customerId: CustomerId.make("cus_123"), userId: UserId.make("ada"), linkedBy: "external_id" },
      defaultPolicy
    )
    const erasure = yield* privacy.erase(UserId.make("ada"), { polar: "delete" })
    assert.deepStrictEqual([erasure.state, erasure.lastError, erasure.customerIds], ["done", null, ["cus_123"]])
  }).pipe(Effect.provide(layer))
})

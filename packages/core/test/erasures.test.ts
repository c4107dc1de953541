import { assert, describe, it } from "@effect/vitest"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { PolarUnavailable } from "@kavach-polar/core/PolarError"
import { StoreError } from "@kavach-polar/core/StoreError"
import { UserId } from "@kavach-polar/core/Subscription"
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

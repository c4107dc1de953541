/** One row that no version has written, of whatever table and column: everything else goes on. For every kind of database. */
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import * as Billing from "@kavach-polar/core/Billing"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { CheckoutId, ProductId, UserId } from "@kavach-polar/core/Subscription"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import { newPurchase, newScene, orderDelivery, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Cause, Context, Duration, Effect, Layer, Logger, LogLevel, Option, type Scope } from "effect"
import { describe, expect, test } from "vitest"

const tables = ["deliveries", "records", "customers", "checkouts", "notifications", "jobs"] as const

/** What a database refuses to keep in a column poisons none. */
const values = {
  text: ["'poison'", "''", "'9999-99-99T99:99:99Z'", `'{"a":'`, `'"poison"'`],
  number: ["-1", "9007199254740993"]
}

export interface Poisonable {
  readonly store: Layer.Layer<BillingStore, unknown>
  /** Runs plain SQL, past the store. */
  readonly run: (sql: string) => Promise<unknown>
  readonly columnsOf: (
    table: string
  ) => Promise<ReadonlyArray<{ readonly name: string; readonly type: keyof typeof values }>>
  /** Changes one row of the table, the first there is for which the condition holds. */
  readonly updateOne: (table: string, change: string, condition: string) => string
}

const [poisoned, other] = [UserId.make("user-1"), UserId.make("user-2")]

const billingOn = (store: typeof BillingStore.Service) => {
  const ports = Layer.mergeAll(
    Layer.succeed(BillingStore, store),
    PolarClient.layerMemory,
    WebhookVerifier.layerMemory,
    SubscriptionListener.layerMemory
  )
  const billing = Layer.provideMerge(Billing.layer(), Layer.provideMerge(NotificationDispatcher.layerElsewhere, ports))
  return Layer.provide(billing, Logger.minimumLogLevel(LogLevel.None))
}

const inFuture = {
  patch: { status: "active", current_period_end: "2199-01-01T00:00:00Z", cancel_at_period_end: false }
}
const [first, second] = [newScene(), newScene()]

/** Something of each table for two users, of whom the first one's rows are poisoned. */
const fill = Effect.gen(function* () {
  const store = yield* BillingStore
  for (const [userId, scene] of [
    [poisoned, first],
    [other, second]
  ] as const) {
    yield* store.recordCheckout(
      { id: CheckoutId.make(`c-${userId}`), userId, productId: ProductId.make("p") },
      defaultPolicy
    )
    yield* store.applyDeliveries(
      [
        subscriptionDelivery(scene, "created", { externalId: userId, at: 1, ...inFuture }),
        orderDelivery(newPurchase(scene), "paid.purchase", { externalId: userId, at: 2 }),
        // Of nobody, and of one whose time has passed.
        subscriptionDelivery(newScene(), "created", { at: 1, metadataUserId: `late-${userId}`, ...inFuture }),
        subscriptionDelivery(newScene({ customerId: scene.customerId }), "updated", {
          externalId: userId,
          at: 3,
          patch: { status: "past_due", past_due_at: "2001-01-01T00:00:00Z", cancel_at_period_end: false }
        })
      ],
      defaultPolicy
    )
  }
  yield* store.claimJob({ name: "reconcile", owner: "gone", lease: Duration.zero })
  yield* store.releaseJob("reconcile", "gone", "{}")
})

const everythingElse = Effect.gen(function* () {
  const billing = yield* Billing.Billing
  const store = yield* BillingStore
  const [outcome] = yield* store.applyDeliveries(
    [subscriptionDelivery(second, "updated", { externalId: other, at: 9, patch: { ...inFuture.patch, amount: 7 } })],
    defaultPolicy
  )
  expect(outcome.state).toBe("applied")
  expect((yield* billing.access(other)).entitlement).toBe("granted")
  expect(Option.getOrThrow(yield* billing.getSubscription(other)).id).toBe(second.subscriptionId)
  expect(yield* billing.listSubscriptions(other)).toHaveLength(2)
  expect(yield* billing.orders.list(other)).toHaveLength(1)
  yield* billing.listSubscriptions(poisoned)
  yield* billing.orders.list(poisoned)
  yield* store.deliveries({ states: ["failed", "unlinked", "applied"], order: "oldest" })
  yield* billing.linkWaiting
  yield* billing.lookAtClock
  expect((yield* billing.reconcileAll()).dryRun).toBe(false)
  yield* billing.reconcile(other)
  yield* billing.replay({})
  yield* billing.replay({ types: ["subscription.updated"] })
  const told = new Set<string>()
  for (let turn = 0; turn < 20; turn++) {
    const { claimed, nextDueAt } = yield* store.claimNotifications({ owner: "a", limit: 2, lease: Duration.minutes(1) })
    expect(Number.isNaN(nextDueAt)).toBe(false)
    for (const { id, told: what } of claimed) {
      if (what._tag === "SubscriptionChange") told.add(what.subscription.id)
      yield* store.completeAndClaimNext([id], { owner: "b", lease: Duration.minutes(1) })
      yield* store.completeNotifications([id], "a")
    }
  }
  expect(told).toContain(second.subscriptionId)
  yield* store.pruneDeliveryBodies(new Date(), 10)
  yield* store.deleteSettledDeliveries(new Date("2000-01-01"), 10)
  yield* store.deleteDoneNotifications(new Date("2000-01-01"), 10)
})

/**
 * One database for a table: it is emptied before each of its columns and values. Of a table that is `sampled` each column has
 * one of the values, another one than the column before it.
 */
export const poisonCases = (
  name: string,
  open: Effect.Effect<Poisonable, never, Scope.Scope>,
  { sampled = [] }: { readonly sampled?: ReadonlyArray<(typeof tables)[number]> } = {}
): void => {
  describe.each(tables)(`${name}: a poisoned row of kavach_polar_%s`, (table) => {
    test("holds up nothing else, whatever its column", { timeout: 1_200_000 }, () =>
      Effect.gen(function* () {
        const { columnsOf, run, store: storeLayer, updateOne } = yield* open
        const store = Context.get(yield* Layer.build(storeLayer), BillingStore)
        yield* store.migrate
        const columns = yield* Effect.promise(() => columnsOf(`kavach_polar_${table}`))
        const isSampled = sampled.includes(table)
        const ofUser = columns.some((column) => column.name === "user_id") ? "user_id = 'user-1'" : "1 = 1"
        let poisoned = 0
        for (const [index, { name: column, type }] of columns.entries()) {
          const all = values[type]
          for (const value of isSampled ? all.slice(index % all.length).slice(0, 1) : all) {
            for (const written of tables) yield* Effect.promise(() => run(`DELETE FROM kavach_polar_${written}`))
            yield* Effect.gen(function* () {
              yield* fill
              const isKept = yield* Effect.promise(() =>
                run(updateOne(`kavach_polar_${table}`, `${column} = ${value}`, ofUser)).then(
                  () => true,
                  () => false
                )
              )
              if (!isKept) return
              poisoned++
              yield* everythingElse
            }).pipe(
              Effect.provide(billingOn(store)),
              Effect.annotateLogs({ column, value }),
              Effect.catchAllCause((cause) =>
                Effect.die(new Error(`${table}.${column} = ${value}: ${Cause.pretty(cause)}`))
              )
            )
          }
        }
        expect(poisoned).toBeGreaterThan(isSampled ? columns.length / 4 : columns.length)
      }).pipe(Effect.scoped, Effect.runPromise)
    )
  })
}

/** SQLite, and what is made of it. */
export const poisonableSqlite = (
  store: Poisonable["store"],
  rows: (sql: string) => Promise<ReadonlyArray<Readonly<Record<string, unknown>>>>
): Poisonable => ({
  store,
  run: rows,
  columnsOf: async (table) =>
    (await rows(`SELECT name, type FROM pragma_table_info('${table}')`)).flatMap(
      ({ name, type }): Awaited<ReturnType<Poisonable["columnsOf"]>> =>
        type === "TEXT"
          ? [{ name: String(name), type: "text" }]
          : type === "INTEGER"
            ? [{ name: String(name), type: "number" }]
            : []
    ),
  updateOne: (table, change, condition) =>
    `UPDATE ${table} SET ${change} WHERE rowid = (SELECT min(rowid) FROM ${table} WHERE ${condition})`
})

/** Servers, which say what their columns are in `information_schema`. */
export const poisonableServer = (
  store: Poisonable["store"],
  rows: (sql: string) => Promise<ReadonlyArray<Readonly<Record<string, unknown>>>>,
  updateOne: Poisonable["updateOne"]
): Poisonable => ({
  store,
  run: rows,
  updateOne,
  columnsOf: async (table) =>
    (
      await rows(
        `SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_name = '${table}' AND table_schema NOT IN ('information_schema', 'pg_catalog') ORDER BY ordinal_position`
      )
    ).map(({ name, type }) => ({
      name: String(name),
      type: /int|decimal|numeric|double/i.test(String(type)) ? ("number" as const) : ("text" as const)
    }))
})

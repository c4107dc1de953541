/** What the database says about how it finds the rows. */
import { expect, it } from "@effect/vitest"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { CheckoutId, CustomerId, ProductId, UserId } from "@kavach-polar/core/Subscription"
import { newScene, subscriptionDelivery, subscriptionSnapshot } from "@kavach-polar/core/testing/polarDeliveries"
import Database from "better-sqlite3"
import { drizzle } from "drizzle-orm/better-sqlite3"
import { Duration, Effect } from "effect"
import { queryBetterSqlite3 } from "../../../test/store/SqliteHarness.ts"
import { kavachUsers } from "./kavachTables.ts"

const rows = 20_000

it.live("every statement that runs often finds its rows by an index, on tables of some size", () =>
  Effect.gen(function* () {
    const statements = new Set<string>()
    const client = new Database(":memory:", { verbose: (text) => void statements.add(String(text)) })
    const query = queryBetterSqlite3(client)
    client.exec(kavachUsers)
    const store = SqliteStore.make(drizzle(client))
    yield* store.migrate
    fill(client)
    statements.clear()

    const userId = UserId.make("user-77")
    const scene = newScene({ customerId: "customer-77", subscriptionId: "subscription-77" })
    yield* store.applyDeliveries(
      [subscriptionDelivery(scene, "canceled", { externalId: userId, at: 1 })],
      defaultPolicy
    )
    yield* store.applyDeliveries(
      [subscriptionDelivery(newScene(), "created", { at: 1, metadataUserId: "user-78" })],
      defaultPolicy
    )
    yield* store.linkCustomer(
      { customerId: CustomerId.make("customer-unlinked"), userId, linkedBy: "host" },
      defaultPolicy
    )
    yield* store.usersOfCustomer(CustomerId.make("customer-7"))
    yield* store.recordCheckout(
      { id: CheckoutId.make("checkout-new"), userId: UserId.make("user-7"), productId: ProductId.make("product") },
      defaultPolicy
    )
    yield* store.applySnapshots(
      [subscriptionSnapshot(scene, "active", { changedAt: 2, externalId: userId })],
      defaultPolicy,
      { dryRun: false }
    )
    yield* store.subscriptionsOf(userId, "live")
    yield* store.subscriptionsOf(userId, "all")
    yield* store.customerOf(userId)
    yield* store.findUser(userId)
    const { claimed } = yield* store.claimNotifications({ owner: "a", limit: 20, lease: Duration.minutes(1) })
    expect(claimed).toHaveLength(20)
    yield* store.completeAndClaimNext([claimed[0]?.id ?? ""], { owner: "a", lease: Duration.minutes(1) })
    yield* store.oldestPending(new Set(["onSubscriptionChange"]))
    yield* store.deliveries({ limit: 20 })
    yield* store.deliveries({ order: "oldest", after: { receivedAt: new Date("2026-01-05"), id: "a" }, limit: 20 })
    yield* store.pruneDeliveryBodies(new Date("2026-01-02"), 20)
    yield* store.deliveries({ states: ["unlinked", "failed"], order: "oldest", limit: 20 })
    yield* store.deliveries({
      states: ["unlinked"],
      order: "oldest",
      after: { receivedAt: new Date("2026-01-05"), id: "a" },
      limit: 20
    })
    yield* store.deleteSettledDeliveries(new Date("2026-01-02"), 20)
    yield* store.deleteDoneNotifications(new Date("2026-01-02"), 20)
    const [due] = yield* store.recordsDue({ limit: 1 })
    yield* store.recordsDue({ after: due, limit: 20 })
    // Their data is none that could be read.
    const page = { after: "subscription-7", limit: 50 }
    yield* Effect.either(store.recordPage({ kind: "subscription", which: "live", ...page }))
    yield* Effect.either(store.recordPage({ kind: "subscription", which: "unlinked", ...page }))
    yield* store.claimJob({ name: "any", owner: "a", lease: Duration.minutes(1) })

    const explained = [...statements].filter((text) => /kavach_/.test(text) && !/pragma_|sqlite_schema/.test(text))
    expect(explained.length).toBeGreaterThan(15)
    for (const text of explained) {
      const plan = query(`EXPLAIN QUERY PLAN ${text}`).map(({ detail }) => String(detail))
      // A scan of an index goes in its order and ends with the limit; one of a table looks at everything.
      const scans = plan.filter((line) => /^SCAN (kavach_|older)/.test(line) && !/USING (COVERING )?INDEX/.test(line))
      expect(scans, `${text}\n${plan.join("\n")}`).toEqual([])
    }
    // None goes through all that are pending, or due: of those there are many when the app has been away.
    const pendingPlans = explained
      .filter((text) => /kavach_polar_notifications/.test(text) && /oldest/.test(text))
      .map((text) => query(`EXPLAIN QUERY PLAN ${text}`).map(({ detail }) => String(detail)))
    expect(pendingPlans.length).toBeGreaterThan(2)
    for (const plan of pendingPlans) {
      expect(plan.filter((line) => /oldest/.test(line))).toEqual([
        expect.stringMatching(/^SEARCH oldest .*pending_subject \(subject=\? AND state=\?\)$/)
      ])
    }
    expect(pendingPlans.flat().filter((line) => /USE TEMP B-TREE/.test(line))).toEqual([])
  })
)

const fill = (client: Database.Database): void => {
  const numbers = `WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < ${rows})`
  const time = "strftime('%Y-%m-%dT%H:%M:%fZ', '2026-01-01', '+' || n || ' minutes')"
  client.exec(`
    ${numbers} INSERT INTO kavach_users (id, email, polar_customer_id, created_at, updated_at)
      SELECT 'user-' || n, n || '@example.test', 'customer-' || n, n, n FROM i;
    ${numbers} INSERT INTO kavach_polar_customers SELECT 'customer-' || n, 'user-' || n, 'external_id', ${time}, NULL FROM i;
    ${numbers} INSERT INTO kavach_polar_checkouts SELECT 'checkout-' || n, 'user-' || n, 'product', ${time} FROM i;
    ${numbers} INSERT INTO kavach_polar_records SELECT
      CASE n % 3 WHEN 2 THEN 'order' ELSE 'subscription' END || ' subscription-' || n,
      CASE n % 3 WHEN 2 THEN 'order' ELSE 'subscription' END,
      'subscription-' || n, CASE WHEN n % 50 = 0 THEN NULL ELSE 'user-' || n END, NULL, 'customer-' || n, NULL, 'product', NULL, NULL,
      NULL, NULL, 'active', n % 3 > 0, NULL, n, 1, 'delivery-' || n, ${time},
      '{"currentPeriodEnd":null,"cancelAtPeriodEnd":false,"endsAt":null,"pastDueAt":null}', '{}',
      CASE WHEN n % 20 = 0 THEN ${time} END, NULL FROM i;
    ${numbers} INSERT INTO kavach_polar_deliveries SELECT 'delivery-' || n, 'subscription.updated',
      CASE WHEN n % 100 = 0 THEN 'unlinked' ELSE 'applied' END, n, ${time}, ${time}, 'customer-' || n,
      'subscription-' || n, 'user-' || n, 1, NULL, '{}', 'subscription' FROM i;
    ${numbers} INSERT INTO kavach_polar_notifications SELECT 'subscription-' || n || ':1', 'subscription-' || n,
      'user-' || n, n, 1,
      '{"id":"s","status":"active","productId":"p","currentPeriodEnd":null,"cancelAtPeriodEnd":false}',
      '2026-01-01T00:00:00.000Z', CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'done' END, 0, '2026-01-01T00:00:00.000Z', NULL,
      NULL, '2026-01-01T00:00:00.000Z', 'onSubscriptionChange', NULL FROM i;
    ANALYZE;`)
}

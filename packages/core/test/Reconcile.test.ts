import { assert, describe, it } from "@effect/vitest"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import {
  PolarForbidden,
  PolarNotFound,
  PolarRateLimited,
  PolarUnavailable,
  PolarUnexpectedAnswer
} from "@kavach-polar/core/PolarError"
import {
  CheckoutId,
  CustomerId,
  ProductId,
  Subscription,
  SubscriptionId,
  type User,
  UserId
} from "@kavach-polar/core/Subscription"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Array as Arr, Context, Effect, Fiber, Layer, Option, Ref, type Scope, TestClock } from "effect"
import { benefitKind } from "../src/records/Benefit.ts"
import { benefitGrantKind } from "../src/records/BenefitGrant.ts"
import { checkoutKind } from "../src/records/Checkout.ts"
import { customerKind } from "../src/records/Customer.ts"
import { discountKind } from "../src/records/Discount.ts"
import { listedKinds } from "../src/records/kinds.ts"
import { memberKind } from "../src/records/Member.ts"
import { orderKind } from "../src/records/Order.ts"
import { productKind } from "../src/records/Product.ts"
import { refundKind } from "../src/records/Refund.ts"
import { lease } from "../src/useCases/ReconcileJob.ts"
import { deliveryOf, fixture, subscriptionIn, vary } from "./deliveries.ts"

const ada = UserId.make("usr_1042")
const users: ReadonlyArray<User> = [{ id: ada, email: Option.some("ada.martin@acme-mail.dev"), name: Option.none() }]

/** One database and one Polar; each process has billing of its own on them. */
const shared = Layer.mergeAll(
  BillingStore.layerMemoryWith(users),
  PolarClient.layerMemory,
  WebhookVerifier.layerMemory,
  SubscriptionListener.layerMemory
)

const process = (options?: Billing.BillingOptions) =>
  Effect.map(
    Layer.build(Layer.provide(Billing.layer({ externalIds: "trust", ...options }), NotificationDispatcher.layer())),
    (context) => Context.get(context, Billing.Billing)
  )

const start = Date.parse("2026-10-05T15:00:00Z")

const scenario = <A, E>(body: Effect.Effect<A, E, Layer.Layer.Success<typeof shared> | Scope.Scope>) =>
  Effect.zipRight(TestClock.setTime(start), body).pipe(Effect.scoped, Effect.provide(shared))

const original = subscriptionIn(deliveryOf("any", fixture("subscription.active")))

/** As Polar has it now. */
const atPolar = (id: number, change: Partial<Subscription> = {}) =>
  Effect.flatMap(PolarClient.MemoryPolar, (polar) =>
    polar.putSubscription(
      Subscription.make({
        ...original,
        id: SubscriptionId.make(`sub-${String(id).padStart(4, "0")}`),
        customer: {
          ...original.customer,
          id: CustomerId.make(`cus-${id}`),
          externalId: `user-${id}`,
          email: `${id}@x.dev`
        },
        startedAt: new Date(start - 1_000_000 + id),
        ...change
      })
    )
  )

const dataOf = (name: string): Readonly<Record<string, unknown>> =>
  JSON.parse(new TextDecoder().decode(fixture(name))).data

/** Paid at once, of customer and user with the same number. */
const orderData = (id: number, change: Readonly<Record<string, unknown>> = {}) => ({
  ...dataOf("order.paid.purchase"),
  id: `ord-${String(id).padStart(4, "0")}`,
  customer_id: `cus-${id}`,
  customer: { id: `cus-${id}`, external_id: `user-${id}` },
  created_at: new Date(start - 1_000_000 + id).toISOString(),
  modified_at: null,
  metadata: {},
  ...change
})

const refundData = (id: number, change: Readonly<Record<string, unknown>> = {}) => ({
  ...dataOf("refund.created.full.revoke_benefits"),
  id: `ref-${String(id).padStart(4, "0")}`,
  order_id: `ord-${String(id).padStart(4, "0")}`,
  customer_id: `cus-${id}`,
  created_at: new Date(start - 500_000 + id).toISOString(),
  ...change
})

const orderAtPolar = (id: number, change?: Readonly<Record<string, unknown>>) =>
  Effect.flatMap(PolarClient.MemoryPolar, ({ putRecord }) => putRecord(orderKind, orderData(id, change)))

const refundAtPolar = (id: number, change?: Readonly<Record<string, unknown>>) =>
  Effect.flatMap(PolarClient.MemoryPolar, ({ putRecord }) => putRecord(refundKind, refundData(id, change)))

const before = new Date(start - 1_000_000).toISOString()

const ordersOf = (user: string) =>
  Effect.flatMap(BillingStore.BillingStore, (store) => store.recordsOf(orderKind, UserId.make(user)))

const refundsOf = (user: string) =>
  Effect.flatMap(BillingStore.BillingStore, (store) => store.recordsOf(refundKind, UserId.make(user)))

/** What an event said, at this many milliseconds after the start. */
const delivered = (type: string, at: number, data: Readonly<Record<string, unknown>>) =>
  Effect.flatMap(BillingStore.BillingStore, (store) =>
    store.applyDeliveries(
      [deliveryOf(`${type} ${at}`, vary(type, { timestamp: new Date(start + at).toISOString(), data }))],
      defaultPolicy,
      { users: { externalIds: "trust" } }
    )
  )

const forbiddenList = (operation: string) =>
  new PolarForbidden({ operation, code: "insufficient_scope", requiredScopes: ["orders:read"] })

const stored = (user: string) =>
  Effect.flatMap(BillingStore.BillingStore, (store) => store.subscriptionsOf(UserId.make(user), "all"))

const told = Effect.gen(function* () {
  yield* TestClock.adjust("1 minute")
  const received = yield* Ref.get(yield* SubscriptionListener.ReceivedNotifications)
  return received.map(({ subscription, userId }) => `${userId} ${subscription.status}`)
})

const polar = PolarClient.MemoryPolar

describe("reconcileAll", () => {
  it.effect("stores what no delivery brought, links it and tells the app; a second run writes nothing", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        for (const id of Arr.range(1, 230)) yield* atPolar(id)
        const report = yield* billing.reconcileAll()
        assert.deepInclude(report, {
          compared: 230,
          discrepancyCount: 230,
          notified: 230,
          dryRun: false,
          resumed: false
        })
        assert.deepStrictEqual(report.discrepancies[7], {
          kind: "subscription",
          id: "sub-0008",
          userId: "user-8",
          finding: "missing",
          fields: []
        })
        assert.lengthOf(yield* stored("user-230"), 1)
        assert.lengthOf(yield* told, 230)

        const again = yield* billing.reconcileAll()
        assert.deepInclude(again, { compared: 230, discrepancyCount: 0, notified: 0 })
        assert.lengthOf(yield* told, 230)
      })
    )
  )

  it.effect("a dry run reports the same and changes nothing, and may run beside another", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        const store = yield* BillingStore.BillingStore
        yield* atPolar(1)
        yield* store.claimJob({ name: "reconcile", owner: "somebody", lease })
        const report = yield* billing.reconcileAll({ dryRun: true })
        assert.deepInclude(report, { dryRun: true, compared: 1, discrepancyCount: 1 })
        assert.lengthOf(yield* stored("user-1"), 0)
        assert.lengthOf(yield* told, 0)
      })
    )
  )

  it.effect("an end that was missed ends access, and says which fields differed", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        yield* atPolar(1)
        yield* billing.reconcileAll()
        const end = new Date(start + 5000)
        yield* atPolar(1, { status: "canceled", endedAt: end, modifiedAt: end })
        const report = yield* billing.reconcileAll()
        assert.deepStrictEqual(report.discrepancies, [
          { kind: "subscription", id: "sub-0001", userId: "user-1", finding: "outdated", fields: ["status", "live"] }
        ])
        assert.isTrue(Option.isNone(yield* billing.getSubscription(UserId.make("user-1"))))
        assert.deepStrictEqual(yield* told, ["user-1 active", "user-1 canceled"])
      })
    )
  )

  it.effect("since: only what Polar has changed from then on is compared", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        yield* atPolar(1, { modifiedAt: new Date(start - 10_000) })
        yield* atPolar(2, { modifiedAt: new Date(start) })
        const report = yield* billing.reconcileAll({ since: new Date(start) })
        assert.deepStrictEqual(
          report.discrepancies.map(({ id }) => id),
          ["sub-0002"]
        )
        assert.deepStrictEqual(report.since, new Date(start))
      })
    )
  )

  it.effect("stored as live and unknown to Polar: reported, and left alone", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        const store = yield* BillingStore.BillingStore
        yield* store.applyDeliveries([deliveryOf("evt_1", fixture("subscription.active"))], defaultPolicy)
        yield* atPolar(1)
        const report = yield* billing.reconcileAll()
        assert.deepStrictEqual(report.unknownToPolar, [original.id])
        assert.isTrue(Option.isSome(yield* billing.getSubscription(ada)))
      })
    )
  )

  it.effect("of another organization nothing is stored", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process({ organizationId: "mine" })
        yield* atPolar(1, { organizationId: "theirs" })
        yield* atPolar(2, { organizationId: "mine" })
        assert.deepInclude(yield* billing.reconcileAll(), { compared: 1, discrepancyCount: 1 })
        assert.lengthOf(yield* stored("user-1"), 0)
      })
    )
  )

  it.effect("one process at a time; another one is told so", () =>
    scenario(
      Effect.gen(function* () {
        const [one, two] = [yield* process(), yield* process()]
        yield* atPolar(1)
        const slow = yield* Effect.fork(one.reconcileAll({ onProgress: () => Effect.sleep("1 minute") }))
        yield* TestClock.adjust("1 second")
        const error = yield* Effect.flip(two.reconcileAll())
        assert.strictEqual(error._tag, "ReconcileRunning")
        yield* TestClock.adjust("1 hour")
        assert.deepInclude(yield* Fiber.join(slow), { compared: 1 })
        assert.deepInclude(yield* two.reconcileAll(), { discrepancyCount: 0 })
      })
    )
  )

  it.effect("what was left for longer than an hour begins anew, and misses nothing", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        for (const id of Arr.range(1, 150)) yield* atPolar(id)
        const slow = yield* Effect.fork(billing.reconcileAll({ onProgress: () => Effect.sleep("1 minute") }))
        yield* TestClock.adjust("30 seconds")
        yield* Fiber.interrupt(slow)
        yield* TestClock.adjust("61 minutes")
        assert.deepInclude(yield* billing.reconcileAll(), { resumed: false, compared: 150 })
      })
    )
  )

  it.effect("of one user it is over after a while, and says what to do", () =>
    scenario(
      Effect.gen(function* () {
        const client = yield* PolarClient.PolarClient
        const silent = Layer.succeed(PolarClient.PolarClient, { ...client, getCustomerState: () => Effect.never })
        const billing = yield* Effect.provide(process(), silent)
        const stuck = yield* Effect.fork(Effect.flip(billing.reconcile(UserId.make("user-1"))))
        yield* TestClock.adjust("14 seconds")
        assert.isNull(stuck.unsafePoll())
        yield* TestClock.adjust("1 second")
        const error = yield* Fiber.join(stuck)
        assert.strictEqual(error._tag, "ReconcileTookTooLong")
        assert.include(error.message, "longer than 15 seconds")
      })
    )
  )

  it.effect("goes on from its last page after a failure, and after an interruption", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        const { failNext } = yield* polar
        for (const id of Arr.range(1, 250)) yield* atPolar(id)
        const outage = new PolarUnavailable({
          operation: "list subscriptions",
          status: 503,
          reason: "it answered 503",
          retryAfterSeconds: null,
          mayHaveActed: false
        })
        const failed = yield* Effect.flip(billing.reconcileAll({ onProgress: () => failNext(outage) }))
        assert.strictEqual(failed._tag, "PolarUnavailable")
        assert.lengthOf(yield* stored("user-100"), 1)
        assert.lengthOf(yield* stored("user-101"), 0)

        const fiber = yield* Effect.fork(billing.reconcileAll({ onProgress: () => Effect.never }))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.lengthOf(yield* stored("user-200"), 1)
        assert.lengthOf(yield* stored("user-201"), 0)

        const pages: Array<number> = []
        const report = yield* billing.reconcileAll({
          onProgress: ({ compared }) => Effect.sync(() => void pages.push(compared))
        })
        assert.deepInclude(report, { resumed: true, discrepancyCount: 250, notified: 250 })
        // One page of Polar's, and the stored ones that this process has not seen there.
        assert.strictEqual(pages[0], 250)
        assert.lengthOf(yield* told, 250)
        assert.deepInclude(yield* billing.reconcileAll(), { resumed: false, compared: 250, discrepancyCount: 0 })
      })
    )
  )

  it.effect("one that died is taken over when its lease ends, and cannot go on", () =>
    scenario(
      Effect.gen(function* () {
        const [one, two] = [yield* process(), yield* process()]
        for (const id of Arr.range(1, 150)) yield* atPolar(id)
        // Held up for longer than its lease after the first page.
        const slow = yield* Effect.fork(one.reconcileAll({ onProgress: () => Effect.sleep("11 minutes") }))
        yield* TestClock.adjust("1 second")
        yield* TestClock.adjust("10 minutes")
        const report = yield* two.reconcileAll()
        assert.deepInclude(report, { resumed: true, discrepancyCount: 150 })
        yield* TestClock.adjust("1 hour")
        const error = yield* Effect.flip(Fiber.join(slow))
        assert.strictEqual(error._tag, "ReconcileTakenOver")
        assert.lengthOf(yield* told, 150)
      })
    )
  )

  it.effect("waits for Polar's limit of requests, three times at the most", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        const { failNext } = yield* polar
        yield* atPolar(1)
        const limited = new PolarRateLimited({ operation: "list", limitedBy: "polar", retryAfterSeconds: 30 })
        for (const _ of Arr.range(1, 3)) yield* failNext(limited)
        const fiber = yield* Effect.fork(billing.reconcileAll())
        yield* TestClock.adjust("89 seconds")
        assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
        yield* TestClock.adjust("1 second")
        assert.deepInclude(yield* Fiber.join(fiber), { compared: 1 })
        for (const _ of Arr.range(1, 4)) yield* failNext(limited)
        const refused = yield* Effect.fork(Effect.flip(billing.reconcileAll()))
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* Fiber.join(refused))._tag, "PolarRateLimited")
      })
    )
  )
})

describe("reconcileAll, of orders and refunds", () => {
  it.effect("stores what no delivery brought, after subscriptions, and a second run writes nothing", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        yield* atPolar(1)
        for (const id of Arr.range(1, 130)) yield* orderAtPolar(id)
        yield* refundAtPolar(7)
        const counts: Array<number> = []
        const report = yield* billing.reconcileAll({
          onProgress: ({ compared }) => Effect.sync(() => void counts.push(compared))
        })
        assert.deepInclude(report, { compared: 132, discrepancyCount: 132, notified: 1, notCompared: [] })
        assert.deepStrictEqual(counts, [1, 101, 131, ...listedKinds.slice(2).map(() => 132), 132])
        assert.deepStrictEqual(
          report.discrepancies.filter(({ id }) => /-0007$/.test(id)),
          [
            { kind: "order", id: "ord-0007", userId: "user-7", finding: "missing", fields: [] },
            { kind: "refund", id: "ref-0007", userId: "user-7", finding: "missing", fields: [] }
          ]
        )
        assert.lengthOf(yield* billing.orders.list(UserId.make("user-130")), 1)
        assert.lengthOf(yield* refundsOf("user-7"), 1)
        assert.lengthOf(yield* told, 1)
        assert.deepInclude(yield* billing.reconcileAll(), { compared: 132, discrepancyCount: 0, notified: 0 })
      })
    )
  )

  it.effect("what Polar has changed since, and what is otherwise although it should be known, is set right", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        // One whose refund was missed, and one whose state was never so at Polar.
        yield* delivered("order.paid", 1, orderData(1))
        yield* delivered("refund.created.full.revoke_benefits", 2, refundData(1, { status: "pending" }))
        yield* delivered("order.refunded", 3, orderData(2, { status: "refunded", refunded_amount: 4900 }))
        const later = new Date(start + 5000).toISOString()
        yield* orderAtPolar(1, { status: "refunded", refunded_amount: 4900, modified_at: later })
        yield* refundAtPolar(1, { modified_at: later })
        yield* orderAtPolar(2)
        yield* TestClock.adjust("11 minutes")
        const dry = yield* billing.reconcileAll({ dryRun: true })
        const report = yield* billing.reconcileAll()
        assert.deepStrictEqual(report.discrepancies, dry.discrepancies)
        assert.sameDeepMembers(
          [...report.discrepancies],
          [
            {
              kind: "order",
              id: "ord-0001",
              userId: "user-1",
              finding: "outdated",
              fields: ["status", "refunded_amount", "live"]
            },
            { kind: "refund", id: "ref-0001", userId: "user-1", finding: "outdated", fields: ["status"] },
            {
              kind: "order",
              id: "ord-0002",
              userId: "user-2",
              finding: "different",
              fields: ["status", "refunded_amount", "live"]
            }
          ]
        )
        assert.deepStrictEqual(
          [...(yield* ordersOf("user-1")), ...(yield* ordersOf("user-2"))].map(({ status }) => status),
          ["refunded", "paid"]
        )
        assert.deepStrictEqual(
          (yield* refundsOf("user-1")).map(({ status }) => status),
          ["succeeded"]
        )
        assert.deepInclude(yield* billing.reconcileAll(), { discrepancyCount: 0 })
        assert.deepStrictEqual(yield* told, [])
      })
    )
  )

  it.effect("a token that may not list orders compares the others, and says what was not compared", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        const { failNext } = yield* polar
        yield* atPolar(1)
        yield* orderAtPolar(1)
        yield* refundAtPolar(1)
        let pages = 0
        const report = yield* billing.reconcileAll({
          onProgress: () => (++pages === 1 ? failNext(forbiddenList("list orders")) : Effect.void)
        })
        assert.deepInclude(report, { compared: 2, discrepancyCount: 2 })
        assert.deepStrictEqual(
          report.notCompared.map(({ kind }) => kind),
          ["order"]
        )
        assert.include(report.notCompared[0]?.reason ?? "", "orders:read")
        assert.lengthOf(yield* stored("user-1"), 1)
        assert.lengthOf(yield* ordersOf("user-1"), 0)
        assert.lengthOf(yield* refundsOf("user-1"), 1)
        // With more rights, nothing of it is remembered.
        assert.deepInclude(yield* billing.reconcileAll(), { compared: 3, discrepancyCount: 1, notCompared: [] })
      })
    )
  )

  it.effect("goes on in the middle of the orders after a failure, and still knows what was not compared", () =>
    scenario(
      Effect.gen(function* () {
        const [one, two] = [yield* process(), yield* process()]
        const { failNext } = yield* polar
        yield* atPolar(1)
        for (const id of Arr.range(1, 250)) yield* orderAtPolar(id)
        yield* refundAtPolar(3)
        const outage = new PolarUnavailable({
          operation: "list orders",
          status: 503,
          reason: "it answered 503",
          retryAfterSeconds: null,
          mayHaveActed: false
        })
        let pages = 0
        const failed = yield* Effect.flip(
          one.reconcileAll({ onProgress: () => (++pages === 3 ? failNext(outage) : Effect.void) })
        )
        assert.strictEqual(failed._tag, "PolarUnavailable")
        assert.lengthOf(yield* ordersOf("user-200"), 1)
        assert.lengthOf(yield* ordersOf("user-201"), 0)

        const counts: Array<number> = []
        const report = yield* two.reconcileAll({
          onProgress: ({ compared }) =>
            Effect.suspend(() => {
              counts.push(compared)
              return counts.length === 1 ? failNext(forbiddenList("list refunds")) : Effect.void
            })
        })
        // The rest of the orders, no refunds, and the stored subscriptions that this process has not seen at Polar.
        assert.deepStrictEqual(counts, [...listedKinds.slice(1).map(() => 251), 252])
        assert.deepInclude(report, { resumed: true, discrepancyCount: 251, notified: 1 })
        assert.deepStrictEqual(
          report.notCompared.map(({ kind }) => kind),
          ["refund"]
        )
        assert.lengthOf(yield* ordersOf("user-250"), 1)
        assert.lengthOf(yield* refundsOf("user-3"), 0)
        assert.deepInclude(yield* one.reconcileAll(), { resumed: false, compared: 252, discrepancyCount: 1 })
      })
    )
  )

  it.effect(
    "benefits, grants, products, discounts, customers and members are compared, and checkouts as far as it goes",
    () =>
      scenario(
        Effect.gen(function* () {
          const billing = yield* process()
          const { putRecord } = yield* polar
          const customer = { id: "cus-1", external_id: "user-1", created_at: before }
          const grant = { id: "gra-1", customer_id: "cus-1", customer, benefit_id: "ben-1", created_at: before }
          yield* putRecord(customerKind, customer)
          yield* putRecord(benefitKind, {
            id: "ben-1",
            type: "feature_flag",
            metadata: { key: "pro" },
            created_at: before
          })
          yield* putRecord(benefitGrantKind, { ...grant, is_granted: true, granted_at: before })
          yield* putRecord(productKind, { id: "pro-1", name: "Pro", created_at: before })
          yield* putRecord(discountKind, { id: "dis-1", code: "TEN", created_at: before })
          yield* putRecord(memberKind, { id: "mem-1", customer_id: "cus-1", role: "owner", created_at: before })
          for (const id of Arr.range(1, 1005)) {
            yield* putRecord(checkoutKind, { id: `che-${id}`, status: "expired", created_at: before })
          }
          const report = yield* billing.reconcileAll()
          // A thousand checkouts are read, and no more.
          assert.deepInclude(report, { compared: 1006, discrepancyCount: 1006, notCompared: [] })
          const user = UserId.make("user-1")
          assert.isTrue(yield* billing.benefits.has(user, "pro"))
          assert.deepInclude(yield* billing.reconcileAll(), { compared: 1006, discrepancyCount: 0 })

          // What Polar took back since, and no delivery said.
          const later = new Date(start + 5000).toISOString()
          yield* putRecord(benefitGrantKind, {
            ...grant,
            is_granted: false,
            is_revoked: true,
            revoked_at: later,
            modified_at: later
          })
          const { discrepancies } = yield* billing.reconcileAll()
          assert.deepStrictEqual(discrepancies, [
            { kind: "benefit_grant", id: "gra-1", userId: "user-1", finding: "outdated", fields: ["status", "live"] }
          ])
          assert.isFalse(yield* billing.benefits.has(user, "pro"))
        })
      )
  )

  it.effect("a kind that the token may not list, or that Polar has no list of, stops none of the others", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        const { failNext, putRecord } = yield* polar
        yield* putRecord(productKind, { id: "pro-1", name: "Pro", created_at: before })
        const refused = [
          forbiddenList("list benefits"),
          new PolarNotFound({ operation: "list benefit_grants", code: "ResourceNotFound" })
        ]
        let pages = 0
        const report = yield* billing.reconcileAll({
          // Subscriptions, orders and refunds come before them.
          onProgress: () => {
            const error = ++pages < 3 ? undefined : refused.shift()
            return error === undefined ? Effect.void : failNext(error)
          }
        })
        assert.deepStrictEqual(
          report.notCompared.map(({ kind }) => kind),
          ["benefit", "benefit_grant"]
        )
        assert.deepInclude(report, { compared: 1, discrepancyCount: 1 })
      })
    )
  )

  it.effect("since: only orders and refunds that Polar has changed from then on", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        yield* orderAtPolar(1)
        yield* orderAtPolar(2, { modified_at: new Date(start).toISOString() })
        yield* refundAtPolar(1)
        const report = yield* billing.reconcileAll({ since: new Date(start) })
        assert.deepStrictEqual(
          report.discrepancies.map(({ id }) => id),
          ["ord-0002"]
        )
      })
    )
  )

  it.effect("a refund whose order is another user's than its customer is that user's", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        const store = yield* BillingStore.BillingStore
        yield* store.linkCustomer(
          { customerId: CustomerId.make("cus-1"), userId: UserId.make("user-1"), linkedBy: "host" },
          defaultPolicy
        )
        yield* store.recordCheckout(
          { id: CheckoutId.make("chk"), userId: ada, productId: ProductId.make("p") },
          defaultPolicy
        )
        yield* orderAtPolar(1, { checkout_id: "chk" })
        yield* refundAtPolar(1)
        yield* billing.reconcileAll()
        assert.lengthOf(yield* ordersOf(ada), 1)
        assert.lengthOf(yield* refundsOf(ada), 1)
        assert.lengthOf(yield* ordersOf("user-1"), 0)
      })
    )
  )
})

describe("reconcileUnlessDoneSince", () => {
  it.effect("is done once by all processes together, and takes up what was left undone", () =>
    scenario(
      Effect.gen(function* () {
        const [one, two] = [yield* process(), yield* process()]
        yield* atPolar(1)
        assert.isTrue(Option.isSome(yield* one.reconcileUnlessDoneSince(new Date(start - 1000))))
        assert.isTrue(Option.isNone(yield* two.reconcileUnlessDoneSince(new Date(start - 1000))))
        yield* TestClock.adjust("1 minute")
        assert.isTrue(Option.isSome(yield* two.reconcileUnlessDoneSince(new Date(start + 1000))))
        const { failNext } = yield* polar
        yield* failNext(
          new PolarForbidden({ operation: "list subscriptions", code: "NotPermitted", requiredScopes: [] })
        )
        yield* TestClock.adjust("1 minute")
        yield* Effect.flip(one.reconcileUnlessDoneSince(new Date(start + 70_000)))
        assert.isTrue(Option.isSome(yield* two.reconcileUnlessDoneSince(new Date(start + 70_000))))
      })
    )
  )
})

describe("the webhook endpoint", () => {
  const endpoint = {
    id: "own",
    url: "https://app.example.com/api/kavach/auth/polar/webhook",
    enabled: true,
    format: "raw",
    events: ["subscription.updated"]
  }
  const other = { ...endpoint, id: "other", url: "https://elsewhere.example.com/hook", enabled: false }

  it.effect("what it did not take and the inbox does not have is asked for again", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        const store = yield* BillingStore.BillingStore
        const { redelivered, setUndelivered, setWebhookEndpoints } = yield* polar
        yield* store.applyDeliveries(
          [
            deliveryOf("known", fixture("subscription.active")),
            deliveryOf("failed", vary("subscription.active", { data: { status: 7 } }))
          ],
          defaultPolicy
        )
        yield* setWebhookEndpoints([endpoint, other])
        const events = ["known", "failed", "lost"].map((id) => ({ id, type: "subscription.updated" }))
        yield* setUndelivered("own", events)
        yield* setUndelivered("other", [{ id: "not ours", type: "subscription.updated" }])

        const dry = yield* billing.reconcileAll({ dryRun: true })
        assert.deepInclude(dry.webhooks.endpoints[0], { isOwn: true, undelivered: 2, redelivered: 0 })
        assert.deepStrictEqual(yield* redelivered, [])

        const { webhooks } = yield* billing.reconcileAll()
        assert.isNull(webhooks.notChecked)
        assert.deepInclude(webhooks.endpoints[0], { id: "own", undelivered: 2, redelivered: 2 })
        assert.include(webhooks.endpoints[0]?.missingTypes ?? [], "subscription.revoked")
        assert.deepInclude(webhooks.endpoints[1], { id: "other", isOwn: false, enabled: false, undelivered: 0 })
        assert.deepStrictEqual(yield* redelivered, ["failed", "lost"])
      })
    )
  )

  it.effect("one that Polar has disabled is reported, and asked for nothing", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process({ webhookUrl: "https://app.example.com/hooks/billing/" })
        const { redelivered, setUndelivered, setWebhookEndpoints } = yield* polar
        const disabled = { ...endpoint, url: "https://app.example.com/hooks/billing", enabled: false }
        yield* setWebhookEndpoints([disabled, { ...endpoint, id: "by path only" }])
        yield* setUndelivered("own", [{ id: "lost", type: "subscription.updated" }])
        const { webhooks } = yield* billing.reconcileAll()
        assert.deepInclude(webhooks.endpoints[0], { isOwn: true, enabled: false, undelivered: 1, redelivered: 0 })
        assert.deepInclude(webhooks.endpoints[1], { isOwn: false })
        assert.deepStrictEqual(yield* redelivered, [])
      })
    )
  )

  it.effect("a token that may not look at it is no failure", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        const { failNext } = yield* polar
        yield* atPolar(1)
        const forbidden = new PolarForbidden({
          operation: "list webhook endpoints",
          code: "insufficient_scope",
          requiredScopes: ["webhooks:read"]
        })
        const report = yield* billing.reconcileAll({
          onProgress: ({ phase, compared }) => (phase === "store" && compared === 1 ? failNext(forbidden) : Effect.void)
        })
        assert.include(report.webhooks.notChecked ?? "", "webhooks:read")
        assert.strictEqual(report.compared, 1)
      })
    )
  )
})

describe("reconcile", () => {
  it.effect("does not keep a user waiting for Polar's limit of requests", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        const { failNext } = yield* polar
        yield* atPolar(1)
        yield* failNext(new PolarRateLimited({ operation: "state", limitedBy: "polar", retryAfterSeconds: 30 }))
        const error = yield* Effect.flip(billing.reconcile(UserId.make("user-1")))
        assert.deepInclude(error, { _tag: "PolarRateLimited", retryAfterSeconds: 30 })
      })
    )
  )

  it.effect("a buyer who comes back before any delivery has access at once", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        yield* atPolar(1)
        const user = UserId.make("user-1")
        assert.deepInclude(yield* billing.reconcile(user, { dryRun: true }), { compared: 1, discrepancyCount: 1 })
        assert.lengthOf(yield* stored("user-1"), 0)
        assert.deepInclude(yield* billing.reconcile(user), { compared: 1, discrepancyCount: 1, notified: 1 })
        assert.isTrue(Option.isSome(yield* billing.getSubscription(user)))
        assert.deepInclude(yield* billing.reconcile(user), { compared: 1, discrepancyCount: 0, notified: 0 })
        assert.deepStrictEqual(yield* told, ["user-1 active"])
      })
    )
  )

  it.effect("finds what hangs on the customer of another address, by the checkout's metadata", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        yield* atPolar(1, { metadata: { kavach_user_id: ada } })
        yield* atPolar(2, {
          metadata: { kavach_user_id: ada },
          customer: { ...original.customer, id: CustomerId.make("cus-2"), externalId: null }
        })
        // The first belongs to the user whom its customer names.
        assert.deepInclude(yield* billing.reconcile(ada), { compared: 2, discrepancyCount: 2 })
        assert.deepStrictEqual(
          (yield* stored(ada)).map(({ id }) => `${id}`),
          ["sub-0002"]
        )
      })
    )
  )

  it.effect("leaves other users' alone, and says what Polar does not know", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        const store = yield* BillingStore.BillingStore
        yield* atPolar(1)
        yield* store.applyDeliveries([deliveryOf("evt_1", fixture("subscription.active"))], defaultPolicy)
        const report = yield* billing.reconcile(ada)
        assert.deepInclude(report, { compared: 0, unknownToPolar: [original.id] })
        assert.lengthOf(yield* stored("user-1"), 0)
      })
    )
  )

  it.effect("orders and refunds of the user: missing, outdated and different ones", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        const user = UserId.make("user-1")
        yield* atPolar(1)
        yield* atPolar(2)
        yield* orderAtPolar(1)
        yield* refundAtPolar(1)
        yield* orderAtPolar(2)
        assert.deepInclude(yield* billing.reconcile(user), { compared: 3, discrepancyCount: 3, notified: 1 })
        assert.deepInclude(yield* billing.reconcile(user), { compared: 3, discrepancyCount: 0, notCompared: [] })
        assert.lengthOf(yield* ordersOf("user-2"), 0)
        const later = new Date(start + 5000).toISOString()
        yield* orderAtPolar(1, { status: "partially_refunded", refunded_amount: 100, modified_at: later })
        yield* delivered("refund.created.full.revoke_benefits", 1, refundData(1, { status: "failed" }))
        yield* TestClock.adjust("11 minutes")
        const { discrepancies } = yield* billing.reconcile(user)
        assert.deepStrictEqual(
          discrepancies.map(({ fields, finding, kind }) => [kind, finding, ...fields]),
          [
            ["order", "outdated", "status", "refunded_amount"],
            ["refund", "different", "status", "live"]
          ]
        )
        assert.deepStrictEqual(
          (yield* billing.orders.list(user)).map(({ status }) => status),
          ["partially_refunded"]
        )
        assert.deepStrictEqual(
          (yield* refundsOf("user-1")).map(({ status }) => status),
          ["succeeded"]
        )
      })
    )
  )

  it.effect("a purchase that the customer of another address made, and its refund, by the checkout's metadata", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        const anonymous = { customer: { id: "cus-1", external_id: null } }
        yield* orderAtPolar(1, { ...anonymous, metadata: { kavach_user_id: ada } })
        yield* refundAtPolar(1)
        assert.deepInclude(yield* billing.reconcile(ada), { compared: 2, discrepancyCount: 2 })
        assert.lengthOf(yield* ordersOf(ada), 1)
        assert.lengthOf(yield* refundsOf(ada), 1)
        // The next time the order is stored, and leads to what else its customer has.
        yield* refundAtPolar(2, { order_id: "ord-0001", customer_id: "cus-1" })
        assert.deepInclude(yield* billing.reconcile(ada), { compared: 3, discrepancyCount: 1 })
        assert.lengthOf(yield* refundsOf(ada), 2)
      })
    )
  )

  it.effect("a token that may not list orders: the subscriptions are compared, and the rest is said", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process()
        yield* atPolar(1)
        yield* orderAtPolar(1)
        const user = UserId.make("user-1")
        const client = yield* PolarClient.PolarClient
        const narrow = yield* Effect.map(
          Layer.build(
            Layer.provide(Billing.layer(), NotificationDispatcher.layer()).pipe(
              Layer.provide(
                Layer.succeed(PolarClient.PolarClient, {
                  ...client,
                  recordPage: (kind, filter, page) =>
                    kind.name === "subscription"
                      ? client.recordPage(kind, filter, page)
                      : forbiddenList(`list ${kind.name}s`)
                })
              )
            )
          ),
          (context) => Context.get(context, Billing.Billing)
        )
        const counts = yield* narrow.reconcile(user)
        assert.deepInclude(counts, { compared: 1, discrepancyCount: 1, notified: 1 })
        assert.deepStrictEqual(
          counts.notCompared.map(({ kind }) => kind),
          ["order", "refund", "benefit_grant"]
        )
        assert.isTrue(Option.isSome(yield* billing.getSubscription(user)))
        assert.deepInclude(yield* billing.reconcile(user), { compared: 2, discrepancyCount: 1, notCompared: [] })
      })
    )
  )
})

describe("a record at Polar that cannot be read", () => {
  const poison = "sub-0002"
  const error = new PolarUnexpectedAnswer({
    operation: "list subscriptions",
    status: 200,
    detail: '"status" is missing'
  })

  /** A Polar that says of one subscription what nobody knows, in lists and by itself. */
  const poisoned = (client: typeof PolarClient.PolarClient.Service): typeof PolarClient.PolarClient.Service => ({
    ...client,
    recordPage: (kind, filter, page) =>
      Effect.map(client.recordPage(kind, filter, page), (found) => ({
        ...found,
        snapshots: found.snapshots.filter(({ report }) => report.id !== poison),
        unreadable: found.snapshots.some(({ report }) => report.id === poison) ? [{ id: poison, error }] : []
      })),
    getSubscription: (id) => (id === poison ? Effect.fail(error) : client.getSubscription(id))
  })

  const onPoisoned = Effect.flatMap(PolarClient.PolarClient, (client) =>
    Effect.map(
      Layer.build(
        Layer.provide(Billing.layer({ externalIds: "trust" }), NotificationDispatcher.layer()).pipe(
          Layer.provide(Layer.succeed(PolarClient.PolarClient, poisoned(client)))
        )
      ),
      (context) => Context.get(context, Billing.Billing)
    )
  )

  const threeOf = (user: string) =>
    Effect.forEach([1, 2, 3], (id) =>
      atPolar(id, {
        customer: { ...original.customer, id: CustomerId.make("cus-1"), externalId: user, email: "1@x.dev" }
      })
    )

  it.effect("is set aside by reconcileAll, and all others are compared", () =>
    scenario(
      Effect.gen(function* () {
        yield* Effect.forEach([1, 2, 3], (id) => atPolar(id))
        const billing = yield* onPoisoned
        assert.deepInclude(yield* billing.reconcileAll(), {
          compared: 2,
          discrepancyCount: 2,
          unreadable: [`subscription ${poison}`],
          unknownToPolar: []
        })
        // When it is stored already, too: then it is asked for by itself.
        const sound = yield* process()
        yield* sound.reconcileAll()
        assert.deepInclude(yield* billing.reconcileAll(), { compared: 2, unreadable: [`subscription ${poison}`] })
        assert.strictEqual((yield* billing.access(UserId.make("user-3"))).entitlement, "granted")
      })
    )
  )

  it.effect("is set aside for one user, whose others are compared", () =>
    scenario(
      Effect.gen(function* () {
        yield* threeOf("user-1")
        const billing = yield* onPoisoned
        const user = UserId.make("user-1")
        assert.deepInclude(yield* billing.reconcile(user), { compared: 2, unreadable: [`subscription ${poison}`] })
        assert.lengthOf(yield* billing.listSubscriptions(user), 2)
      })
    )
  )

  it.effect("that no list shows fails alone when it is asked for by itself", () =>
    scenario(
      Effect.gen(function* () {
        yield* Effect.forEach([1, 2, 3], (id) => atPolar(id))
        const sound = yield* process()
        yield* sound.reconcileAll()
        const client = yield* PolarClient.PolarClient
        const billing = yield* Effect.map(
          Layer.build(
            Layer.provide(Billing.layer(), NotificationDispatcher.layer()).pipe(
              Layer.provide(
                Layer.succeed(PolarClient.PolarClient, {
                  ...poisoned(client),
                  recordPage: () => Effect.succeed({ snapshots: [], unreadable: [], isLast: true })
                })
              )
            )
          ),
          (context) => Context.get(context, Billing.Billing)
        )
        assert.deepInclude(yield* billing.reconcileAll(), { compared: 2, unreadable: [`subscription ${poison}`] })
      })
    )
  )
})

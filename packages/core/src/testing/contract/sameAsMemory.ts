/**
 * Whatever is done to it, a store shows what the in-memory store shows. Random sequences of port calls run on both; every
 * answer, and everything that can be read at the end, must be the same. A failure prints its seed and its shortest
 * sequence.
 */
import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import type { Delivery } from "../../records/Delivery.ts"
import { orderKind } from "../../records/Order.ts"
import { refundKind } from "../../records/Refund.ts"
import type { RecordRow } from "../../records/rows.ts"
import { CheckoutId, CustomerId, ProductId, type User, UserId } from "../../records/Subscription.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore, type BillingStoreService, type Job, layerMemoryWith } from "../../store/BillingStore.ts"
import type { ContractSuite } from "../ContractSuite.ts"
import {
  customerDelivery,
  orderDelivery,
  type Purchase,
  refundDelivery,
  reportIn,
  snapshotOf,
  subscriptionDelivery
} from "../polarDeliveries.ts"
import { subscriptionChanges } from "../subscriptionChanges.ts"

/** Few of everything, so that a short sequence meets the same ones again. */
const indexes = { delivery: 6, subscription: 3, order: 2, refund: 2, customer: 3, user: 3, second: 4 }
const index = (kind: keyof typeof indexes) => FastCheck.nat(indexes[kind] - 1)
const maybe = <A>(arbitrary: FastCheck.Arbitrary<A>) => FastCheck.option(arbitrary, { nil: undefined })

const subscriptionEvent = FastCheck.record({
  call: FastCheck.constant("subscription" as const),
  delivery: index("delivery"),
  subscription: index("subscription"),
  customer: index("customer"),
  at: index("second"),
  type: FastCheck.constantFrom("created", "updated", "canceled", "past_due", "revoked"),
  externalUser: maybe(index("user")),
  metadataUser: maybe(index("user")),
  periodEnd: FastCheck.constantFrom("2026-12-05T00:00:00Z", "2027-01-05T00:00:00Z")
})

const orderEvent = FastCheck.record({
  call: FastCheck.constant("order" as const),
  delivery: index("delivery"),
  order: index("order"),
  subscription: maybe(index("subscription")),
  customer: index("customer"),
  /** The user for whom its checkout was made, if it was recorded. */
  checkoutOf: maybe(index("user")),
  at: index("second"),
  status: FastCheck.constantFrom("pending", "paid", "refunded", "void"),
  externalUser: maybe(index("user")),
  metadataUser: maybe(index("user"))
})

const refundEvent = FastCheck.record({
  call: FastCheck.constant("refund" as const),
  delivery: index("delivery"),
  refund: index("refund"),
  order: index("order"),
  subscription: maybe(index("subscription")),
  customer: index("customer"),
  at: index("second"),
  status: FastCheck.constantFrom("pending", "succeeded", "failed"),
  metadataUser: maybe(index("user"))
})

const customerEvent = FastCheck.record({
  call: FastCheck.constant("customer" as const),
  delivery: index("delivery"),
  customer: index("customer"),
  at: index("second"),
  type: FastCheck.constantFrom("created", "updated", "deleted"),
  externalUser: maybe(index("user"))
})

const recordEvent = FastCheck.oneof(
  { arbitrary: subscriptionEvent, weight: 4 },
  { arbitrary: orderEvent, weight: 2 },
  { arbitrary: refundEvent, weight: 1 }
)

const event = FastCheck.oneof({ arbitrary: recordEvent, weight: 6 }, { arbitrary: customerEvent, weight: 1 })

const calls = FastCheck.array(
  FastCheck.oneof(
    {
      arbitrary: FastCheck.record({
        call: FastCheck.constant("apply" as const),
        events: FastCheck.array(event, { minLength: 1, maxLength: 4 }),
        replay: FastCheck.boolean()
      }),
      weight: 6
    },
    {
      arbitrary: FastCheck.record({
        call: FastCheck.constant("receive" as const),
        events: FastCheck.array(event, { minLength: 1, maxLength: 4 }),
        limit: FastCheck.constantFrom(0, 1, 10),
        completes: FastCheck.boolean()
      }),
      weight: 3
    },
    {
      arbitrary: FastCheck.record({
        call: FastCheck.constant("snapshot" as const),
        events: FastCheck.array(recordEvent, { minLength: 1, maxLength: 3 }),
        /** Before, between and after the events; and none. */
        changedAt: FastCheck.constantFrom(null, 0, 1.5, 3),
        /** Seconds: too soon to know all events, and late enough. */
        fetchedAt: FastCheck.constantFrom(2, 601.5, 3600),
        dryRun: FastCheck.boolean()
      }),
      weight: 2
    },
    {
      arbitrary: FastCheck.record({ call: FastCheck.constant("link waiting" as const), event: recordEvent }),
      weight: 1
    },
    {
      arbitrary: FastCheck.record({
        call: FastCheck.constant("job" as const),
        owner: FastCheck.constantFrom("one", "two"),
        what: FastCheck.constantFrom("claim" as const, "continue" as const, "release" as const, "finish" as const),
        lease: FastCheck.constantFrom(0, 60)
      }),
      weight: 2
    },
    {
      arbitrary: FastCheck.record({
        call: FastCheck.constant("link" as const),
        customer: index("customer"),
        user: index("user")
      }),
      weight: 1
    },
    { arbitrary: FastCheck.record({ call: FastCheck.constant("checkout" as const), user: index("user") }), weight: 1 },
    {
      arbitrary: FastCheck.record({
        call: FastCheck.constant("notify" as const),
        end: FastCheck.constantFrom("complete", "complete and claim next", "retry", "bury", "wrong owner")
      }),
      weight: 2
    }
  ),
  { maxLength: 15 }
)

type Call = (typeof calls extends FastCheck.Arbitrary<infer A> ? A : never)[number]
type Event = typeof event extends FastCheck.Arbitrary<infer A> ? A : never
type RecordEvent = typeof recordEvent extends FastCheck.Arbitrary<infer A> ? A : never

interface Cast {
  readonly run: string
  /** The first two have a row in the app's table. */
  readonly users: ReadonlyArray<UserId>
}

/** Ids that follow upon each other, so that they can be listed together. */
const idOf = ({ run }: Cast, kind: "customer" | "subscription" | "order" | "refund", position: number) =>
  `${run.slice(0, 30)}${kind.charAt(0)}${position}`

const checkoutIdOf = ({ run }: Cast, user: number) => `${run}-${user}`

const purchaseOf = (cast: Cast, given: Event): Purchase => ({
  customerId: idOf(cast, "customer", given.customer),
  subscriptionId: idOf(cast, "subscription", "subscription" in given ? (given.subscription ?? 0) : 0),
  orderId: idOf(cast, "order", "order" in given ? given.order : 0),
  refundId: idOf(cast, "refund", "refund" in given ? given.refund : 0),
  checkoutId: "none",
  productId: "product"
})

const externalIdOf = (cast: Cast, position: number | undefined) =>
  position === undefined ? null : (cast.users[position] ?? null)

const namedBy = (cast: Cast, { metadataUser }: RecordEvent) => {
  const metadataUserId = metadataUser === undefined ? undefined : cast.users[metadataUser]
  return metadataUserId === undefined ? {} : { metadataUserId }
}

const deliveryOf = (cast: Cast, given: Event): Delivery => {
  const purchase = purchaseOf(cast, given)
  const at = { id: `${cast.run}-${given.delivery}`, at: given.at }
  switch (given.call) {
    case "customer":
      return customerDelivery(purchase, given.type, { ...at, externalId: externalIdOf(cast, given.externalUser) })
    case "subscription":
      return subscriptionDelivery(purchase, given.type, {
        ...at,
        ...namedBy(cast, given),
        externalId: externalIdOf(cast, given.externalUser),
        patch: { current_period_end: given.periodEnd }
      })
    case "order":
      return orderDelivery(purchase, "updated.purchase", {
        ...at,
        ...namedBy(cast, given),
        externalId: externalIdOf(cast, given.externalUser),
        patch: {
          status: given.status,
          subscription_id: given.subscription === undefined ? null : purchase.subscriptionId,
          checkout_id: given.checkoutOf === undefined ? null : checkoutIdOf(cast, given.checkoutOf)
        }
      })
    case "refund":
      return refundDelivery(purchase, "created.partial", {
        ...at,
        ...namedBy(cast, given),
        patch: {
          status: given.status,
          subscription_id: given.subscription === undefined ? null : purchase.subscriptionId
        }
      })
  }
}

/** Does a call, and answers what a caller sees of it. */
const perform = (store: BillingStoreService, cast: Cast, call: Call): Effect.Effect<unknown, unknown> => {
  const user = (position: number) => cast.users[position] ?? UserId.make("nobody")
  switch (call.call) {
    case "apply": {
      const [first, ...rest] = call.events.map((given) => deliveryOf(cast, given))
      return first === undefined
        ? Effect.void
        : store.applyDeliveries([first, ...rest], defaultPolicy, { replay: call.replay })
    }
    case "receive": {
      const [first, ...rest] = call.events.map((given) => deliveryOf(cast, given))
      if (first === undefined) return Effect.void
      const claim = { owner: "one", limit: call.limit, lease: Duration.minutes(1) }
      return Effect.tap(store.receiveDeliveries([first, ...rest], defaultPolicy, claim), ({ claimed }) =>
        call.completes
          ? store.completeNotifications(
              claimed.map(({ id }) => id),
              "one"
            )
          : Effect.void
      ).pipe(
        // What waited is found in whatever order the store reads it.
        Effect.map((received) => ({ ...received, unclaimed: [...received.unclaimed].sort() }))
      )
    }
    case "snapshot": {
      const snapshots = call.events.map((given) => snapshotOf(deliveryOf(cast, given), call.changedAt, call.fetchedAt))
      return store.applySnapshots(snapshots, defaultPolicy, { dryRun: call.dryRun })
    }
    case "link waiting":
      return store.linkUnlinked([reportIn(deliveryOf(cast, call.event))], defaultPolicy)
    case "job":
      return performJob(store, cast.run, call)
    case "link":
      return Effect.either(
        store.linkCustomer(
          {
            customerId: CustomerId.make(idOf(cast, "customer", call.customer)),
            userId: user(call.user),
            linkedBy: "host"
          },
          defaultPolicy
        )
      ).pipe(Effect.map((result) => (result._tag === "Right" ? result.right : result.left._tag)))
    case "checkout":
      return store.recordCheckout(
        {
          id: CheckoutId.make(checkoutIdOf(cast, call.user)),
          userId: user(call.user),
          productId: ProductId.make("product")
        },
        defaultPolicy
      )
    case "notify":
      return Effect.gen(function* () {
        const { claimed } = yield* store.claimNotifications({ owner: "one", limit: 50, lease: Duration.minutes(1) })
        const own = subscriptionChanges(claimed).filter(({ userId }) => cast.users.includes(userId))
        const complete = (id: string, owner: string) =>
          Effect.map(store.completeNotifications([id], owner), (completed) => completed.includes(id))
        const settled = yield* Effect.forEach(
          own,
          ({ id }): Effect.Effect<unknown, unknown> =>
            call.end === "complete"
              ? complete(id, "one")
              : call.end === "complete and claim next"
                ? store.completeAndClaimNext([id], { owner: "one", lease: Duration.minutes(1) })
                : call.end === "retry"
                  ? store.retryNotification(id, "one", "no", Duration.zero)
                  : call.end === "bury"
                    ? store.giveUpNotification(id, "one", "no")
                    : Effect.tap(complete(id, "two"), () => complete(id, "one"))
        )
        return { own: own.map(sorted).sort(), settled: settled.map(sorted).sort() }
      })
  }
}

/** When it ends, each store's own clock says. */
const withoutLease = ({ leaseUntil, ...job }: Job) => ({ ...job, isHeld: leaseUntil !== null })

const performJob = (
  store: BillingStoreService,
  name: string,
  { lease, owner, what }: Extract<Call, { readonly call: "job" }>
): Effect.Effect<unknown, unknown> => {
  const duration = Duration.seconds(lease)
  switch (what) {
    case "claim":
      return Effect.map(store.claimJob({ name, owner, lease: duration }), Option.map(withoutLease))
    case "continue":
      return store.continueJob(name, owner, "on the way", duration)
    case "release":
      return store.releaseJob(name, owner, "left")
    case "finish":
      return store.finishJob(name, owner, "done")
  }
}

/** By name, because stores read columns in orders of their own. */
const columns = (row: RecordRow): ReadonlyArray<unknown> => Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1))

const sorted = (value: unknown): string => JSON.stringify(value)

/** Everything that the port shows of the cast. */
const visibleState = (store: BillingStoreService, cast: Cast) =>
  Effect.gen(function* () {
    const users = yield* Effect.forEach(cast.users, (userId) =>
      Effect.all({
        subscriptions: Effect.map(store.subscriptionsOf(userId, "all"), (all) => all.map(sorted).sort()),
        live: Effect.map(store.subscriptionsOf(userId, "live"), (all) => all.map(({ id }) => id).sort()),
        current: Effect.map(store.liveSubscriptionsOf(userId), (all) => all.map(sorted).sort()),
        orders: Effect.map(store.recordsOf(orderKind, userId), (all) => all.map(sorted).sort()),
        paid: Effect.map(store.recordsOf(orderKind, userId, { status: "paid", productId: "product" }), (all) =>
          all.map(({ id }) => id).sort()
        ),
        refunds: Effect.map(store.recordsOf(refundKind, userId), (all) => all.map(sorted).sort()),
        customer: store.customerOf(userId)
      })
    )
    const ids = Array.from({ length: indexes.delivery }, (_, delivery) => `${cast.run}-${delivery}`)
    const deliveries = yield* store.deliveries({ ids })
    const single = yield* Effect.forEach(Array.from({ length: indexes.order }).keys(), (position) =>
      store.record(orderKind, idOf(cast, "order", position))
    )
    const listed = yield* Effect.forEach(["subscription", "order", "refund"] as const, (kind) =>
      Effect.forEach(["live", "unlinked"] as const, (which) =>
        Effect.map(
          // The cast's ids follow upon each other; there is room for a stranger's at the end.
          store.recordPage({ kind, which, after: cast.run.slice(0, 30), limit: indexes[kind] }),
          (page) => page.filter(({ id }) => id.startsWith(cast.run.slice(0, 30))).map(columns)
        )
      )
    )
    const job = Option.map(yield* store.job(cast.run), withoutLease)
    const notifications: Array<string> = []
    for (;;) {
      const { claimed } = yield* store.claimNotifications({ owner: "end", limit: 50, lease: Duration.minutes(1) })
      if (claimed.length === 0) break
      for (const notification of subscriptionChanges(claimed)) {
        yield* store.completeNotifications([notification.id], "end")
        if (cast.users.includes(notification.userId)) notifications.push(sorted(notification))
      }
    }
    return {
      users,
      deliveries: deliveries.map(sorted).sort(),
      notifications: notifications.sort(),
      single,
      listed,
      job
    }
  })

const runs = 60

/** A counterexample is made smaller in hundreds of tries, and each takes two of the users, who are not endless. */
const mostTried = 300

export const sameAsMemory = ({ it, nextUser }: ContractSuite): void => {
  it.effect(
    "does and shows what the in-memory store does and shows",
    () =>
      Effect.gen(function* () {
        const store = yield* BillingStore
        const runtime = yield* Effect.runtime<never>()
        let tried = 0
        const sequence = (given: ReadonlyArray<Call>) =>
          Effect.gen(function* () {
            if (tried++ >= mostTried) return
            const rows: ReadonlyArray<User> = [nextUser(), nextUser()]
            const cast = {
              run: randomUUID(),
              users: [...rows.map(({ id }) => id), UserId.make(`guest_${randomUUID()}`)]
            }
            const memory = Context.get(yield* Layer.build(layerMemoryWith(rows)), BillingStore)
            for (const call of given) {
              expect(yield* perform(store, cast, call)).toStrictEqual(yield* perform(memory, cast, call))
            }
            expect(yield* visibleState(store, cast)).toStrictEqual(yield* visibleState(memory, cast))
          }).pipe(Effect.scoped)
        yield* Effect.promise(() =>
          FastCheck.assert(
            FastCheck.asyncProperty(calls, (given) => Runtime.runPromise(runtime)(sequence(given))),
            { numRuns: runs, endOnFailure: false, timeout: 30_000 }
          )
        )
      }),
    { timeout: 120_000 }
  )
}

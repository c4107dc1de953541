/** Whatever the order, and however often: deliveries of the same events end in the same state. */
import { describe, expect, it } from "@effect/vitest"
import * as AccessPolicy from "@kavach-polar/core/AccessPolicy"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import { type Subscription, UserId } from "@kavach-polar/core/Subscription"
import { Duration, Effect, FastCheck, Option } from "effect"
import { supersedes, type Version } from "../src/rules/order.ts"
import { subscriptionChanges } from "../src/testing/subscriptionChanges.ts"
import { anonymousCustomer, at, deliveryOf, subscriptionIn, vary } from "./deliveries.ts"

const user = UserId.make("usr_1042")

const event = FastCheck.record({
  subscription: FastCheck.constantFrom("sub_a", "sub_b", "sub_c"),
  type: FastCheck.constantFrom(
    "created",
    "active",
    "updated",
    "canceled",
    "uncanceled",
    "past_due",
    "paused",
    "revoked"
  ),
  // Few, so that many events share a timestamp.
  micros: FastCheck.integer({ min: 1, max: 6 }),
  modified: FastCheck.constantFrom(null, "2026-10-05T15:00:00.001Z", "2026-10-05T15:00:00.002Z")
})

const history = FastCheck.array(event, { minLength: 1, maxLength: 12 }).map((events) =>
  events.map(({ micros, modified, subscription, type }, index) =>
    deliveryOf(
      `evt_${index}`,
      vary(`subscription.${type}`, {
        timestamp: at(micros),
        data: { ...anonymousCustomer("cus_1", user), id: subscription, modified_at: modified }
      })
    )
  )
)

const shuffled = history.chain((deliveries) =>
  FastCheck.tuple(
    FastCheck.constant(deliveries),
    FastCheck.shuffledSubarray(deliveries, { minLength: deliveries.length }),
    FastCheck.array(FastCheck.constantFrom(...deliveries), { maxLength: 6 })
  )
)

/** The newest state of each subscription, found the plain way. */
const expectedOf = (deliveries: ReadonlyArray<ReturnType<typeof deliveryOf>>): ReadonlyArray<Subscription> => {
  const newest = new Map<string, { readonly subscription: Subscription; readonly at: Version }>()
  for (const delivery of deliveries) {
    const { content } = delivery
    if (content._tag !== "RecordEvent") throw new Error(content._tag)
    const subscription = subscriptionIn(delivery)
    const version = { at: content.at, precedence: content.report.precedence }
    const known = newest.get(subscription.id)
    if (known === undefined || supersedes(version, known.at)) {
      newest.set(subscription.id, { subscription, at: version })
    }
  }
  return [...newest.values()].map(({ subscription }) => subscription)
}

const byId = (subscriptions: ReadonlyArray<Subscription>) =>
  subscriptions
    .map(({ currentPeriodEnd, endedAt, id, status }) => ({ id, status, currentPeriodEnd, endedAt }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))

describe("shuffled deliveries", () => {
  it.effect.prop(
    "end in the same state as the events in order",
    [shuffled],
    ([[deliveries, order, again]]) =>
      Effect.gen(function* () {
        const store = yield* BillingStore.BillingStore
        for (const delivery of [...order, ...again])
          yield* store.applyDeliveries([delivery], AccessPolicy.defaultPolicy)
        const stored = yield* store.subscriptionsOf(user, "all")
        const expected = expectedOf(deliveries)
        expect(byId(stored)).toStrictEqual(byId(expected))
        expect(AccessPolicy.current(AccessPolicy.defaultPolicy, stored, new Date(0))?.id).toBe(
          AccessPolicy.current(AccessPolicy.defaultPolicy, expected, new Date(0))?.id
        )
        // What the app is told last of each subscription is what is so.
        const told = new Map<string, string>()
        for (;;) {
          const { claimed } = yield* store.claimNotifications({ owner: "a", limit: 9, lease: Duration.minutes(1) })
          if (claimed.length === 0) break
          for (const { id, subscription } of subscriptionChanges(claimed)) {
            told.set(subscription.id, subscription.status)
            yield* store.completeNotifications([id], "a")
          }
        }
        for (const { id, status } of stored) expect(told.get(id)).toBe(status)
        expect(Option.getOrUndefined(yield* store.customerOf(user))).toBe("cus_1")
      }).pipe(Effect.provide(BillingStore.layerMemory)),
    { fastCheck: { numRuns: 150 }, timeout: 60_000 }
  )
})

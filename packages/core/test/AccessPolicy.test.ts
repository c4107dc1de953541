import { assert, describe, it } from "@effect/vitest"
import * as AccessPolicy from "@kavach-polar/core/AccessPolicy"
import { knownStatuses, type Subscription } from "@kavach-polar/core/Subscription"
import { Duration, FastCheck } from "effect"
import { deliveryOf, subscriptionIn, type Variation, vary } from "./deliveries.ts"

const subscription = (data: Variation["data"] = {}): Subscription =>
  subscriptionIn(deliveryOf("evt", vary("subscription.active", { data: data })))

const now = new Date("2026-10-20T00:00:00Z")
const decide = (data: Variation["data"]) => AccessPolicy.decide(AccessPolicy.defaultPolicy, subscription(data), now)

describe("AccessPolicy", () => {
  it("decides for every status", () => {
    const entitlements = Object.fromEntries(
      [...knownStatuses, "hibernating"].map((status) => [
        status,
        decide({ status, past_due_at: "2026-10-19T00:00:00Z" }).entitlement
      ])
    )
    assert.deepStrictEqual(entitlements, {
      incomplete: "denied",
      incomplete_expired: "denied",
      trialing: "granted",
      active: "granted",
      past_due: "grace",
      canceled: "denied",
      unpaid: "denied",
      paused: "denied",
      hibernating: "denied"
    })
  })

  it("keeps access until the end of a canceled period, and says until when", () => {
    const access = decide({ status: "active", cancel_at_period_end: true, ends_at: "2026-11-05T14:22:08.412345Z" })
    assert.strictEqual(access.entitlement, "granted")
    assert.deepStrictEqual(access.until, new Date("2026-11-05T14:22:08.412Z"))
  })

  it("ends grace at the period's last millisecond, counted from when the payment was due", () => {
    const overdue = subscription({ status: "past_due", past_due_at: "2026-10-13T00:00:00Z" })
    const at = (time: string) => AccessPolicy.decide(AccessPolicy.defaultPolicy, overdue, new Date(time)).entitlement
    assert.strictEqual(at("2026-10-19T23:59:59.999Z"), "grace")
    assert.strictEqual(at("2026-10-20T00:00:00.000Z"), "denied")
    const none = { ...AccessPolicy.defaultPolicy, gracePeriod: Duration.zero }
    assert.strictEqual(AccessPolicy.decide(none, overdue, new Date("2026-10-13T00:00:00Z")).entitlement, "denied")
    assert.strictEqual(decide({ status: "past_due", past_due_at: null }).entitlement, "denied")
  })

  const at = (data: Variation["data"], time: string, policy = AccessPolicy.defaultPolicy) =>
    AccessPolicy.decide(policy, subscription(data), new Date(time))

  it("ends with a scheduled end, though nothing has come from Polar: after an hour for webhooks on their way", () => {
    const ends = { status: "active", cancel_at_period_end: true, ends_at: "2026-11-05T14:00:00Z" }
    assert.deepInclude(at(ends, "2026-11-05T13:59:59.999Z"), {
      entitlement: "granted",
      until: new Date("2026-11-05T14:00:00Z")
    })
    assert.deepInclude(at(ends, "2026-11-05T14:00:00Z"), {
      entitlement: "granted",
      until: new Date("2026-11-05T15:00:00Z")
    })
    assert.strictEqual(at(ends, "2026-11-05T15:00:00Z").entitlement, "denied")
    const strict = { ...AccessPolicy.defaultPolicy, endTolerance: Duration.zero }
    assert.strictEqual(at(ends, "2026-11-05T14:00:00Z", strict).entitlement, "denied")
  })

  it("ends with a trial of which nothing more was heard, and with a pause that was announced", () => {
    const over = "2026-11-05T15:00:00Z"
    const period = { current_period_end: "2026-11-05T14:00:00Z", cancel_at_period_end: false, ends_at: null }
    assert.strictEqual(at({ status: "trialing", ...period }, "2026-11-05T14:59:59Z").entitlement, "granted")
    assert.strictEqual(at({ status: "trialing", ...period }, over).entitlement, "denied")
    const pausing = { status: "active", pause_at_period_end: true, ...period }
    assert.strictEqual(at(pausing, "2026-11-05T14:59:59Z").entitlement, "granted")
    assert.strictEqual(at(pausing, over).entitlement, "denied")
    const lenient = {
      ...AccessPolicy.defaultPolicy,
      statuses: { ...AccessPolicy.defaultPolicy.statuses, paused: "granted" as const }
    }
    assert.deepInclude(at(pausing, over, lenient), { entitlement: "granted", until: null })
  })

  it("whoever pays is not locked out because renewals were not heard of", () => {
    const active = { status: "active", current_period_end: "2026-11-05T14:00:00Z", cancel_at_period_end: false }
    assert.deepInclude(at({ ...active, ends_at: null }, "2027-11-05T14:00:00Z"), {
      entitlement: "granted",
      until: null
    })
  })

  it("of several the current one is one that still gives something", () => {
    const over = { ...candidate("a", "active", 900), cancelAtPeriodEnd: true }
    const later = new Date(Duration.toMillis("1 hour") + 900)
    const strict = (when: Date) =>
      AccessPolicy.current(AccessPolicy.defaultPolicy, [over, candidate("b", "active", 100)], when)?.id
    assert.strictEqual(strict(new Date(899)), "a")
    assert.strictEqual(strict(later), "b")
    assert.include(
      AccessPolicy.accessOf(AccessPolicy.defaultPolicy, [over], later).reason,
      "The subscription was to end with its period on 1970-01-01T00:00:00.900Z"
    )
  })

  it("grants nothing to what has ended, whatever its status says", () => {
    assert.strictEqual(decide({ status: "active", ended_at: "2026-10-10T00:00:00Z" }).entitlement, "denied")
  })

  const candidate = (id: string, status: string, periodEnd: number | null, isLive = true) => ({
    id,
    productId: null,
    status,
    currentPeriodEnd: periodEnd === null ? null : new Date(periodEnd),
    isLive,
    endedAt: null,
    cancelAtPeriodEnd: false,
    endsAt: null,
    pauseAtPeriodEnd: false,
    pastDueAt: new Date(0)
  })
  const currentId = (...candidates: ReadonlyArray<AccessPolicy.CurrentCandidate>) =>
    AccessPolicy.current(AccessPolicy.defaultPolicy, candidates, new Date(0))?.id

  it("says until when by all that give the same: one that ends takes nothing from one that goes on", () => {
    const day = 86_400_000
    const policy = AccessPolicy.defaultPolicy
    const asked = (...all: ReadonlyArray<AccessPolicy.CurrentCandidate>) =>
      [all, all.toReversed()].map((some) => {
        const { entitlement, until } = AccessPolicy.accessOf(policy, some, new Date(0))
        return [entitlement, until?.getTime() ?? null]
      })
    const both = (...expected: [AccessPolicy.Entitlement, number | null]) => [expected, expected]
    const yearly = { ...candidate("yearly", "active", 180 * day), cancelAtPeriodEnd: true }
    const monthly = candidate("monthly", "active", 30 * day)
    assert.strictEqual(currentId(yearly, monthly), "yearly")
    assert.deepStrictEqual(asked(yearly), both("granted", 180 * day))
    assert.deepStrictEqual(asked(yearly, monthly), both("granted", null))
    // One whose end is further away than its period says.
    const later = { ...monthly, cancelAtPeriodEnd: true, endsAt: new Date(200 * day) }
    assert.deepStrictEqual(asked(yearly, later), both("granted", 200 * day))
    // Its end has come, and what Polar says then is on its way.
    const over = { ...candidate("over", "active", 0), cancelAtPeriodEnd: true }
    assert.deepStrictEqual(asked(over, candidate("none", "active", null)), both("granted", null))
    // What gives less does not count, nor does what is not asked for.
    assert.deepStrictEqual(asked(yearly, candidate("due", "past_due", 300 * day)), both("granted", 180 * day))
    const due = (id: string, since: number, periodEnd: number) => ({
      ...candidate(id, "past_due", periodEnd),
      pastDueAt: new Date(since)
    })
    assert.deepStrictEqual(asked(due("a", -3 * day, 20 * day), due("b", -day, 10 * day)), both("grace", 6 * day))
    const pro = { ...monthly, productId: "pro" }
    assert.deepStrictEqual(
      AccessPolicy.accessOf(policy, [pro, { ...yearly, productId: "team" }], new Date(0), new Set(["team"])).until,
      new Date(180 * day)
    )
  })

  it("shows the subscription that gives most, then the one that lasts longest", () => {
    assert.strictEqual(currentId(candidate("a", "past_due", 900), candidate("b", "active", 100)), "b")
    assert.strictEqual(currentId(candidate("a", "paused", 900), candidate("b", "past_due", 100)), "b")
    assert.strictEqual(currentId(candidate("a", "active", 100), candidate("b", "trialing", 900)), "b")
    assert.strictEqual(currentId(candidate("a", "active", null), candidate("b", "active", 1)), "b")
    assert.strictEqual(currentId(candidate("a", "canceled", 900, false)), undefined)
    assert.strictEqual(currentId(candidate("a", "hibernating", 900)), undefined)
  })

  it("does not depend on the order in which subscriptions come", () => {
    const arbitrary = FastCheck.uniqueArray(
      FastCheck.record({
        id: FastCheck.string({ minLength: 1, maxLength: 3 }),
        status: FastCheck.constantFrom(...knownStatuses, "hibernating"),
        periodEnd: FastCheck.option(FastCheck.integer({ min: 0, max: 3 })),
        isLive: FastCheck.boolean()
      }),
      { selector: ({ id }) => id }
    )
    FastCheck.assert(
      FastCheck.property(arbitrary, FastCheck.nat(), (given, turn) => {
        const candidates = given.map((one) => candidate(one.id, one.status, one.periodEnd, one.isLive))
        const cut = candidates.length === 0 ? 0 : turn % candidates.length
        const turned = [...candidates.slice(cut), ...candidates.slice(0, cut)].reverse()
        assert.strictEqual(currentId(...turned), currentId(...candidates))
      })
    )
  })
})

import { assert, describe, it } from "@effect/vitest"
import type { Subscription } from "@kavach-polar/core/Subscription"
import { EpochMicros } from "@kavach-polar/core/Timestamp"
import { Duration, FastCheck as fc } from "effect"
import { precedence, reportOf } from "../src/records/subscriptionKind.ts"
import { supersedes, type Version } from "../src/rules/order.ts"
import { certaintyMargin, judge, type Snapshot } from "../src/rules/reconciliation.ts"
import { deliveryOf, fixture, subscriptionIn } from "./deliveries.ts"

const subscriptionOf = (body: Uint8Array): Subscription => subscriptionIn(deliveryOf("any", body))

const versionOf = (subscription: Subscription, at: EpochMicros): Version => ({
  at,
  precedence: precedence(subscription)
})

const active = subscriptionOf(fixture("subscription.active"))
const ended = subscriptionOf(fixture("subscription.revoked"))

const start = Date.parse("2026-10-05T00:00:00Z") * 1000
const at = (micros: number) => EpochMicros.make(start + micros)
const margin = Duration.toMillis(certaintyMargin) * 1000

const snapshot = (changedAt: number | null, fetchedAt: number, subscription: Subscription = active): Snapshot => ({
  report: reportOf(subscription, changedAt === null ? null : at(changedAt)),
  fetchedAt: at(fetchedAt)
})

const stored = (eventAt: number, saysTheSame: boolean, subscription: Subscription = active) => ({
  version: versionOf(subscription, at(eventAt)),
  saysTheSame
})

describe("judge", () => {
  it("writes what is not stored, as of Polar's last change, or as of what it is certain to know", () => {
    assert.deepStrictEqual(judge(snapshot(5, margin * 2), undefined), {
      finding: "missing",
      version: { at: at(5), precedence: precedence(active) }
    })
    assert.deepStrictEqual(judge(snapshot(null, margin * 2), undefined)?.version.at, at(margin))
  })

  it("writes a change that is later than the stored event, by a microsecond too", () => {
    assert.deepStrictEqual(judge(snapshot(101, 200, ended), stored(100, false))?.finding, "outdated")
    assert.isUndefined(judge(snapshot(99, 200, ended), stored(100, false)))
    // Details are no difference that anybody is told of, and are written all the same.
    assert.deepStrictEqual(judge(snapshot(101, 200), stored(100, true))?.finding, "outdated")
  })

  it("never writes twice", () => {
    for (const first of [judge(snapshot(101, 200), stored(100, false)), judge(snapshot(5, 200), undefined)]) {
      assert.isDefined(first)
      assert.isUndefined(judge(snapshot(101, 300), { version: { ...first.version, at: at(101) }, saysTheSame: true }))
    }
  })

  it("leaves a difference alone while the event for it may be on its way", () => {
    assert.isUndefined(judge(snapshot(50, 100 + margin), stored(100, false, ended)))
    assert.deepStrictEqual(judge(snapshot(50, 101 + margin), stored(100, false, ended)), {
      finding: "different",
      version: { at: at(101), precedence: precedence(active) }
    })
    assert.isUndefined(judge(snapshot(50, 101 + margin), stored(100, true, ended)))
  })

  /**
   * Polar changes the row, then stamps the event, then commits; what is read shows the last change that was committed.
   * Whatever the clocks say within their five minutes, an event that the snapshot does not know wins over it, and one
   * that it does know never brings an older state back.
   */
  it("no event that is newer than what was read looks old, and none that is older looks new", () => {
    const minute = 60_000_000
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            pause: fc.integer({ min: 1, max: 30 * minute }),
            toEvent: fc.integer({ min: 1, max: 2 * minute }),
            toCommit: fc.integer({ min: 0, max: 2 * minute }),
            ends: fc.boolean()
          }),
          { minLength: 1, maxLength: 6 }
        ),
        fc.integer({ min: -5 * minute + 1, max: 5 * minute - 1 }),
        fc.nat(),
        fc.nat(),
        fc.boolean(),
        (changes, skew, readAfter, storedUpTo, saysTheSame) => {
          let now = 20 * minute
          const history = changes.map(({ ends, pause, toCommit, toEvent }) => {
            const changedAt = now + pause
            const eventAt = changedAt + toEvent
            now = eventAt + toCommit
            return { changedAt, eventAt, committedAt: now, subscription: ends ? ended : active }
          })
          // Asked for at a moment after the first commit, and before or after any other.
          const first = history[0]
          if (first === undefined) return
          const asked = first.committedAt + (readAfter % (now - first.committedAt + 40 * minute))
          const known = history.filter(({ committedAt }) => committedAt <= asked)
          const read = known.at(-1)
          if (read === undefined) return
          const store = history[storedUpTo % history.length]
          if (store === undefined) return
          const verdict = judge(snapshot(read.changedAt, asked + skew, read.subscription), {
            version: versionOf(store.subscription, at(store.eventAt)),
            saysTheSame: saysTheSame && store.subscription === read.subscription
          })
          if (verdict === undefined) return
          for (const event of history) {
            const wins = supersedes(versionOf(event.subscription, at(event.eventAt)), verdict.version)
            if (event.eventAt > read.eventAt) assert.isTrue(wins, "an event that it did not know")
            if (event.eventAt < read.eventAt) assert.isFalse(wins, "an event before what was read")
          }
          assert.isAtLeast(verdict.version.at, at(read.changedAt))
          // What is stored was not newer than what was read.
          assert.isAtMost(store.eventAt, read.eventAt)
        }
      ),
      { numRuns: 20_000 }
    )
  })
})

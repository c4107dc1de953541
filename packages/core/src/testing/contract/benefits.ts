import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { benefitKind } from "../../records/Benefit.ts"
import { benefitGrantKind } from "../../records/BenefitGrant.ts"
import { productKind } from "../../records/Product.ts"
import type { UserId } from "../../records/Subscription.ts"
import { grantedBenefits } from "../../rules/grantedBenefits.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { applyEach, applyOne, type ContractSuite, strangerId, trusting } from "../ContractSuite.ts"
import {
  benefitDelivery,
  dataIn,
  fixturesOf,
  type GrantScene,
  grantDelivery,
  newGrant,
  orderDelivery,
  otherDelivery,
  recordIn
} from "../polarDeliveries.ts"

/** As `get` and `list` read them, and as `has` does: both know the same. */
const benefitsOf = (userId: UserId) =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    const whole = grantedBenefits(yield* store.liveGrantsOf(userId))
    const names = yield* store.grantedNamesOf(userId)
    expect(names.map(({ benefitId, key }) => `${benefitId} ${key}`).sort()).toEqual(
      whole.map(({ benefitId, key }) => `${benefitId} ${key}`).sort()
    )
    return whole
  })

const keysOf = (userId: UserId) => Effect.map(benefitsOf(userId), (benefits) => benefits.map(({ key }) => key))

/** Seconds at which a benefit was changed, as Polar writes them. */
const changed = (second: number) => ({ modified_at: `2026-12-01T00:00:0${second}Z` })

/** A grant as it is at a time. Times differ, so that order is never decided by a tie. */
const granted = (scene: GrantScene, userId: UserId, at: number) =>
  grantDelivery(scene, at === 1 ? "created.feature_flag" : "updated.discord", {
    at,
    externalId: userId,
    patch: { is_granted: true, is_revoked: false, error: null }
  })

const revoked = (scene: GrantScene, userId: UserId, at: number) =>
  grantDelivery(scene, "revoked.member", { at, externalId: userId })

/** Every order in which they can arrive. */
const orders = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  all.length < 2
    ? [all]
    : all.flatMap((one, index) => orders(all.filter((_, other) => other !== index)).map((rest) => [one, ...rest]))

/** Benefits and their grants: what users were given by what they bought. */
export const benefits = ({ it, nextUser }: ContractSuite): void => {
  it.effect("every benefit, grant and product that Polar sends is stored and read back as it was sent", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      for (const [kind, prefix] of [
        [benefitKind, "benefit"],
        [benefitGrantKind, "benefit_grant"],
        [productKind, "product"]
      ] as const) {
        const names = fixturesOf(prefix)
        expect(names.length).toBeGreaterThan(0)
        for (const name of names) {
          const scene = newGrant()
          const sent =
            prefix === "benefit_grant"
              ? grantDelivery(scene, name, { externalId: strangerId() })
              : prefix === "benefit"
                ? benefitDelivery(scene, name)
                : otherDelivery(`product.${name}`)
          const [outcome] = yield* applyEach([sent], trusting)
          // A product has the id of its fixture, of which there may be a newer one.
          expect(["applied", "stale"], name).toContain(outcome?.state)
          if (outcome?.state === "stale") continue
          const stored = yield* store.record<unknown>(kind, String(dataIn(sent)["id"]))
          expect(
            Option.map(stored, ({ value }) => value),
            name
          ).toEqual(Option.some(recordIn<unknown>(kind, sent)))
        }
      }
    })
  )

  it.effect("a grant that waits for the customer gives nothing, and gives it once it is granted", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const scene = newGrant()
      yield* applyOne(grantDelivery(scene, "created.discord.action_required", { at: 1, externalId: user.id }), trusting)
      expect(yield* keysOf(user.id)).toEqual([])
      yield* applyOne(grantDelivery(scene, "updated.discord", { at: 2, externalId: user.id }), trusting)
      expect(yield* keysOf(user.id)).toEqual([scene.benefitId])
    })
  )

  it.effect("a grant's id comes back to life: the newest state counts, in whatever order they arrive", () =>
    Effect.gen(function* () {
      for (const ends of ["granted", "revoked"] as const) {
        for (const places of orders([0, 1, 2])) {
          const user = nextUser()
          const scene = newGrant()
          const history = [
            granted(scene, user.id, 1),
            revoked(scene, user.id, 2),
            ends === "granted" ? granted(scene, user.id, 3) : revoked(scene, user.id, 3)
          ]
          yield* applyEach(
            places.flatMap((place) => history[place] ?? []),
            trusting
          )
          expect(yield* keysOf(user.id), `${ends} last, ${places.join()}`).toEqual(
            ends === "granted" ? [scene.benefitId] : []
          )
        }
      }
    })
  )

  it.effect("it is the user's to whom the order belongs, whichever arrives first", () =>
    Effect.gen(function* () {
      for (const orderFirst of [true, false]) {
        const user = nextUser()
        const scene = newGrant()
        const order = orderDelivery(scene, "paid.purchase", { externalId: user.id })
        const grant = grantDelivery(scene, "created.license_keys.order", { externalId: null })
        yield* applyEach(orderFirst ? [order, grant] : [grant, order], trusting)
        expect(yield* benefitsOf(user.id)).toMatchObject([
          {
            benefitId: scene.benefitId,
            type: "license_keys",
            properties: { display_key: "****-77D2AC" },
            source: { orderId: scene.orderId }
          }
        ])
      }
    })
  )

  it.effect("what the merchant changes in a benefit shows at once, and an older event of it does not", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const scene = newGrant()
      const metadata = (limit: number) => ({ key: "max-projects", limit })
      yield* applyOne(
        grantDelivery(scene, "created.feature_flag", {
          at: 1,
          externalId: user.id,
          benefit: { metadata: metadata(3), ...changed(1) }
        }),
        trusting
      )
      expect(yield* benefitsOf(user.id)).toMatchObject([{ key: "max-projects", metadata: metadata(3) }])
      yield* applyOne(
        benefitDelivery(scene, "updated", { at: 3, patch: { metadata: metadata(10), ...changed(3) } }),
        trusting
      )
      yield* applyOne(
        benefitDelivery(scene, "updated", { at: 2, patch: { metadata: metadata(5), ...changed(2) } }),
        trusting
      )
      expect(yield* benefitsOf(user.id)).toMatchObject([{ key: "max-projects", metadata: metadata(10) }])
      // A grant that carries the benefit as it was later than the event of its own that was lost.
      yield* applyOne(
        grantDelivery(scene, "cycled.feature_flag", {
          at: 5,
          externalId: user.id,
          benefit: { metadata: metadata(20), ...changed(5) }
        }),
        trusting
      )
      expect(yield* benefitsOf(user.id)).toMatchObject([{ metadata: metadata(20) }])
    })
  )

  it.effect("a benefit that was bought twice is there until the last of its grants is revoked", () =>
    Effect.gen(function* () {
      const user = nextUser()
      const first = newGrant()
      const second = newGrant({ customerId: first.customerId, benefitId: first.benefitId })
      yield* applyEach([granted(first, user.id, 1), granted(second, user.id, 1)], trusting)
      expect(yield* keysOf(user.id)).toEqual([first.benefitId, first.benefitId])
      yield* applyOne(revoked(first, user.id, 2), trusting)
      expect(yield* keysOf(user.id)).toEqual([first.benefitId])
      yield* applyOne(revoked(second, user.id, 2), trusting)
      expect(yield* keysOf(user.id)).toEqual([])
    })
  )

  it.effect("benefits of others are never shown, and benefits themselves belong to nobody", () =>
    Effect.gen(function* () {
      const [user, other] = [nextUser(), nextUser()]
      const scene = newGrant()
      yield* applyEach([benefitDelivery(scene, "created.custom", { at: 1 }), granted(scene, user.id, 1)], trusting)
      expect(yield* keysOf(other.id)).toEqual([])
      const store = yield* BillingStore
      expect(yield* store.record(benefitKind, scene.benefitId)).toMatchObject(Option.some({ userId: null }))
    })
  )
}

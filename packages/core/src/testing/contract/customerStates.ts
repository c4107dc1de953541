import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { benefitGrantKind } from "../../records/BenefitGrant.ts"
import type { Kind } from "../../records/Kind.ts"
import { CheckoutId, ProductId, type UserId } from "../../records/Subscription.ts"
import { subscriptionKind } from "../../records/subscriptionKind.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { grantedBenefits } from "../../rules/grantedBenefits.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import {
  allNotifications,
  apply,
  applyEach,
  applyOne,
  type ContractSuite,
  expectProjection,
  notificationsOf,
  subscriptionsOf,
  trusting
} from "../ContractSuite.ts"
import {
  customerDelivery,
  type GrantScene,
  grantDelivery,
  newGrant,
  type SentDelivery,
  snapshotOf,
  subscriptionDelivery,
  timestamp
} from "../polarDeliveries.ts"

type Json = Readonly<Record<string, unknown>>

interface Listed {
  /** When the state was sent. */
  readonly at: number
  /** When Polar changed what it lists, in seconds as all times here. */
  readonly changedAt: number
  readonly externalId?: string | null
  readonly email?: string | null
  readonly subscription?: Json
  readonly grant?: Json
}

/** A state that lists the subscription and the grant of the scene. */
const stateOf = (
  scene: GrantScene,
  { at, changedAt, email, externalId, grant, subscription }: Listed
): SentDelivery => {
  const changed = { created_at: timestamp(0.1), modified_at: timestamp(changedAt) }
  return customerDelivery(scene, "state_changed", {
    at,
    ...(externalId === undefined ? {} : { externalId }),
    ...(email === undefined ? {} : { email }),
    patch: {
      active_subscriptions: [
        {
          id: scene.subscriptionId,
          product_id: scene.productId,
          ...changed,
          metadata: { plan: "pro_monthly" },
          status: "active",
          amount: 4900,
          currency: "usd",
          recurring_interval: "month",
          current_period_start: timestamp(0),
          current_period_end: "2027-01-05T00:00:00Z",
          cancel_at_period_end: false,
          ...subscription
        }
      ],
      granted_benefits: [
        {
          id: scene.grantId,
          benefit_id: scene.benefitId,
          ...changed,
          granted_at: timestamp(changedAt),
          benefit_type: "feature_flag",
          benefit_metadata: { key: "max-projects", limit: 3 },
          properties: {},
          ...grant
        }
      ],
      active_meters: []
    }
  })
}

const emptyState = (scene: GrantScene, at: number, externalId: string) =>
  customerDelivery(scene, "state_changed.empty", { at, externalId })

const stored = <A>(kind: Kind<A>, id: string) =>
  Effect.flatMap(BillingStore, (store) => Effect.map(store.record(kind, id), Option.getOrThrow))

const subscriptionOf = (scene: GrantScene) => stored(subscriptionKind, scene.subscriptionId)

const keysOf = (userId: UserId) =>
  Effect.flatMap(BillingStore, (store) =>
    Effect.map(store.liveGrantsOf(userId), (grants) => grantedBenefits(grants).map(({ key }) => key))
  )

/** Every order in which they can arrive. */
const orders = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  all.length < 2
    ? [all]
    : all.flatMap((one, index) => orders(all.filter((_, other) => other !== index)).map((rest) => [one, ...rest]))

/** What `customer.state_changed` lists is set right, and what it cannot list is not touched. */
export const customerStates = (suite: ContractSuite): void => {
  const { it, nextUser } = suite

  it.effect("what no event of its own brought is stored, owned, shown and told", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newGrant()
      const state = stateOf(scene, { at: 10, changedAt: 5, externalId })
      expect(yield* applyOne(state, trusting)).toMatchObject({ state: "applied", userId: externalId, notified: true })
      expect(yield* subscriptionOf(scene)).toMatchObject({
        userId: externalId,
        value: {
          status: "active",
          productId: scene.productId,
          amount: 4900,
          customer: { id: scene.customerId, externalId },
          checkoutId: null
        }
      })
      expect(yield* keysOf(externalId)).toEqual(["max-projects"])
      yield* expectProjection(suite, externalId, { subscriptionId: scene.subscriptionId, status: "active" })
      // The same delivery again, and the same state in another one.
      expect(yield* applyOne(state, trusting)).toMatchObject({ duplicate: true })
      expect(yield* applyOne(stateOf(scene, { at: 20, changedAt: 5, externalId }), trusting)).toMatchObject({
        notified: false
      })
      expect((yield* notificationsOf(externalId)).map(({ subscription }) => subscription.status)).toEqual(["active"])
    })
  )

  it.effect("an older state of its own says what is not listed, whatever order they arrive in", () =>
    Effect.gen(function* () {
      for (const places of orders([0, 1, 2])) {
        const { id: externalId } = nextUser()
        const scene = newGrant()
        const own = (type: string, at: number) =>
          subscriptionDelivery(scene, type, {
            at,
            externalId,
            patch: { checkout_id: scene.checkoutId, modified_at: timestamp(at - 0.1) }
          })
        const history = [own("active", 1), own("past_due", 2), stateOf(scene, { at: 10, changedAt: 5, externalId })]
        yield* applyEach(
          places.flatMap((place) => history[place] ?? []),
          trusting
        )
        expect(yield* subscriptionOf(scene), places.join()).toMatchObject({
          userId: externalId,
          value: {
            status: "active",
            amount: 4900,
            pastDueAt: null,
            checkoutId: scene.checkoutId,
            productName: "Pro (monthly)",
            recurringIntervalCount: 1
          }
        })
        // The change's own event says it all, and takes its place.
        expect(yield* applyOne(own("canceled", 5.02), trusting)).toMatchObject({ state: "applied" })
        expect((yield* subscriptionOf(scene)).value).toMatchObject({ cancelAtPeriodEnd: true, amount: 1900 })
        yield* allNotifications
      }
    })
  )

  it.effect("in one step, and in steps of their own, all orders end the same", () =>
    Effect.gen(function* () {
      const ends = new Set<string>()
      for (const together of [true, false]) {
        for (const places of orders([0, 1, 2, 3])) {
          const { id: externalId } = nextUser()
          const scene = newGrant()
          const history = [
            subscriptionDelivery(scene, "active", { at: 1, externalId, patch: { modified_at: timestamp(0.9) } }),
            stateOf(scene, { at: 10, changedAt: 5, externalId, subscription: { amount: 1 } }),
            stateOf(scene, {
              at: 20,
              changedAt: 15,
              externalId,
              subscription: { amount: 2, cancel_at_period_end: true }
            }),
            grantDelivery(scene, "revoked.member", { at: 7, externalId })
          ]
          const [first, ...rest] = places.flatMap((place) => history[place] ?? [])
          if (first === undefined) return
          if (together) {
            const store = yield* BillingStore
            yield* store.applyDeliveries([first, ...rest], defaultPolicy, trusting)
          } else yield* applyEach([first, ...rest], trusting)
          const { value } = yield* subscriptionOf(scene)
          const grant = yield* stored(benefitGrantKind, scene.grantId)
          ends.add(
            JSON.stringify([
              { ...value, id: "", customer: null, productId: "" },
              grant.value.isGranted,
              grant.value.memberId,
              grant.value.subscriptionId === scene.subscriptionId || grant.value.orderId === scene.orderId
            ])
          )
        }
      }
      expect([...ends]).toHaveLength(1)
      expect([...ends][0]).toContain('"amount":2')
      yield* allNotifications
    })
  )

  it.effect("a grant that is listed and stored as revoked is granted, unless it was revoked later", () =>
    Effect.gen(function* () {
      for (const [revokedAt, keys] of [
        [4, ["max-projects"]],
        // At the very time of the change, its own event says so.
        [5, []],
        [6, []]
      ] as const) {
        for (const stateFirst of [true, false]) {
          const { id: externalId } = nextUser()
          const scene = newGrant()
          const revoked = grantDelivery(scene, "revoked.member", {
            at: revokedAt,
            externalId,
            benefit: { metadata: { key: "max-projects" } }
          })
          const state = stateOf(scene, { at: 10, changedAt: 5, externalId })
          yield* applyEach(stateFirst ? [state, revoked] : [revoked, state], trusting)
          expect(yield* keysOf(externalId), `revoked at ${revokedAt}, state first: ${stateFirst}`).toEqual(keys)
          // What it hangs on, and whose of the team's it is, no state says.
          expect((yield* stored(benefitGrantKind, scene.grantId)).value).toMatchObject({
            memberId: "88de5447-69d7-4503-9c77-75c305f34bfb"
          })
        }
      }
      yield* allNotifications
    })
  )

  it.effect("what is not listed stays as it is: a state cannot list what is past due, or what is paused", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newGrant()
      yield* applyEach(
        [
          subscriptionDelivery(scene, "past_due", { at: 1, externalId }),
          grantDelivery(scene, "created.feature_flag", { at: 1, externalId })
        ],
        trusting
      )
      const before = yield* subscriptionOf(scene)
      yield* allNotifications
      yield* applyOne(emptyState(scene, 3600, externalId), trusting)
      expect(yield* subscriptionOf(scene)).toEqual(before)
      expect(yield* keysOf(externalId)).toHaveLength(1)
      expect(yield* notificationsOf(externalId)).toEqual([])
    })
  )

  it.effect("what the API gives of the same change takes its place, with all that is not listed", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const { id: externalId } = nextUser()
      const scene = newGrant()
      // Never changed since it was made: of all states it has the lowest precedence.
      const trial = {
        status: "trialing",
        modified_at: null,
        created_at: timestamp(5),
        current_period_end: "2027-01-05T00:00:00Z"
      }
      yield* applyOne(stateOf(scene, { at: 10, changedAt: 5, externalId, subscription: trial }), trusting)
      const own = subscriptionDelivery(scene, "created", {
        externalId,
        patch: { ...trial, checkout_id: scene.checkoutId }
      })
      expect(
        yield* store.applySnapshots([snapshotOf(own, 5, 30)], defaultPolicy, { dryRun: false, ...trusting })
      ).toMatchObject([{ finding: "outdated", notified: false }])
      expect((yield* subscriptionOf(scene)).value).toMatchObject({ status: "trialing", checkoutId: scene.checkoutId })
      yield* allNotifications
    })
  )

  it.effect("of another deployment's customer nothing is anybody's here", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newGrant()
      const state = stateOf(scene, { at: 10, changedAt: 5, externalId, email: "somebody.else@example.test" })
      expect(yield* apply(state)).toMatchObject([{ state: "unlinked", userId: null }])
      expect(yield* subscriptionOf(scene)).toMatchObject({ userId: null })
      expect(yield* subscriptionsOf(externalId)).toEqual([])
      expect(yield* keysOf(externalId)).toEqual([])
    })
  )

  it.effect("what another deployment sold to this app's customer waits, and its grants beside it", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const { id: externalId } = nextUser()
      const scene = newGrant()
      const metadata = { kavach_user_id: externalId, kavach_checkout: "recorded" }
      const state = stateOf(scene, { at: 10, changedAt: 5, externalId, email: null, subscription: { metadata } })
      expect(yield* apply(state)).toMatchObject([{ state: "applied", userId: externalId }])
      expect(yield* subscriptionsOf(externalId)).toEqual([])
      expect(yield* keysOf(externalId)).toEqual([])
      // It was this one after all: its own events say by which checkout, and what the grant hangs on.
      yield* store.recordCheckout(
        { id: CheckoutId.make(scene.checkoutId), userId: externalId, productId: ProductId.make(scene.productId) },
        defaultPolicy
      )
      yield* applyEach([
        subscriptionDelivery(scene, "active", {
          at: 1,
          externalId,
          patch: { metadata, checkout_id: scene.checkoutId }
        }),
        grantDelivery(scene, "created.feature_flag", { at: 1, externalId })
      ])
      expect(yield* subscriptionOf(scene)).toMatchObject({ userId: externalId, value: { amount: 4900 } })
      expect(yield* keysOf(externalId)).toHaveLength(1)
      yield* allNotifications
    })
  )

  it.effect("of a customer whom Polar has deleted nothing that is listed names anybody", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newGrant()
      const says = { metadata: { name: "Ada" }, custom_field_data: { name: "Ada" } }
      yield* applyEach(
        [
          customerDelivery(scene, "deleted", { at: 30, externalId }),
          stateOf(scene, { at: 10, changedAt: 5, externalId, subscription: says, grant: { properties: { of: "Ada" } } })
        ],
        trusting
      )
      const both = [yield* subscriptionOf(scene), yield* stored(benefitGrantKind, scene.grantId)]
      expect(JSON.stringify(both.map(({ value }) => value))).not.toContain("Ada")
      yield* allNotifications
    })
  )
}

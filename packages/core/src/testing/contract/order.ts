import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import type { Delivery } from "../../records/Delivery.ts"
import {
  allNotifications,
  apply,
  applyEach,
  applyOne,
  type ContractSuite,
  expectProjection,
  notificationsOf,
  recorded,
  subscriptionsOf
} from "../ContractSuite.ts"
import { newScene, type Scene, subscriptionDelivery, subscriptionIn } from "../polarDeliveries.ts"

/** Deliveries overtake each other; the event's own time decides, and never arrival. */
export const order = (suite: ContractSuite): void => {
  const { it, nextUser } = suite

  it.effect("an older event never wins", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newScene()
      const revoked = subscriptionDelivery(scene, "revoked", { externalId, at: 10 })
      const older = subscriptionDelivery(scene, "updated", { externalId, at: 9.999999 })
      const outcomes = yield* applyEach([revoked, older])
      expect(outcomes[1]).toMatchObject({ state: "stale", duplicate: false, notified: false, userId: externalId })
      expect(yield* subscriptionsOf(externalId)).toEqual([subscriptionIn(revoked)])
      expect(yield* subscriptionsOf(externalId, "live")).toEqual([])
      yield* expectProjection(suite, externalId, { subscriptionId: null, status: "canceled" })
      expect(yield* notificationsOf(externalId)).toHaveLength(1)
    })
  )

  it.effect("a microsecond makes an event newer", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newScene()
      const first = subscriptionDelivery(scene, "canceled", { externalId, at: 10.000001 })
      const second = subscriptionDelivery(scene, "uncanceled", { externalId, at: 10.000002 })
      const outcomes = yield* applyEach([second, first])
      expect(outcomes.map(({ state }) => state)).toEqual(["applied", "stale"])
      expect(yield* subscriptionsOf(externalId)).toEqual([subscriptionIn(second)])
    })
  )

  it.effect("a subscription is known by its own id, also when its customer is another one now", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newScene()
      const moved = { ...scene, customerId: newScene().customerId }
      const newer = subscriptionDelivery(moved, "revoked", { externalId, at: 5 })
      const older = subscriptionDelivery(scene, "created", { externalId, at: 1 })
      const newest = subscriptionDelivery(scene, "canceled", { externalId, at: 6 })
      const outcomes = yield* applyEach([newer, older])
      expect(outcomes.map(({ notified, state }) => [state, notified])).toEqual([
        ["applied", true],
        ["stale", false]
      ])
      expect(yield* subscriptionsOf(externalId)).toEqual([subscriptionIn(newer)])
      yield* applyOne(newest)
      expect(yield* subscriptionsOf(externalId)).toEqual([subscriptionIn(newest)])
    })
  )

  it.effect("the same state in another delivery is not applied again", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newScene()
      const once = subscriptionDelivery(scene, "updated", { externalId, at: 10 })
      const twice = subscriptionDelivery(scene, "updated", { externalId, at: 10 })
      const outcomes = yield* applyEach([once, twice])
      expect(outcomes.map(({ duplicate, notified, state }) => [state, duplicate, notified])).toEqual([
        ["applied", false, true],
        ["stale", false, false]
      ])
      expect(yield* notificationsOf(externalId)).toHaveLength(1)
    })
  )

  const pairs: ReadonlyArray<readonly [name: string, loser: Variant, winner: Variant]> = [
    [
      "what has ended wins",
      { status: "active", modified_at: "2026-12-01T00:00:05Z" },
      { status: "canceled", ended_at: "2026-12-01T00:00:00Z", modified_at: "2026-12-01T00:00:01Z" }
    ],
    [
      "then the later modification",
      { status: "past_due", modified_at: "2026-12-01T00:00:01.001Z" },
      { status: "active", modified_at: "2026-12-01T00:00:01.002Z" }
    ],
    ["then the more restrictive status", { status: "active" }, { status: "past_due" }],
    ["then the scheduled end", { cancel_at_period_end: false }, { cancel_at_period_end: true }]
  ]
  for (const [name, loser, winner] of pairs) {
    for (const winnerFirst of [true, false]) {
      it.effect(`at the same microsecond: ${name}, arriving ${winnerFirst ? "first" : "last"}`, () =>
        Effect.gen(function* () {
          const { id: externalId } = nextUser()
          const scene = newScene()
          const delivery = (variant: Variant) => variantDelivery(scene, externalId, 10, variant)
          const [lost, won] = [delivery(loser), delivery(winner)]
          const outcomes = yield* applyEach(winnerFirst ? [won, lost] : [lost, won])
          expect(outcomes.map(({ state }) => state)).toEqual(["applied", winnerFirst ? "stale" : "applied"])
          expect(yield* subscriptionsOf(externalId)).toEqual([subscriptionIn(won)])
        })
      )
    }
  }

  const variants: FastCheck.Arbitrary<Variant & { readonly at: number }> = FastCheck.record({
    at: FastCheck.integer({ min: 0, max: 3 }),
    status: FastCheck.constantFrom("active", "past_due", "canceled", "trialing", "somethingNew"),
    cancel_at_period_end: FastCheck.boolean(),
    modified_at: FastCheck.constantFrom(null, "2026-12-01T00:00:01Z", "2026-12-01T00:00:02Z")
  })
  const shuffled = FastCheck.array(variants, { minLength: 1, maxLength: 8 }).chain((history) =>
    FastCheck.tuple(
      FastCheck.constant(history),
      FastCheck.shuffledSubarray([...history.keys(), ...history.keys()], { minLength: history.length * 2 })
    )
  )
  it.effect.prop(
    "any history, shuffled and with repetitions, ends in the same state as in order",
    [shuffled],
    ([[history, arrivals]]) =>
      Effect.gen(function* () {
        const inOrder = nextUser()
        const outOfOrder = nextUser()
        const play = (scene: Scene, externalId: string) =>
          history.map(({ at, ...variant }) => variantDelivery(scene, externalId, at, variant))
        const [sceneInOrder, sceneOutOfOrder] = [newScene({ productId: "p" }), newScene({ productId: "p" })]
        const byTime = play(sceneInOrder, inOrder.id)
        const sorted = [...byTime].sort((a, b) => timeOf(a) - timeOf(b))
        const deliveries = play(sceneOutOfOrder, outOfOrder.id)
        yield* applyEach(sorted)
        yield* applyEach(arrivals.flatMap((index) => deliveries[index] ?? []))
        const [expected] = yield* subscriptionsOf(inOrder.id)
        const [actual] = yield* subscriptionsOf(outOfOrder.id)
        const state = (subscription: typeof expected) =>
          subscription && [subscription.status, subscription.cancelAtPeriodEnd, subscription.modifiedAt?.getTime()]
        expect(state(actual)).toEqual(state(expected))
      }),
    { fastCheck: { numRuns: 25 } }
  )

  it.effect("many deliveries in one step do what they do one by one", () =>
    Effect.gen(function* () {
      const oneByOne = nextUser()
      const together = nextUser()
      const script = (externalId: string) => {
        const { customerId } = newScene()
        const [a, b, unreadableId] = [newScene({ customerId }), newScene({ customerId }), `msg_${customerId}`]
        const pastDue = subscriptionDelivery(a, "past_due", { at: 4, externalId })
        const deliveries: [Delivery, ...Array<Delivery>] = [
          subscriptionDelivery(a, "created", { at: 1, externalId: null }),
          subscriptionDelivery(b, "created", { at: 2, externalId: null }),
          pastDue,
          subscriptionDelivery(a, "updated", { at: 3, externalId }),
          pastDue,
          subscriptionDelivery(b, "revoked", { at: 5, externalId }),
          subscriptionDelivery(a, "resumed", { at: 6, externalId, id: unreadableId })
        ]
        return deliveries
      }
      const first = script(oneByOne.id)
      const second = script(together.id)
      const outcomesOneByOne = yield* applyEach(first)
      const outcomesTogether = yield* apply(...second)
      const outcome = ({ duplicate, notified, state, userId }: (typeof outcomesTogether)[number]) => [
        state,
        duplicate,
        notified,
        userId === null ? null : "the user"
      ]
      expect(outcomesTogether.map(outcome)).toEqual(outcomesOneByOne.map(outcome))

      const inbox = (deliveries: ReadonlyArray<Delivery>) =>
        Effect.map(recorded(deliveries.map(({ id }) => id)), (rows) =>
          deliveries.map(({ id }) => {
            const row = rows.find((recordedDelivery) => recordedDelivery.id === id)
            return [row?.type, row?.state, row?.attempts, row?.lastError, row?.userId === null]
          })
        )
      expect(yield* inbox(second)).toEqual(yield* inbox(first))

      const state = (userId: typeof oneByOne.id) =>
        Effect.map(subscriptionsOf(userId), (subscriptions) =>
          subscriptions.map(({ endedAt, status }) => [status, endedAt]).sort()
        )
      expect(yield* state(together.id)).toEqual(yield* state(oneByOne.id))
      const queued = yield* allNotifications
      const told = (userId: typeof oneByOne.id) =>
        queued.filter((one) => one.userId === userId).map(({ subscription }) => subscription.status)
      expect(told(together.id).sort()).toEqual(told(oneByOne.id).sort())
      yield* expectProjection(suite, together.id, { status: "active", subscriptionId: subscriptionId(second[0]) })
      yield* expectProjection(suite, oneByOne.id, { status: "active", subscriptionId: subscriptionId(first[0]) })
    })
  )

  it.effect("a copy of a delivery in the step that finds its user is a duplicate of an applied one", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newScene()
      const unlinked = subscriptionDelivery(scene, "created", { at: 1 })
      const linking = subscriptionDelivery(scene, "canceled", { at: 2, externalId })
      const outcomes = yield* apply(unlinked, linking, unlinked)
      expect(outcomes.map(({ duplicate, state }) => [state, duplicate])).toEqual([
        ["unlinked", false],
        ["applied", false],
        ["applied", true]
      ])
      expect(yield* recorded([unlinked.id])).toMatchObject([{ state: "applied", attempts: 1, userId: externalId }])
    })
  )

  it.effect("so it is when the first copy came in an earlier step", () =>
    Effect.gen(function* () {
      const { id: externalId } = nextUser()
      const scene = newScene()
      const unlinked = subscriptionDelivery(scene, "created", { at: 1 })
      yield* applyOne(unlinked)
      const outcomes = yield* apply(subscriptionDelivery(scene, "canceled", { at: 2, externalId }), unlinked)
      expect(outcomes.map(({ duplicate, state, userId }) => [state, duplicate, userId])).toEqual([
        ["applied", false, externalId],
        ["applied", true, externalId]
      ])
      expect(yield* recorded([unlinked.id])).toMatchObject([{ state: "applied", attempts: 1, userId: externalId }])
    })
  )

  it.effect("a hundred deliveries in one step", () =>
    Effect.gen(function* () {
      const users = Array.from({ length: 10 }, nextUser)
      const scenes = users.map(() => newScene())
      const deliveries = Array.from({ length: 10 }, (_, at) => at).flatMap((at) =>
        users.flatMap(({ id: externalId }, index) => {
          const scene = scenes[index]
          return scene === undefined
            ? []
            : [subscriptionDelivery(scene, at % 2 ? "canceled" : "uncanceled", { externalId, at })]
        })
      )
      const [first, ...rest] = deliveries
      if (first === undefined) return
      const outcomes = yield* apply(first, ...rest)
      expect(outcomes.map(({ id, state }) => [id, state])).toEqual(deliveries.map(({ id }) => [id, "applied"]))
      for (const { id } of users) {
        expect((yield* subscriptionsOf(id)).map(({ cancelAtPeriodEnd }) => cancelAtPeriodEnd)).toEqual([true])
      }
      expect((yield* applyOne(first)).duplicate).toBe(true)
    })
  )
}

interface Variant {
  readonly status?: string
  readonly ended_at?: string
  readonly modified_at?: string | null
  readonly cancel_at_period_end?: boolean
}

const variantDelivery = (scene: Scene, externalId: string, at: number, variant: Variant): Delivery =>
  subscriptionDelivery(scene, "updated", {
    externalId,
    at,
    fixture: "subscription.created",
    patch: { ended_at: null, modified_at: "2026-12-01T00:00:00Z", ...variant }
  })

const timeOf = ({ content }: Delivery): number => content.at ?? 0

const subscriptionId = (delivery: Delivery): string => subscriptionIn(delivery).id

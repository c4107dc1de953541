/**
 * Whoever made the checkout that was paid has what was paid for, and nobody else has: whatever e-mail address was typed at
 * Polar, whichever customer Polar then gave the purchase to, and in whatever order, how often and together with what its
 * events arrive, before the checkout is recorded or after. A failure prints its seed and its shortest history.
 */
import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Billing from "../../Billing.ts"
import * as PolarClient from "../../polar/PolarClient.ts"
import type { Delivery } from "../../records/Delivery.ts"
import { CheckoutId, ProductId, type User, type UserId } from "../../records/Subscription.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { layerElsewhere } from "../../useCases/NotificationDispatcher.ts"
import * as WebhookVerifier from "../../WebhookVerifier.ts"
import { type ContractSuite, strangerId } from "../ContractSuite.ts"
import {
  customerDelivery,
  type GrantScene,
  grantDelivery,
  newGrant,
  orderDelivery,
  refundDelivery,
  subscriptionDelivery
} from "../polarDeliveries.ts"

/** Two with a row in the app's table, and one without. */
const userCount = 3
const customerCount = 2

const user = FastCheck.nat(userCount - 1)

/** Whom Polar knows: by an address, and perhaps by the id that some deployment gave. */
const customer = FastCheck.oneof(
  // As the app makes customers: of one of its users, under that user's address.
  FastCheck.nat(1).map((one) => ({ addressOf: one, externalId: one })),
  FastCheck.record({
    /** Whose address it is; `null`: nobody's whom the app knows. */
    addressOf: FastCheck.option(user),
    /** `sibling`: a user whom only another deployment in the organization has. */
    externalId: FastCheck.option(FastCheck.oneof(user, FastCheck.constant("sibling" as const)))
  })
)

const purchase = FastCheck.record({
  buyer: user,
  /** To whom Polar gives it, by the address that the buyer types: anybody's. */
  customer: FastCheck.nat(customerCount - 1),
  what: FastCheck.constantFrom("subscription" as const, "once" as const),
  refund: FastCheck.constantFrom("none" as const, "none" as const, "partial" as const, "full" as const),
  /** Whether the checkout's metadata says whose it is; earlier versions' does not, and a merchant may have taken it out. */
  isMarked: FastCheck.boolean(),
  /** Otherwise by another deployment, which gave its own user the same id, and marks its checkouts. */
  isMadeHere: FastCheck.oneof(
    { arbitrary: FastCheck.constant(true), weight: 4 },
    { arbitrary: FastCheck.constant(false), weight: 1 }
  )
})

const history = FastCheck.record({
  customers: FastCheck.array(customer, { minLength: customerCount, maxLength: customerCount }),
  purchases: FastCheck.array(purchase, { minLength: 1, maxLength: 2 }),
  /** Where each thing that happens arrives, once and perhaps a second time; of those after the last, by turns. */
  places: FastCheck.array(FastCheck.nat(1000), { minLength: 8, maxLength: 60 }),
  doubled: FastCheck.array(FastCheck.boolean(), { minLength: 5, maxLength: 17 }),
  /** How many deliveries share a step, by turns. */
  together: FastCheck.array(FastCheck.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 })
})

type History = typeof history extends FastCheck.Arbitrary<infer A> ? A : never
type Given = History["purchases"][number]

interface Bought extends Given {
  readonly scene: GrantScene
}

/** What arrives: a delivery, or the app's own record of a checkout. */
type Arrival = { readonly delivery: Delivery } | { readonly checkout: { readonly of: Bought; readonly buyer: UserId } }

const turn = <A>(all: ReadonlyArray<A>, index: number, otherwise: A): A => all[index % all.length] ?? otherwise

const runs = 30

/** On a machine that is busy, fewer of them. */
const longestMillis = 8000

/** A counterexample is made smaller in many tries, and each takes two of the users, who are not endless. */
const mostTried = 120

export const whoPaid = ({ it, nextUser }: ContractSuite): void => {
  const billingOnStore = Billing.layer().pipe(
    Layer.provide(Layer.mergeAll(layerElsewhere, PolarClient.layerMemory, WebhookVerifier.layerMemory))
  )

  const live = (given: History) =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const billing = yield* Billing.Billing
      const rows: ReadonlyArray<User> = [nextUser(), nextUser()]
      const users: ReadonlyArray<UserId> = [...rows.map(({ id }) => id), strangerId()]
      const userAt = (index: number) => turn(users, index, strangerId())
      const sibling = strangerId()
      const customers = given.customers.map(({ addressOf, externalId }) => ({
        id: randomUUID(),
        externalId: externalId === null ? null : externalId === "sibling" ? sibling : userAt(externalId),
        email:
          Option.getOrNull(
            Option.flatMap(Option.fromNullable(addressOf), (index) => rows[index]?.email ?? Option.none())
          ) ?? `${randomUUID()}@elsewhere.test`
      }))
      const purchases: ReadonlyArray<Bought> = given.purchases.map((one) => ({
        ...one,
        scene: newGrant({ customerId: customers[one.customer]?.id ?? "" })
      }))

      const customerOf = (one: Bought) => {
        const { email = null, externalId = null } = customers[one.customer] ?? {}
        return { email, externalId }
      }
      const arrivals: ReadonlyArray<Arrival> = [
        ...customers.flatMap(({ email, externalId, id }) =>
          (["created", "updated"] as const).map((type, at) => ({
            delivery: customerDelivery({ customerId: id, subscriptionId: "", productId: "" }, type, {
              at,
              email,
              externalId
            })
          }))
        ),
        ...purchases.flatMap((one) => [
          ...(one.isMadeHere ? [{ checkout: { of: one, buyer: userAt(one.buyer) } }] : []),
          ...eventsOf(one, userAt(one.buyer), customerOf(one)).map((delivery) => ({ delivery }))
        ])
      ]

      for (const step of stepsOf(arrivals, given)) {
        const checkouts = step.flatMap((arrival) => ("checkout" in arrival ? [arrival.checkout] : []))
        const [first, ...rest] = step.flatMap((arrival) => ("delivery" in arrival ? [arrival.delivery] : []))
        if (first !== undefined) yield* store.applyDeliveries([first, ...rest], defaultPolicy)
        for (const { buyer, of } of checkouts) {
          yield* store.recordCheckout(
            { id: CheckoutId.make(of.scene.checkoutId), userId: buyer, productId: ProductId.make(of.scene.productId) },
            defaultPolicy
          )
        }
      }

      const check = Effect.fnUntraced(function* (userId: UserId) {
        const theirs = purchases.filter(({ buyer, isMadeHere }) => isMadeHere && userAt(buyer) === userId)
        for (const one of purchases) {
          const has = theirs.includes(one)
          const { benefitId, productId } = one.scene
          const { entitlement } = yield* billing.access(userId, { product: productId })
          expect(entitlement, "access").toBe(has && one.what === "subscription" ? "granted" : "denied")
          expect(yield* billing.orders.owns(userId, productId), "orders.owns").toBe(
            has && one.what === "once" && one.refund !== "full"
          )
          expect(yield* billing.benefits.has(userId, benefitId), "benefits.has").toBe(has)
        }
        const own = theirs.flatMap(({ scene, what }) => (what === "subscription" ? [scene.subscriptionId] : []))
        const current = Option.map(yield* billing.getSubscription(userId), ({ id }) => id)
        expect(Option.isSome(current), "getSubscription").toBe(own.length > 0)
        if (Option.isSome(current)) expect(own).toContain(current.value)
      })
      yield* Effect.forEach([...users, sibling], check, { concurrency: "unbounded", discard: true })
    })

  it.effect(
    "whoever made the checkout has what was paid for, and nobody else, in whatever order it becomes known",
    () =>
      Effect.gen(function* () {
        const runtime = yield* Effect.runtime<BillingStore | Billing.Billing>()
        let tried = 0
        const once = (given: History) =>
          tried++ < mostTried ? Runtime.runPromise(runtime)(live(given)) : Promise.resolve()
        yield* Effect.promise(() =>
          FastCheck.assert(FastCheck.asyncProperty(history, once), {
            numRuns: runs,
            interruptAfterTimeLimit: longestMillis,
            endOnFailure: false,
            timeout: 30_000
          })
        )
      }).pipe(Effect.provide(billingOnStore)),
    { timeout: 120_000 }
  )
}

/** Each thing at its place, the same thing perhaps at another place too, and some of them together. */
const stepsOf = (
  arrivals: ReadonlyArray<Arrival>,
  { doubled, places, together }: History
): ReadonlyArray<ReadonlyArray<Arrival>> => {
  const placed = arrivals.flatMap((arrival, index) => [
    { arrival, place: turn(places, index, 0) },
    ...(turn(doubled, index, false) ? [{ arrival, place: turn(places, index * 7 + 3, 0) }] : [])
  ])
  const inOrder = placed.sort((a, b) => a.place - b.place).map(({ arrival }) => arrival)
  const steps: Array<ReadonlyArray<Arrival>> = []
  for (let at = 0; at < inOrder.length; ) {
    const size = turn(together, steps.length, 1)
    steps.push(inOrder.slice(at, at + size))
    at += size
  }
  return steps
}

/** All that Polar says of a purchase, in Polar's order. The checkout's metadata is on all of it but grants and refunds. */
const eventsOf = (
  { isMadeHere, isMarked, refund, scene, what }: Bought,
  buyer: UserId,
  customer: { readonly email: string | null; readonly externalId: string | null }
): ReadonlyArray<Delivery> => {
  const metadata = isMarked || !isMadeHere ? { kavach_user_id: buyer, kavach_checkout: "recorded" } : {}
  const bought = (at: number, patch: Readonly<Record<string, unknown>> = {}) => ({
    ...customer,
    at,
    patch: { metadata, ...patch }
  })
  const granted = {
    externalId: customer.externalId,
    patch: { is_granted: true, is_revoked: false },
    at: 6
  }
  if (what === "once") {
    return [
      orderDelivery(scene, "created.purchase", bought(2)),
      orderDelivery(scene, "paid.purchase", bought(3)),
      grantDelivery(scene, "created.license_keys.order", granted),
      ...(refund === "none"
        ? []
        : [
            refundDelivery(scene, "created.full.revoke_benefits", { at: 7 }),
            orderDelivery(
              scene,
              "refunded.purchase",
              bought(8, { status: refund === "full" ? "refunded" : "partially_refunded" })
            )
          ])
    ]
  }
  const renewal = { ...scene, orderId: randomUUID() }
  const checkout = { checkout_id: scene.checkoutId }
  return [
    ...(["created", "active", "updated"] as const).map((type, at) =>
      subscriptionDelivery(scene, type, bought(at + 2, checkout))
    ),
    orderDelivery(scene, "created.subscription_create", bought(2)),
    orderDelivery(scene, "paid", bought(3)),
    grantDelivery(scene, "created.feature_flag", granted),
    // Of no checkout: it hangs on the subscription.
    orderDelivery(renewal, "paid.subscription_cycle", bought(7)),
    ...(refund === "none"
      ? []
      : [refundDelivery(scene, "created.partial", { at: 8 }), orderDelivery(scene, "refunded", bought(9))])
  ]
}

/**
 * What another deployment in the organization sold is nobody's here, and no more is what hangs on it and bears no mark of its
 * own: grants, refunds, renewals, seats. In any order of arrival, each in a step of its own or all in one.
 */
import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { benefitGrantKind } from "../../records/BenefitGrant.ts"
import { customerSeatKind } from "../../records/CustomerSeat.ts"
import type { Delivery } from "../../records/Delivery.ts"
import type { Kind } from "../../records/Kind.ts"
import { orderKind } from "../../records/Order.ts"
import { refundKind } from "../../records/Refund.ts"
import { CheckoutId, CustomerId, ProductId, type UserId } from "../../records/Subscription.ts"
import { subscriptionKind } from "../../records/subscriptionKind.ts"
import { defaultPolicy } from "../../rules/AccessPolicy.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import type { StoreError } from "../../store/StoreError.ts"
import { apply, applyEach, type ContractSuite, customerOf } from "../ContractSuite.ts"
import {
  customerDelivery,
  fixtureDelivery,
  type GrantScene,
  grantDelivery,
  newGrant,
  orderDelivery,
  refundDelivery,
  subscriptionDelivery
} from "../polarDeliveries.ts"

/** As a deployment writes it into the checkouts of which it keeps a record. */
const marked = { metadata: { kavach_checkout: "recorded" } }
/** An order's refund need not say of which subscription. */
const ofOrderAlone = { patch: { subscription_id: null } }

interface Sale {
  readonly scene: GrantScene
  readonly deliveries: ReadonlyArray<Delivery>
  readonly records: ReadonlyArray<readonly [kind: Kind<unknown>, id: string]>
}

const sales: ReadonlyArray<readonly [string, () => Sale]> = [
  [
    "a subscription",
    () => {
      const scene = newGrant()
      const renewal = { ...scene, orderId: randomUUID(), refundId: randomUUID() }
      const seatId = randomUUID()
      return {
        scene,
        deliveries: [
          subscriptionDelivery(scene, "created", { at: 1, patch: { checkout_id: scene.checkoutId, ...marked } }),
          orderDelivery(scene, "paid", { at: 2, patch: marked }),
          refundDelivery(scene, "created.partial", { at: 3 }),
          grantDelivery(scene, "created.feature_flag", { at: 4, patch: { is_granted: true, is_revoked: false } }),
          fixtureDelivery("customer_seat.claimed", seatId, scene, { at: 5 }),
          orderDelivery(renewal, "paid.subscription_cycle", { at: 6 }),
          refundDelivery(renewal, "created.partial", { at: 7, ...ofOrderAlone })
        ],
        records: [
          [subscriptionKind, scene.subscriptionId],
          [orderKind, scene.orderId],
          [refundKind, scene.refundId],
          [benefitGrantKind, scene.grantId],
          [customerSeatKind, seatId],
          [orderKind, renewal.orderId],
          [refundKind, renewal.refundId]
        ]
      }
    }
  ],
  [
    "a product for once",
    () => {
      const scene = newGrant()
      const seatId = randomUUID()
      return {
        scene,
        deliveries: [
          orderDelivery(scene, "paid.purchase", { at: 2, patch: marked }),
          refundDelivery(scene, "created.partial", { at: 3, ...ofOrderAlone }),
          grantDelivery(scene, "created.license_keys.order", { at: 4, patch: { is_granted: true, is_revoked: false } }),
          fixtureDelivery("customer_seat.claimed.order", seatId, scene, { at: 5 })
        ],
        records: [
          [orderKind, scene.orderId],
          [refundKind, scene.refundId],
          [benefitGrantKind, scene.grantId],
          [customerSeatKind, seatId]
        ]
      }
    }
  ]
]

/** Begun at each place, forwards and backwards: whatever can come before another does so once. */
const orders = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  [all, [...all].reverse()].flatMap((some) => some.map((_, place) => [...some.slice(place), ...some.slice(0, place)]))

export const soldElsewhere = ({ it, nextUser }: ContractSuite): void => {
  const linkCustomer = (customerId: string, userId: UserId) =>
    Effect.flatMap(BillingStore, (store) =>
      store.linkCustomer({ customerId: CustomerId.make(customerId), userId, linkedBy: "host" }, defaultPolicy)
    )
  const recordCheckout = ({ checkoutId, productId }: GrantScene, userId: UserId) =>
    Effect.flatMap(BillingStore, (store) =>
      store.recordCheckout(
        { id: CheckoutId.make(checkoutId), userId, productId: ProductId.make(productId) },
        defaultPolicy
      )
    )
  const ownersOf = ({ records }: Pick<Sale, "records">) =>
    Effect.flatMap(BillingStore, (store) =>
      Effect.forEach(records, ([kind, id]) =>
        Effect.map(store.record(kind, id), (found) => [kind.name, Option.getOrThrow(found).userId])
      )
    )
  const allOf = ({ records }: Pick<Sale, "records">, userId: UserId | null) =>
    records.map(([kind]) => [kind.name, userId])
  const together = (deliveries: ReadonlyArray<Delivery>): Effect.Effect<unknown, StoreError, BillingStore> => {
    const [first, ...rest] = deliveries
    return first === undefined ? Effect.void : apply(first, ...rest)
  }

  for (const [what, newSale] of sales) {
    for (const [how, arrive] of [["one by one", applyEach] as const, ["together", together] as const]) {
      it.effect(`${what}, and all that hangs on it: not the user's whom the customer names, ${how}`, () =>
        Effect.gen(function* () {
          const count = newSale().deliveries.length + 1
          for (let order = 0; order < 2 * count; order++) {
            const [named, buyer] = [nextUser(), nextUser()]
            const sale = newSale()
            const { scene } = sale
            const known = customerDelivery(scene, "updated", { externalId: named.id, at: 0 })
            yield* arrive(orders([known, ...sale.deliveries])[order] ?? [])
            expect(yield* customerOf(named.id)).toBe(scene.customerId)
            expect(yield* ownersOf(sale), `order ${order}`).toEqual(allOf(sale, null))
            const store = yield* BillingStore
            expect(yield* store.liveGrantsOf(named.id)).toEqual([])
            // It was made here after all: its record came last.
            yield* recordCheckout(scene, buyer.id)
            expect(yield* ownersOf(sale), `order ${order}`).toEqual(allOf(sale, buyer.id))
          }
        })
      )
    }

    it.effect(`${what}, and all that hangs on it: the user's to whom the app has linked the customer`, () =>
      Effect.gen(function* () {
        const count = newSale().deliveries.length + 1
        for (let order = 0; order < 2 * count; order++) {
          const { id } = nextUser()
          const sale = newSale()
          const arrivals = [
            Effect.asVoid(linkCustomer(sale.scene.customerId, id)),
            ...sale.deliveries.map((delivery) => Effect.asVoid(apply(delivery)))
          ]
          yield* Effect.all(orders(arrivals)[order] ?? [], { discard: true })
          expect(yield* ownersOf(sale), `order ${order}`).toEqual(allOf(sale, id))
        }
      })
    )
  }

  it.effect("what another customer has of it waits with it, whosever that customer is", () =>
    Effect.gen(function* () {
      for (let order = 0; order < 6; order++) {
        const [holder, payer] = [nextUser(), nextUser()]
        const scene = newGrant()
        const ofHolder = { ...scene, customerId: randomUUID() }
        const grant = { records: [[benefitGrantKind, scene.grantId]] as const }
        const sold = subscriptionDelivery(scene, "created", { patch: { checkout_id: scene.checkoutId, ...marked } })
        const granted = grantDelivery(ofHolder, "created.feature_flag", {
          patch: { is_granted: true, is_revoked: false }
        })
        const arrivals = [
          Effect.asVoid(linkCustomer(ofHolder.customerId, holder.id)),
          Effect.asVoid(apply(sold)),
          Effect.asVoid(apply(granted))
        ]
        yield* Effect.all(orders(arrivals)[order] ?? [], { discard: true })
        expect(yield* ownersOf(grant), `order ${order}`).toEqual(allOf(grant, null))
        yield* linkCustomer(scene.customerId, payer.id)
        expect(yield* ownersOf(grant), `order ${order}`).toEqual(allOf(grant, payer.id))
      }
    })
  )
}

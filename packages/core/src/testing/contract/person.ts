/** Somebody of whom Polar sends everything that it sends of anybody, and all that the store holds of them. */
import { randomUUID } from "node:crypto"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { tables } from "../../adapter/tables.ts"
import { benefitGrantKind } from "../../records/BenefitGrant.ts"
import type { Delivery } from "../../records/Delivery.ts"
import { orderKind } from "../../records/Order.ts"
import { refundKind } from "../../records/Refund.ts"
import { subscriptionKind } from "../../records/subscriptionKind.ts"
import { BillingStore } from "../../store/BillingStore.ts"
import { type ContractSuite, recorded } from "../ContractSuite.ts"
import {
  asReceived,
  customerDelivery,
  fixtureDelivery,
  type GrantScene,
  grantDelivery,
  orderDelivery,
  refundDelivery,
  subscriptionDelivery,
  withoutType
} from "../polarDeliveries.ts"
import { StoreDatabase } from "../StoreDatabase.ts"

/** Somebody whose every text is one that nobody else has. */
export const newPerson = () => {
  const name = `Person-${randomUUID()}`
  const says = { name, [name]: "as a key", nested: { deep: [name] } }
  const customer = (customerId: string, externalId: string | null) => ({
    id: customerId,
    external_id: externalId,
    email: `${name}@acme-mail.dev`,
    name,
    billing_name: name,
    metadata: says
  })
  return { name, says, customer }
}
export type Person = ReturnType<typeof newPerson>

/** All that Polar sends of what somebody has, and what cannot be read or is not known yet. */
export const everythingOf = (scene: GrantScene, person: Person, externalId: string | null, at: number) => {
  const customer = person.customer(scene.customerId, externalId)
  const said = { metadata: person.says, custom_field_data: person.says, customer }
  const patch = { ...said, customer_cancellation_comment: person.name }
  const member = { customer_id: scene.customerId, email: `${person.name}@acme-mail.dev`, name: person.name }
  const later = subscriptionDelivery(scene, "migrated", { fixture: "subscription.active", at, externalId, patch })
  const unread = subscriptionDelivery(scene, "updated", { at, externalId, patch: { ...patch, status: 7 } })
  const sent: ReadonlyArray<Delivery> = [
    asReceived(subscriptionDelivery(scene, "active", { at, externalId, patch })),
    asReceived(orderDelivery(scene, "paid.purchase", { at, externalId, patch: said })),
    asReceived(
      refundDelivery(scene, "created.partial", { at, patch: { metadata: person.says, comment: person.name } })
    ),
    asReceived(
      grantDelivery(scene, "created.discord.action_required", {
        at,
        externalId,
        patch: { properties: person.says, customer }
      })
    ),
    asReceived(customerDelivery(scene, "updated", { at, externalId, patch: customer })),
    asReceived(customerDelivery(scene, "state_changed", { at, externalId, patch: customer })),
    asReceived(fixtureDelivery("member.created", randomUUID(), scene, { at, patch: member })),
    asReceived(
      fixtureDelivery("customer_seat.claimed", randomUUID(), scene, {
        at,
        externalId,
        patch: { email: member.email, member: { ...member, id: randomUUID() }, seat_metadata: person.says }
      })
    ),
    asReceived(
      fixtureDelivery("checkout.updated.confirmed", randomUUID(), scene, {
        at,
        externalId,
        patch: {
          ...said,
          customer_id: scene.customerId,
          customer_email: member.email,
          customer_name: person.name,
          customer_metadata: person.says
        }
      })
    ),
    asReceived(later, withoutType("subscription.migrated")),
    asReceived(unread)
  ]
  return sent
}

/** Every text that the store holds of these, as it stands in the tables where there are some. */
export const storedOf = (suite: ContractSuite, scene: GrantScene, ids: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const database = yield* StoreDatabase
    if (suite.hasDatabase) {
      const names = [...tables.map(({ name }) => name), "kavach_users"]
      return JSON.stringify(yield* Effect.forEach(names, database.rows), (_, value) =>
        typeof value === "bigint" ? String(value) : value
      )
    }
    const store = yield* BillingStore
    return JSON.stringify([
      yield* store.record(subscriptionKind, scene.subscriptionId),
      yield* store.record(orderKind, scene.orderId),
      yield* store.record(refundKind, scene.refundId),
      yield* store.record(benefitGrantKind, scene.grantId),
      yield* recorded(ids),
      yield* store.deadNotifications()
    ])
  })

export const idsOf = (deliveries: ReadonlyArray<Delivery>) => deliveries.map(({ id }) => id)

export const bodiesOf = (deliveries: ReadonlyArray<Delivery>) =>
  Effect.map(recorded(idsOf(deliveries)), (rows) => rows.filter(({ body }) => body !== null).map(({ id }) => id))

/** The app's code fails at what it is told of the subscription, and says whose it is. */
export const failToTell = (subscriptionId: string, error: string) =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    const owner = randomUUID()
    for (;;) {
      const { claimed } = yield* store.claimNotifications({ owner, limit: 100, lease: Duration.minutes(1) })
      if (claimed.length === 0) return
      for (const notification of claimed) {
        if (JSON.stringify(notification).includes(subscriptionId))
          yield* store.giveUpNotification(notification.id, owner, error)
        else yield* store.completeNotifications([notification.id], owner)
      }
    }
  })

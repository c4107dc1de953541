/** Polar's types of events, all of which carry what this version keeps. */
import type { Kind } from "./Kind.ts"
import { kindOfEvent } from "./kinds.ts"

/** What a version of this program knows of Polar's types of events. */
export interface EventTypes {
  /** The kind of record that its `data` is; `undefined` of a type that it does not know. */
  readonly kindOf: (type: string) => Kind<unknown> | undefined
}

/** Polar docs: webhooks/events; Polar's SDK 1.0. */
export const polarEventTypes = [
  "benefit.created",
  "benefit.updated",
  "benefit_grant.created",
  "benefit_grant.cycled",
  "benefit_grant.revoked",
  "benefit_grant.updated",
  "checkout.created",
  "checkout.expired",
  "checkout.updated",
  "customer.created",
  "customer.deleted",
  "customer.state_changed",
  "customer.updated",
  "customer_seat.assigned",
  "customer_seat.claimed",
  "customer_seat.revoked",
  "discount.created",
  "discount.deleted",
  "discount.updated",
  "member.created",
  "member.deleted",
  "member.updated",
  "order.created",
  "order.paid",
  "order.refunded",
  "order.updated",
  "organization.updated",
  "product.created",
  "product.updated",
  "refund.created",
  "refund.updated",
  "subscription.active",
  "subscription.canceled",
  "subscription.created",
  "subscription.cycled",
  "subscription.migrated",
  "subscription.past_due",
  "subscription.paused",
  "subscription.resumed",
  "subscription.revoked",
  "subscription.uncanceled",
  "subscription.updated"
] as const

export type PolarEventType = (typeof polarEventTypes)[number]

/** What this version knows. */
export const eventTypes: EventTypes = { kindOf: kindOfEvent }

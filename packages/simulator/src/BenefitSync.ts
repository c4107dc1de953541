/** Who is to have which benefits, by their subscriptions and orders. Polar's workers bring it about after the transaction. */
import { day, plus } from "./Calendar.ts"
import * as Grants from "./Grants.ts"
import type { Benefit, Grant, Order, Product, Subscription } from "./Records.ts"
import type { Step } from "./Step.ts"

const benefitsOf = (step: Step, { benefit_ids }: Product): ReadonlyArray<Benefit> =>
  benefit_ids.map((id) => step.get("benefits", id)).filter(({ is_deleted }) => !is_deleted)

/** Whether it gives what its product gives; while it is past due, only for as long as the organization is patient. */
const gives = (step: Step, { past_due_at, status }: Subscription): boolean => {
  if (status === "active" || status === "trialing") return true
  const { benefitGraceDays } = step.world.organization
  return status === "past_due" && past_due_at !== null && step.now() < plus(past_due_at, benefitGraceDays * day)
}

/** Gives all of these, and takes back what is none of them. */
const bringAbout = (step: Step, scope: Grants.Scope, benefits: ReadonlyArray<Benefit>): void => {
  const kept = new Set(benefits.map(({ id }) => id))
  for (const grant of Grants.of(step, scope)) if (!kept.has(grant.benefit_id)) Grants.revoke(step, grant)
  for (const benefit of benefits) Grants.give(step, scope, benefit)
}

/** The subscription has changed. One that gives nothing any more takes back what is granted: what waits goes on waiting. */
export const afterSubscription = (step: Step, id: string): void =>
  step.later(`subscription ${id}`, (step) => {
    const subscription = step.get("subscriptions", id)
    const scope = Grants.bySubscription(subscription)
    const product = step.get("products", subscription.product_id)
    if (gives(step, subscription)) return bringAbout(step, scope, benefitsOf(step, product))
    for (const grant of Grants.of(step, scope)) {
      if (Grants.isGranted(grant) || !product.benefit_ids.includes(grant.benefit_id)) Grants.revoke(step, grant)
    }
  })

/** A renewal is paid: what was there before the period goes on. */
export const afterRenewal = (step: Step, id: string): void =>
  step.later(`renewal ${id}`, (step) => {
    const subscription = step.get("subscriptions", id)
    for (const grant of Grants.of(step, Grants.bySubscription(subscription))) {
      if (grant.granted_at !== null && grant.granted_at < subscription.current_period_start) Grants.cycle(step, grant)
    }
  })

/** Something was bought once. */
export const afterPurchase = (step: Step, order: Order): void =>
  step.later(`order ${order.id}`, (step) =>
    bringAbout(step, Grants.byOrder(order), benefitsOf(step, step.get("products", order.product_id)))
  )

const revokeAll = (step: Step, job: string, isOf: (grant: Grant) => boolean): void =>
  step.later(job, (step) => {
    for (const grant of step.all("grants")) if (isOf(grant)) Grants.revoke(step, grant)
  })

/** A refund takes back what was bought, and never what goes with a subscription. */
export const afterRefund = (step: Step, orderId: string): void =>
  revokeAll(step, `refund ${orderId}`, ({ order_id }) => order_id === orderId)

export const afterCustomerLeft = (step: Step, customerId: string): void =>
  revokeAll(step, `customer ${customerId}`, ({ customer_id }) => customer_id === customerId)

export const afterBenefitDeleted = (step: Step, benefitId: string): void =>
  revokeAll(step, `benefit ${benefitId}`, ({ benefit_id }) => benefit_id === benefitId)

/** The product gives something else: also to who has their money back, because Polar does not look at that. */
export const afterProduct = (step: Step, productId: string): void => {
  for (const { id, product_id } of step.all("subscriptions")) if (product_id === productId) afterSubscription(step, id)
  for (const order of step.all("orders")) {
    const isGone = step.get("customers", order.customer_id).deleted_at !== null
    if (order.product_id === productId && order.subscription_id === null && !isGone) afterPurchase(step, order)
  }
}

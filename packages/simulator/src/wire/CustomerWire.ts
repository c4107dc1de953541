/** Customers, what they have now, and their access to the portal. */
import { createHash } from "node:crypto"
import * as HashMap from "effect/HashMap"
import { iso, isoOrNull } from "../Calendar.ts"
import type { Customer, CustomerSession, Member, World } from "../Records.ts"
import { address, get, stamped } from "./Fields.ts"

const avatar = (email: string): string =>
  `https://www.gravatar.com/avatar/${createHash("sha256").update(email.toLowerCase()).digest("hex")}?d=404`

/** Where a deleted customer's external id is kept, so that another customer can have it. */
export const keptExternalId = "__external_id"

export const customer = (world: World, customer: Customer) => {
  const kept = customer.metadata[keptExternalId]
  return {
    ...stamped(customer),
    metadata: customer.metadata,
    external_id: customer.external_id ?? (typeof kept === "string" ? kept : null),
    email: customer.email,
    email_verified: false,
    type: customer.type,
    name: customer.name,
    billing_name: customer.name,
    billing_address: address(customer.billing_address),
    tax_id: null,
    locale: customer.locale,
    organization_id: world.organization.id,
    default_payment_method_id: customer.default_payment_method_id,
    deleted_at: isoOrNull(customer.deleted_at),
    first_user_event_at: null,
    avatar_url: avatar(customer.email)
  }
}

export const member = (member: Member) => ({
  ...stamped(member),
  customer_id: member.customer_id,
  email: member.email,
  name: member.name,
  external_id: member.external_id,
  role: member.role
})

/** The customer under the name that older versions have for it. */
export const legacyUser = (customer: Customer) => ({
  id: customer.id,
  email: customer.email,
  public_name: customer.email.charAt(0).toUpperCase(),
  avatar_url: avatar(customer.email),
  github_username: null
})

const activeStatuses: ReadonlySet<string> = new Set(["active", "trialing"])

export const customerState = (world: World, owner: Customer) => ({
  ...customer(world, owner),
  active_subscriptions: Array.from(HashMap.values(world.tables.subscriptions))
    .filter(({ customer_id, status }) => customer_id === owner.id && activeStatuses.has(status))
    .sort((one, other) => one.created_at - other.created_at)
    .map((subscription) => ({
      ...stamped(subscription),
      custom_field_data: subscription.custom_field_data,
      metadata: subscription.metadata,
      status: subscription.status,
      amount: subscription.amount,
      currency: subscription.currency,
      recurring_interval: subscription.recurring_interval,
      current_period_start: iso(subscription.current_period_start),
      current_period_end: iso(subscription.current_period_end),
      trial_start: isoOrNull(subscription.trial_start),
      trial_end: isoOrNull(subscription.trial_end),
      cancel_at_period_end: subscription.cancel_at_period_end,
      canceled_at: isoOrNull(subscription.canceled_at),
      started_at: iso(subscription.started_at),
      ends_at: isoOrNull(subscription.ends_at),
      product_id: subscription.product_id,
      discount_id: subscription.discount_id,
      price_id: get(world, "products", subscription.product_id).price_id,
      seats: subscription.seats,
      units: subscription.units,
      meters: []
    })),
  granted_benefits: grantedBenefits(world, owner.id),
  active_meters: []
})

const grantedBenefits = (world: World, customerId: string) =>
  Array.from(HashMap.values(world.tables.grants))
    .sort((one, other) => one.created_at - other.created_at)
    .flatMap((grant) => {
      if (grant.customer_id !== customerId || grant.granted_at === null) return []
      const { metadata, type } = get(world, "benefits", grant.benefit_id)
      return [
        {
          ...stamped(grant),
          granted_at: iso(grant.granted_at),
          benefit_id: grant.benefit_id,
          benefit_type: type,
          benefit_metadata: metadata,
          properties: grant.properties
        }
      ]
    })

export const customerSession = (world: World, session: CustomerSession) => {
  const owner = get(world, "customers", session.customer_id)
  const query = new URLSearchParams({ customer_session_token: session.token, email: owner.email })
  return {
    ...stamped(session),
    token: session.token,
    expires_at: iso(session.expires_at),
    return_url: session.return_url,
    customer_portal_url: `${world.origin}/${world.organization.slug}/portal?${query}`,
    customer_id: session.customer_id,
    customer: customer(world, owner)
  }
}

/** Benefits, and who has them. */
import { iso, isoOrNull } from "../Calendar.ts"
import type { Benefit, Grant, World } from "../Records.ts"
import { customer } from "./CustomerWire.ts"
import { get, stamped } from "./Fields.ts"

/** What buyers see of it. */
export const publicBenefit = (world: World, benefit: Benefit) => ({
  ...stamped(benefit),
  type: benefit.type,
  description: benefit.description,
  selectable: true,
  deletable: true,
  is_deleted: benefit.is_deleted,
  organization_id: world.organization.id
})

export const benefit = (world: World, benefit: Benefit) => ({
  ...publicBenefit(world, benefit),
  metadata: benefit.metadata,
  visibility: benefit.visibility,
  properties: benefit.properties,
  visibility_configurable: benefit.type !== "discord",
  ...(benefit.type === "custom" ? { is_tax_applicable: true } : {})
})

export const grant = (world: World, grant: Grant) => ({
  ...stamped(grant),
  granted_at: isoOrNull(grant.granted_at),
  is_granted: grant.granted_at !== null,
  revoked_at: isoOrNull(grant.revoked_at),
  is_revoked: grant.revoked_at !== null,
  subscription_id: grant.subscription_id,
  order_id: grant.order_id,
  customer_id: grant.customer_id,
  user_id: grant.customer_id,
  member_id: null,
  benefit_id: grant.benefit_id,
  error:
    grant.error === null
      ? null
      : { type: grant.error.type, message: grant.error.message, timestamp: iso(grant.error.at) },
  customer: customer(world, get(world, "customers", grant.customer_id)),
  member: null,
  benefit: benefit(world, get(world, "benefits", grant.benefit_id)),
  properties: grant.properties
})

/** As events carry it. A license key itself is in none of them. */
export const grantEvent = (world: World, one: Grant) => ({
  ...grant(world, one),
  previous_properties: one.previous_properties
})

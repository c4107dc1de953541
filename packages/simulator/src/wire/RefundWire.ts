/** Refunds. The comment is the merchant's own, and not shown. */
import type { Refund, World } from "../Records.ts"
import { stamped } from "./Fields.ts"

export const refund = (world: World, refund: Refund) => ({
  ...stamped(refund),
  metadata: refund.metadata,
  status: refund.status,
  reason: refund.reason,
  amount: refund.amount,
  tax_amount: refund.tax_amount,
  currency: refund.currency,
  organization_id: world.organization.id,
  order_id: refund.order_id,
  subscription_id: refund.subscription_id,
  customer_id: refund.customer_id,
  revoke_benefits: refund.revoke_benefits,
  dispute: null
})

/** The row of a record, as a report of Polar's says it is. */
import type { RecordReport } from "../records/RecordReport.ts"
import type { RecordRow } from "../records/rows.ts"
import type { Version } from "../rules/order.ts"

/** Where the row comes from: `deliveryId` is the delivery's, or names the request that read it. */
export interface RowOrigin {
  readonly owner: { readonly userId: string | null; readonly ownedBy: string | null }
  readonly version: Version
  readonly deliveryId: string
  /** Epoch milliseconds. */
  readonly now: number
}

export const rowOf = (report: RecordReport, { deliveryId, now, owner, version }: RowOrigin): RecordRow => ({
  kind: report.kind,
  id: report.id,
  userId: owner.userId,
  ownedBy: owner.ownedBy,
  customerId: report.customer.id,
  organizationId: report.organizationId,
  productId: report.productId,
  subscriptionId: report.subscriptionId,
  orderId: report.orderId,
  benefitId: report.benefitId,
  checkoutId: report.checkoutId,
  status: report.status,
  live: report.live,
  endsAt: report.endsAt,
  eventAt: version.at,
  precedence: version.precedence,
  deliveryId,
  updatedAt: now,
  // Said by `rules/clock.ts`, when it is written.
  clockAt: null,
  lapsedAt: null,
  summary: report.summary,
  data: report.data
})

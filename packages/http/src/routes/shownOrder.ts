/** The fields of an order that are for its user; others, such as metadata, are the app's own. */
import type { Order } from "@kavach-polar/core/Order"
import type { UsersOrder } from "./Api.ts"

export const shownOrder = (order: Order): typeof UsersOrder.Type => ({
  id: order.id,
  status: order.status,
  productId: order.productId,
  subscriptionId: order.subscriptionId,
  billingReason: order.billingReason,
  description: order.description,
  currency: order.currency,
  netAmount: order.netAmount,
  taxAmount: order.taxAmount,
  totalAmount: order.totalAmount,
  refundedAmount: order.refundedAmount,
  refundedTaxAmount: order.refundedTaxAmount,
  invoiceNumber: order.invoiceNumber,
  receiptNumber: order.receiptNumber,
  createdAt: order.createdAt
})

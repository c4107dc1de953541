/** Orders and refunds as they must be read back: plainly what Polar's JSON says, without the code that reads it. */

type Json = Readonly<Record<string, unknown>>

const time = (value: unknown): Date | null => (typeof value === "string" ? new Date(value) : null)

/** What must be stored of Polar's order. */
export const plainOrder = (data: Json) => ({
  id: data["id"],
  status: data["status"],
  customerId: data["customer_id"],
  productId: data["product_id"] ?? null,
  subscriptionId: data["subscription_id"] ?? null,
  checkoutId: data["checkout_id"] ?? null,
  billingReason: data["billing_reason"] ?? null,
  currency: data["currency"] ?? null,
  subtotalAmount: data["subtotal_amount"] ?? null,
  discountAmount: data["discount_amount"] ?? null,
  netAmount: data["net_amount"] ?? null,
  taxAmount: data["tax_amount"] ?? null,
  totalAmount: data["total_amount"] ?? null,
  appliedBalanceAmount: data["applied_balance_amount"] ?? null,
  dueAmount: data["due_amount"] ?? null,
  refundedAmount: data["refunded_amount"] ?? null,
  refundedTaxAmount: data["refunded_tax_amount"] ?? null,
  seats: data["seats"] ?? null,
  units: data["units"] ?? null,
  discountId: data["discount_id"] ?? null,
  invoiceNumber: data["invoice_number"] ?? null,
  receiptNumber: data["receipt_number"] ?? null,
  description: data["description"] ?? null,
  createdAt: time(data["created_at"]),
  nextPaymentAttemptAt: time(data["next_payment_attempt_at"]),
  metadata: data["metadata"] ?? {},
  customFieldData: data["custom_field_data"] ?? {}
})

/** What must be stored of Polar's refund. */
export const plainRefund = (data: Json) => ({
  id: data["id"],
  status: data["status"],
  orderId: data["order_id"],
  customerId: data["customer_id"],
  subscriptionId: data["subscription_id"] ?? null,
  reason: data["reason"] ?? null,
  amount: data["amount"] ?? null,
  taxAmount: data["tax_amount"] ?? null,
  currency: data["currency"] ?? null,
  revokeBenefits: data["revoke_benefits"] ?? null,
  createdAt: time(data["created_at"]),
  metadata: data["metadata"] ?? {}
})

import type { PolarBilling } from "@kavach-polar/http"

/** Asked again for the same ticket, by anybody, it is the same refund. */
export const giveBack = async (billing: PolarBilling, orderId: string, ticketId: string) => {
  const refund = await billing.orders.refund(orderId, {
    reason: "customer_request",
    revokeBenefits: true,
    idempotencyKey: ticketId
  })
  // `orders.owns` knows it by now.
  return refund.status
}

export const invoiceFor = async (billing: PolarBilling, userId: string, orderId: string) => {
  const invoice = await billing.orders.invoice(orderId, { userId })
  return "url" in invoice ? { redirect: invoice.url } : { tryAgainInSeconds: 3 }
}

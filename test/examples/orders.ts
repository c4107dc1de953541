import type { PolarBilling } from "@kavach-polar/http"

export const hasBought = async (billing: PolarBilling, userId: string, productId: string) => {
  // The newest first. Without a query: all of the user's orders.
  const paid = await billing.orders.list(userId, { productId, status: "paid" })
  return paid.length > 0
}

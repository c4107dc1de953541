import type { PolarBilling } from "kavach-polar"

export const mayEnter = async (billing: PolarBilling, userId: string) => {
  const { entitlement, until } = await billing.access(userId)
  if (entitlement === "denied") return { enter: false, notice: "Choose a plan to go on." }
  if (entitlement === "grace") return { enter: true, notice: `Your payment failed. You have access until ${until}.` }
  return { enter: true }
}

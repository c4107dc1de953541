import type { PolarBilling } from "@kavach-polar/http"

export const projectLimit = async (billing: PolarBilling, userId: string): Promise<number> => {
  // By the benefit's `metadata.key` at Polar, or its id.
  const benefit = await billing.benefits.get(userId, "max-projects")
  return typeof benefit?.metadata["limit"] === "number" ? benefit.metadata["limit"] : 1
}

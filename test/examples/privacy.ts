import type { PolarBilling } from "@kavach-polar/http"

/** For "give me my data". */
export const dataOf = async (billing: PolarBilling, userId: string) =>
  new Response(JSON.stringify(await billing.privacy.export(userId), null, 2), {
    headers: { "content-type": "application/json", "content-disposition": 'attachment; filename="my-data.json"' }
  })

/** For "delete my account". Your own row of the user is yours to delete. */
export const deleteAccount = async (billing: PolarBilling, userId: string) => {
  const { state } = await billing.privacy.erase(userId, { polar: "anonymize" })
  // Where Polar does not answer the rest goes on by itself.
  return state === "done" ? "You are deleted." : "You are deleted here, and will be with our payment provider shortly."
}

/** Where the customer is to stay at Polar: what they pay for ends with the period. */
export const leaveQuietly = (billing: PolarBilling, userId: string) =>
  billing.privacy.erase(userId, { polar: "keep", subscriptions: "cancel" })

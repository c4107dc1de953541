/** Whether the app takes a delivery: one that is signed here is sent to it, and does nothing there. */
import { broken, type Finding, fine } from "@kavach-polar/core/Diagnosis"
import { signedHeaders } from "@kavach-polar/core/WebhookVerifier"
import { shownOf } from "./database.ts"

/** As long as Polar waits (Polar docs: webhooks/delivery). */
const timeoutMillis = 10_000

/** The same each time, so that the app keeps one delivery of all. Its type is none of Polar's, so that it ignores it. */
const id = "kavach-polar-doctor"

export const sentDelivery = async (url: string, secret: string): Promise<Finding> => {
  const now = new Date()
  const body = JSON.stringify({ type: "kavach_polar.doctor", timestamp: now.toISOString(), data: {} })
  const headers = signedHeaders({ secret, id, timestampSeconds: Math.floor(now.getTime() / 1000), body })
  const address = shownOf(url)
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body,
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMillis)
  }).catch(() => undefined)
  await response?.body?.cancel()
  if (response?.ok === true)
    return fine("secret", `${address} accepted a delivery that was signed with POLAR_WEBHOOK_SECRET.`)
  const why = "Polar's deliveries end in the same way: who pays gets nothing until the next comparison with Polar."
  if (response === undefined) {
    return broken(
      "secret",
      `${address} did not answer a delivery that was sent from here.`,
      why,
      "See that the app runs, and that the address leads to it"
    )
  }
  return response.status === 401 || response.status === 403
    ? broken(
        "secret",
        `${address} refused a delivery that was signed with POLAR_WEBHOOK_SECRET (${response.status}).`,
        why,
        "Restart the app with the POLAR_WEBHOOK_SECRET that is set here"
      )
    : broken("secret", `${address} answered a signed delivery with ${response.status}.`, why, "Look at the app's log")
}

/** What the app answers to Polar's deliveries, as Polar saw it. */
import type { WebhookDelivery } from "../polar/PolarClient.ts"
import { broken, type Finding } from "./diagnosis.ts"

/** The attempts of the last day, the newest first. What was not taken once and is by now is nothing to look at. */
export const deliveryFindings = (url: string, attempts: ReadonlyArray<WebhookDelivery>): ReadonlyArray<Finding> => {
  const [newest] = attempts
  if (newest === undefined || newest.succeeded) return []
  const failed = attempts.filter(({ succeeded }) => !succeeded).length
  const { answered, help } = meaningOf(newest.httpCode)
  return [
    broken(
      "endpoint",
      `${url} did not take the newest delivery (${newest.createdAt.toISOString()}): ${answered}. Of Polar's last ${attempts.length} attempts ${failed} failed.`,
      "Polar tries each event for about half an hour, and after ten that it gives up on it disables the endpoint.",
      help
    )
  ]
}

const meaningOf = (code: number | null): { readonly answered: string; readonly help: string } => {
  if (code === null) {
    return { answered: "nobody answered", help: "See that the app runs, and that the address leads to it from outside" }
  }
  if (code === 401 || code === 403) {
    return {
      answered: `the answer was ${code}, as to a wrong signature`,
      help: "kavach-polar setup --env-file .env, which writes the endpoint's secret there; then restart the app"
    }
  }
  if (code >= 300 && code < 400) {
    return {
      answered: `the answer was ${code}, and Polar follows no redirect`,
      help: "kavach-polar setup --url with the address that it leads to"
    }
  }
  if (code === 404 || code === 405) {
    return {
      answered: `the answer was ${code}: no such route`,
      help: "Compare the address with where the app mounts the webhook route"
    }
  }
  return { answered: `the answer was ${code}`, help: "Look at the app's log of that time" }
}

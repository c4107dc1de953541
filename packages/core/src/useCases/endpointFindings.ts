/** What can be wrong with a webhook endpoint. */
import { broken, type Finding, fine, warning } from "./diagnosis.ts"
import type { EndpointReport } from "./ReconcileReport.ts"

export const noEndpoint = (others: ReadonlyArray<EndpointReport>): Finding =>
  broken(
    "endpoint",
    others.length === 0
      ? "Polar has no webhook endpoint for this organization."
      : `None of Polar's webhook endpoints is this app's: ${others.map(({ url }) => url).join(", ")}.`,
    "No event arrives: who pays gets nothing until the next comparison with Polar.",
    others.length === 0
      ? "kavach-polar setup --url https://YOUR-APP/auth/polar/webhook"
      : "If one of them is this app's, set POLAR_WEBHOOK_URL to it; else: kavach-polar setup --url https://YOUR-APP/auth/polar/webhook"
  )

export const endpointFindings = ({
  enabled,
  format,
  missingTypes,
  undelivered,
  url
}: EndpointReport): ReadonlyArray<Finding> => {
  const found = [
    ...(enabled
      ? []
      : [
          broken(
            "endpoint",
            `Polar has disabled ${url} after too many failures.`,
            "No event arrives: who pays gets nothing until the next comparison with Polar.",
            "kavach-polar setup, then: kavach-polar reconcile"
          )
        ]),
    ...(format === "raw"
      ? []
      : [
          broken(
            "endpoint",
            `The format of ${url} is ${format}.`,
            "Its deliveries are messages for people, which cannot be applied.",
            "kavach-polar setup"
          )
        ]),
    ...(missingTypes.length === 0
      ? []
      : [
          warning(
            "endpoint",
            `${url} does not get ${missingTypes.join(", ")}.`,
            "What these tell of is seen with the next comparison with Polar, and some of it never.",
            "kavach-polar setup"
          )
        ]),
    ...(undelivered === 0
      ? []
      : [
          broken(
            "endpoint",
            `${undelivered} events of the last 30 days did not arrive at ${url}.`,
            "Polar has given up on them.",
            "kavach-polar reconcile"
          )
        ])
  ]
  return found.length > 0 ? found : [fine("endpoint", `${url} is enabled, and all events have arrived.`)]
}

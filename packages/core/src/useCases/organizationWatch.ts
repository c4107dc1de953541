/**
 * Whether `organizationId` is right. A wrong one is silent by itself: every delivery is authentic, answered 200, and ignored.
 * So the first that does not fit is told, once, with both ids; and where Polar can be asked, it is told at start.
 */
import * as Effect from "effect/Effect"
import type { PolarClient } from "../polar/PolarClient.ts"
import type { DeliveryContent } from "../records/Delivery.ts"

interface Options {
  readonly client: typeof PolarClient.Service
  readonly organizationId: string | undefined
}

export const makeOrganizationWatch = ({ client, organizationId }: Options) => {
  let isSettled = organizationId === undefined

  const warn = (found: string) =>
    Effect.suspend(() => {
      if (isSettled) return Effect.void
      isSettled = true
      return Effect.logWarning(
        `organizationId is "${organizationId}"${shapeOf(organizationId)}, but ${found}. Deliveries of any other organization are ignored: nothing that is bought there reaches this app. Set organizationId to Polar's id of your organization (Settings, General), in the environment that this app uses, or leave it out.`
      )
    })

  return {
    /** Looks at a delivery; only until one fits. */
    received: (content: DeliveryContent): Effect.Effect<void> => {
      if (isSettled) return Effect.void
      if (content._tag === "ForeignEvent") {
        return warn(`the first delivery is of the organization "${content.organizationId ?? "unknown"}"`)
      }
      // One that names no organization says nothing about it.
      if ((content._tag === "RecordEvent" || content._tag === "CustomerEvent") && content.organizationIds.length > 0) {
        isSettled = true
      }
      return Effect.void
    },

    /** Asks Polar which organizations the token is of. Never fails: that Polar cannot be asked proves nothing. */
    ask: Effect.suspend(() =>
      isSettled
        ? Effect.void
        : Effect.matchEffect(client.organizations, {
            onFailure: (error) => Effect.logDebug(`organizationId was not compared with Polar: ${error.message}`),
            onSuccess: (organizations) =>
              organizations.length === 0 || organizations.some(({ id }) => id === organizationId)
                ? Effect.void
                : warn(
                    `the access token is of the organization ${organizations.map(({ id, slug }) => `"${id}" (${slug})`).join(", ")}`
                  )
          })
    )
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const shapeOf = (organizationId: string | undefined): string =>
  organizationId === undefined || uuid.test(organizationId) ? "" : ", which is no id of Polar's and may be a slug"

/** What the body of an authentic delivery carries, for the organization that this app serves. */
import * as Either from "effect/Either"
import type { DeliveryContent } from "./Delivery.ts"
import * as PolarEvent from "./PolarEvent.ts"

/** Never throws, whatever the bytes. Without an organization, events of any are this app's. */
export const read = (body: Uint8Array, ownOrganizationId: string | undefined): DeliveryContent =>
  Either.match(PolarEvent.parse(body), {
    onLeft: (unreadable): DeliveryContent => unreadable,
    onRight: (event) => {
      const organizationId = PolarEvent.organizationId(event)
      return ownOrganizationId === undefined || organizationId === null || organizationId === ownOrganizationId
        ? event
        : { _tag: "ForeignEvent", type: event.type, at: event.at }
    }
  })

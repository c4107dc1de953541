/** What the body of an authentic delivery carries, for the organization that this app serves. */
import { Buffer, isUtf8 } from "node:buffer"
import * as Either from "effect/Either"
import type { Delivery, DeliveryContent } from "./Delivery.ts"
import * as PolarEvent from "./PolarEvent.ts"

/** Never throws, whatever the text. Without an organization, events of any are this app's. */
export const read = (body: string, ownOrganizationId: string | undefined): DeliveryContent =>
  Either.match(PolarEvent.parse(body), {
    onLeft: (unreadable): DeliveryContent => unreadable,
    onRight: (event) => {
      const organizationId = PolarEvent.organizationId(event)
      return ownOrganizationId === undefined || organizationId === null || organizationId === ownOrganizationId
        ? event
        : { _tag: "ForeignEvent", type: event.type, at: event.at }
    }
  })

/** The same of a body as it came, and the text as a database can keep it. */
export const readBytes = (
  bytes: Uint8Array,
  ownOrganizationId: string | undefined
): Pick<Delivery, "body" | "content"> => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")
  return {
    // JSON holds no NUL, so this changes nothing that could be read.
    body: text.replaceAll("\0", "\uFFFD"),
    content: isUtf8(bytes) ? read(text, ownOrganizationId) : PolarEvent.notJson
  }
}

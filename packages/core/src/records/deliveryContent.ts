/** What the body of an authentic delivery carries, for the organization that this app serves. */
import { Buffer, isUtf8 } from "node:buffer"
import * as Either from "effect/Either"
import type { Delivery, DeliveryContent } from "./Delivery.ts"
import { type EventTypes, eventTypes } from "./eventTypes.ts"
import { kindNamed } from "./kinds.ts"
import * as PolarEvent from "./PolarEvent.ts"
import { storedBody } from "./storedBody.ts"

/**
 * Never throws, whatever the text. Without an organization, events of any are this app's. With one, an event is only if it
 * names this organization, and no other beside it: its product's and its customer's count as well.
 */
export const read = (body: string, ownOrganizationId: string | undefined): DeliveryContent =>
  contentOf(PolarEvent.parse(body), ownOrganizationId)

const contentOf = (
  event: ReturnType<typeof PolarEvent.parse>,
  ownOrganizationId: string | undefined
): DeliveryContent => {
  const content = Either.merge(event)
  if (ownOrganizationId === undefined) return content
  const { at, organizationIds, type } = content
  // Of what cannot be read it is not known whether it names one elsewhere, too.
  const isUnclear = content._tag === "UnreadableEvent" && organizationIds.length === 0
  const needsNone = organizationIds.length === 0 && !mustNameOrganization(content)
  if (type === null || at === null || isUnclear || needsNone) return content
  const problem = foreignTo(ownOrganizationId, organizationIds)
  if (problem === undefined) return content
  const organizationId = organizationIds.find((id) => id !== null && id !== ownOrganizationId) ?? null
  return { _tag: "ForeignEvent", type, at, problem, organizationId }
}

/** Of what never does, the endpoint's secret says enough. */
const mustNameOrganization = (content: PolarEvent.PolarEvent | PolarEvent.UnreadableEvent): boolean =>
  content._tag !== "RecordEvent" || kindNamed(content.report.kind)?.namesOrganization !== false

const foreignTo = (own: string, named: PolarEvent.PolarEvent["organizationIds"]): string | undefined => {
  if (named.length === 0) return "the event names no organization, and organizationId is set"
  if (named.includes(null)) return "the event names an organization that cannot be read"
  return named.every((id) => id === own) ? undefined : "the event belongs to another organization"
}

/**
 * The same of a body as it came, and what is kept of it: what a replay has a use for, and nothing of other organizations.
 * `types`: what the version that reads it knows.
 */
export const readBytes = (
  bytes: Uint8Array,
  ownOrganizationId: string | undefined,
  types: EventTypes = eventTypes
): Pick<Delivery, "body" | "content"> => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")
  const json = isUtf8(bytes) ? PolarEvent.parseJson(text) : undefined
  if (json === undefined) return { body: null, content: PolarEvent.notJson }
  const content = contentOf(PolarEvent.read(json, types), ownOrganizationId)
  return { content, body: isOfUse(content) ? storedBody(text, json, ofNobodyKnown(content)) : null }
}

/** Of whoever is no customer, what names them: nobody could find it again to forget it, and the record does not have it. */
const ofNobodyKnown = (content: DeliveryContent): ReadonlyArray<string> =>
  content._tag === "RecordEvent" && content.report.customer.id === null
    ? (kindNamed(content.report.kind)?.personal ?? [])
    : []

const isOfUse = (content: DeliveryContent): boolean => {
  switch (content._tag) {
    case "RecordEvent":
    case "CustomerEvent":
    // What it is about, a later version may keep.
    case "OtherEvent":
      return true
    case "UnreadableEvent":
      return content.isEnvelope
    case "ForeignEvent":
      return false
  }
}

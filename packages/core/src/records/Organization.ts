/**
 * The organization that sells, with the settings by which Polar prorates, takes benefits back and lets customers change what
 * they have. Polar tells when its settings change, and never when it is made.
 *
 * Sources: Polar's API reference, object `Organization`; Polar docs: webhooks/events.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { OrganizationId, text } from "../values/ids.ts"
import { EpochMicrosFromString, toMillis } from "../values/Timestamp.ts"
import { anyRecord, informative, shownText } from "../values/wire.ts"
import { type Kind, packPrecedence } from "./Kind.ts"
import { unattached } from "./RecordReport.ts"

/** What is read of Polar's organization, and, encoded, what is stored of it. */
export const PolarOrganization = Schema.Struct({
  id: OrganizationId,
  name: informative("name", shownText),
  slug: informative("slug", shownText),
  /** Polar's own word on whether it may sell. */
  status: informative("status", text(64)),
  defaultCurrency: informative("default_presentment_currency", shownText),
  featureSettings: anyRecord("feature_settings"),
  /** Such as `benefit_revocation_grace_period`, in days. */
  subscriptionSettings: anyRecord("subscription_settings"),
  portalSettings: anyRecord("customer_portal_settings"),
  createdAt: informative("created_at", EpochMicrosFromString),
  modifiedAt: informative("modified_at", EpochMicrosFromString)
})

export interface Organization extends Schema.Schema.Type<typeof PolarOrganization> {}

const decodeOrganization = decoderOf(PolarOrganization)
const encodeStored = Schema.encodeSync(Schema.parseJson(PolarOrganization))

export const organizationKind: Kind<Organization> = {
  name: "organization",
  isOwned: false,
  eventTypes: ["organization.updated"],
  read: (data) =>
    Either.map(decodeOrganization(data), (organization) => {
      const changedAt = organization.modifiedAt ?? organization.createdAt
      return {
        ...unattached,
        kind: "organization",
        id: organization.id,
        organizationId: organization.id,
        status: organization.status ?? "unknown",
        live: true,
        precedence: packPrecedence(false, changedAt === null ? null : toMillis(changedAt), 0),
        changedAt,
        summary: JSON.stringify({ slug: organization.slug }),
        data: encodeStored(organization)
      }
    }),
  fromStored: jsonDecoderOf(PolarOrganization),
  personal: [],
  // Polar sends all of it with each change, and nothing that is decided here depends on it.
  list: undefined,
  view: [
    { name: "name", key: "name", type: "text" },
    { name: "slug", key: "slug", type: "text" },
    { name: "default_currency", key: "default_presentment_currency", type: "text" },
    { name: "created_at", key: "created_at", type: "time" }
  ]
}

/**
 * License keys, as Polar's API says they are: no event carries one, only their grants' events do come. So one is read when it
 * is needed, and kept for the time when Polar cannot be asked.
 *
 * The key itself is kept sealed (`polar/secretBox.ts`), and in no column, view or text beside.
 *
 * Source: Polar's API reference, object `LicenseKeyWithActivations`.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { BenefitId, CustomerId, OrderId, SubscriptionId, text } from "../values/ids.ts"
import { DateFromTimestamp } from "../values/Timestamp.ts"
import { anyRecord, informative, listOf, nullable, renamed, shownText } from "../values/wire.ts"
import type { Kind } from "./Kind.ts"
import { type RecordReport, unattached } from "./RecordReport.ts"

/** Where a key is used: a machine, a seat. */
export const LicenseKeyActivation = Schema.Struct({
  id: Schema.String,
  label: shownText,
  meta: anyRecord("meta")
})
export type LicenseKeyActivation = typeof LicenseKeyActivation.Type

const StoredLicenseKey = Schema.Struct({
  id: text(64),
  benefitId: renamed("benefit_id", BenefitId),
  customerId: renamed("customer_id", CustomerId),
  organizationId: informative("organization_id", text(64)),
  /** What its grant hangs on. */
  subscriptionId: nullable("subscription_id", SubscriptionId),
  orderId: nullable("order_id", OrderId),
  /** The key itself, sealed; `null` of a customer of whom nothing personal is kept. */
  sealedKey: informative("sealed_key", Schema.String),
  displayKey: informative("display_key", shownText),
  /** `granted`, `revoked` or `disabled`. */
  status: text(64),
  usage: Schema.Number,
  limitUsage: nullable("limit_usage", Schema.Number),
  limitActivations: nullable("limit_activations", Schema.Number),
  expiresAt: nullable("expires_at", DateFromTimestamp),
  activations: listOf("activations", LicenseKeyActivation),
  /** When Polar was asked. */
  readAt: renamed("read_at", DateFromTimestamp)
})

export interface StoredLicenseKey extends Schema.Schema.Type<typeof StoredLicenseKey> {}

const decode = decoderOf(StoredLicenseKey)
const encode = Schema.encodeSync(Schema.parseJson(StoredLicenseKey))

const reportOf = (key: StoredLicenseKey): RecordReport => ({
  ...unattached,
  kind: "license_key",
  id: key.id,
  customer: { id: key.customerId, externalId: null, email: null },
  organizationId: key.organizationId,
  subscriptionId: key.subscriptionId,
  orderId: key.orderId,
  benefitId: key.benefitId,
  status: key.status,
  live: key.status === "granted",
  endsAt: key.expiresAt?.getTime() ?? null,
  precedence: 0,
  changedAt: null,
  summary: "{}",
  data: encode(key)
})

export const licenseKeyKind: Kind<StoredLicenseKey> = {
  name: "license_key",
  // Its grant is what a user has, and waits for one.
  isOwned: false,
  eventTypes: [],
  read: (data) => Either.map(decode(data), reportOf),
  fromStored: jsonDecoderOf(StoredLicenseKey),
  personal: ["sealed_key", "display_key", "activations"],
  // Polar lists all keys of the organization, and those of no one customer.
  list: undefined,
  view: [
    { name: "benefit_id", key: "benefit_id", type: "text" },
    { name: "display_key", key: "display_key", type: "text" },
    { name: "usage_count", key: "usage", type: "integer" },
    { name: "limit_usage", key: "limit_usage", type: "integer" },
    { name: "limit_activations", key: "limit_activations", type: "integer" },
    { name: "expires_at", key: "expires_at", type: "time" },
    { name: "read_at", key: "read_at", type: "time" }
  ]
}

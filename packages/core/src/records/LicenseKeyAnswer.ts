/**
 * What Polar said last of a license key that was shown to it: good, here or at one of its activations. It is found by a hash of
 * the key, and the key is not in it: see `licenseKeyAnswerId`.
 *
 * Only of what was good once there is one, so strangers who try keys fill no table.
 */
import { createHash } from "node:crypto"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { BenefitId, CustomerId, text } from "../values/ids.ts"
import { DateFromTimestamp } from "../values/Timestamp.ts"
import { informative, nullable, renamed, shownText } from "../values/wire.ts"
import type { Kind } from "./Kind.ts"
import { LicenseKeyActivation } from "./LicenseKey.ts"
import { type RecordReport, unattached } from "./RecordReport.ts"

const StoredLicenseKeyAnswer = Schema.Struct({
  id: text(64),
  isValid: renamed("is_valid", Schema.Boolean),
  licenseKeyId: renamed("license_key_id", text(64)),
  benefitId: renamed("benefit_id", BenefitId),
  customerId: renamed("customer_id", CustomerId),
  organizationId: informative("organization_id", text(64)),
  /** Its last characters; `null` of a customer of whom nothing personal is kept, and then it is an answer to nobody. */
  displayKey: informative("display_key", shownText),
  usage: Schema.Number,
  limitUsage: nullable("limit_usage", Schema.Number),
  expiresAt: nullable("expires_at", DateFromTimestamp),
  activation: informative("activation", LicenseKeyActivation),
  /** A hash of the conditions that were asked about; `null` without any. */
  conditions: nullable("conditions", text(64)),
  checkedAt: renamed("checked_at", DateFromTimestamp)
})

export interface StoredLicenseKeyAnswer extends Schema.Schema.Type<typeof StoredLicenseKeyAnswer> {}

const decode = decoderOf(StoredLicenseKeyAnswer)
const encode = Schema.encodeSync(Schema.parseJson(StoredLicenseKeyAnswer))

const sha256 = (value: string): string => createHash("sha256").update(value).digest("hex")

/**
 * SHA-256 of the key, and of the activation where there is one. A plain hash will do: a key of Polar's is a random UUID, which
 * nobody finds by trying.
 */
export const licenseKeyAnswerId = (key: Redacted.Redacted, activationId: string | undefined): string =>
  sha256(activationId === undefined ? Redacted.value(key) : JSON.stringify([Redacted.value(key), activationId]))

/** The same for equal conditions, in whatever order they are written. */
export const conditionsHash = (conditions: Readonly<Record<string, unknown>>): string | null => {
  const entries = Object.entries(conditions).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.length === 0 ? null : sha256(JSON.stringify(entries))
}

const reportOf = (answer: StoredLicenseKeyAnswer): RecordReport => ({
  ...unattached,
  kind: "license_answer",
  id: answer.id,
  customer: { id: answer.customerId, externalId: null, email: null },
  organizationId: answer.organizationId,
  benefitId: answer.benefitId,
  status: answer.isValid ? "valid" : "refused",
  live: answer.isValid,
  endsAt: answer.expiresAt?.getTime() ?? null,
  precedence: 0,
  changedAt: null,
  summary: "{}",
  data: encode(answer)
})

export const licenseKeyAnswerKind: Kind<StoredLicenseKeyAnswer> = {
  name: "license_answer",
  isOwned: false,
  eventTypes: [],
  read: (data) => Either.map(decode(data), reportOf),
  fromStored: jsonDecoderOf(StoredLicenseKeyAnswer),
  personal: ["display_key", "activation"],
  list: undefined,
  view: [
    { name: "license_key_id", key: "license_key_id", type: "text" },
    { name: "benefit_id", key: "benefit_id", type: "text" },
    { name: "display_key", key: "display_key", type: "text" },
    { name: "usage_count", key: "usage", type: "integer" },
    { name: "limit_usage", key: "limit_usage", type: "integer" },
    { name: "expires_at", key: "expires_at", type: "time" },
    { name: "checked_at", key: "checked_at", type: "time" }
  ]
}

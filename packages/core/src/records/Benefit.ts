/**
 * Benefits: what a product gives, such as a feature flag or license keys. They belong to the merchant, and not to a user.
 *
 * Sources: Polar's API reference, object `Benefit`; Polar docs: features/benefits, webhooks/events.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { BenefitId, text } from "../values/ids.ts"
import { EpochMicrosFromString, toMillis } from "../values/Timestamp.ts"
import { anyRecord, informative } from "../values/wire.ts"
import { type ListedKind, packPrecedence } from "./Kind.ts"

/** What Polar documents; it adds others, which are kept as their text. */
export type BenefitType =
  | "custom"
  | "feature_flag"
  | "license_keys"
  | "meter_credit"
  | "downloadables"
  | "discord"
  | "github_repository"
  | "slack_shared_channel"
  | (string & {})

const BenefitType: Schema.Schema<BenefitType, string> = text(64)

/** What is read of Polar's benefit, and, encoded, what is stored of it. */
export const PolarBenefit = Schema.Struct({
  id: BenefitId,
  type: BenefitType,
  /** For people, who may edit it: code goes by the id or `metadata.key`. */
  description: informative("description", Schema.String),
  visibility: informative("visibility", Schema.String),
  isDeleted: informative("is_deleted", Schema.Boolean),
  /** The values of a feature flag are here. */
  metadata: anyRecord("metadata"),
  createdAt: informative("created_at", EpochMicrosFromString),
  modifiedAt: informative("modified_at", EpochMicrosFromString)
})

export interface Benefit extends Schema.Schema.Type<typeof PolarBenefit> {}

/** What tells which of two is newer, and its key: who asks for a benefit asks often. */
export const BenefitFacts = PolarBenefit.pick("metadata", "createdAt", "modifiedAt")
export type BenefitFacts = typeof BenefitFacts.Type

export const readBenefitFacts = jsonDecoderOf(BenefitFacts)

const Context = Schema.Struct({ organizationId: informative("organization_id", text(64)) })

export const readBenefit = decoderOf(PolarBenefit)
const readContext = decoderOf(Context)
const encodeStored = Schema.encodeSync(Schema.parseJson(PolarBenefit))

/** When the merchant last changed it, in epoch microseconds. */
export const changedAtOf = ({ createdAt, modifiedAt }: Pick<Benefit, "createdAt" | "modifiedAt">) =>
  modifiedAt ?? createdAt

export const benefitKind: ListedKind<Benefit> = {
  name: "benefit",
  isOwned: false,
  eventTypes: ["benefit.created", "benefit.updated"],
  read: (data) =>
    Either.zipWith(readBenefit(data), readContext(data), (benefit, { organizationId }) => {
      const changedAt = changedAtOf(benefit)
      const isDeleted = benefit.isDeleted ?? false
      return {
        kind: "benefit",
        id: benefit.id,
        customer: { id: null, externalId: null, email: null },
        metadataUserId: null,
        isRecorded: false,
        organizationId,
        productId: null,
        subscriptionId: null,
        orderId: null,
        benefitId: null,
        checkoutId: null,
        status: isDeleted ? "deleted" : "active",
        live: !isDeleted,
        endsAt: null,
        precedence: packPrecedence(isDeleted, changedAt === null ? null : toMillis(changedAt), 0),
        changedAt,
        summary: JSON.stringify({ type: benefit.type }),
        data: encodeStored(benefit)
      }
    }),
  fromStored: jsonDecoderOf(PolarBenefit),
  personal: [],
  list: { path: "/v1/benefits/", sorting: "created_at", byMetadata: false },
  view: [
    { name: "type", key: "type", type: "text" },
    { name: "description", key: "description", type: "text" },
    { name: "visibility", key: "visibility", type: "text" },
    { name: "created_at", key: "created_at", type: "time" }
  ]
}

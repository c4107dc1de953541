/**
 * Discounts: what the merchant takes off a price. They belong to no user.
 *
 * Sources: Polar's API reference, object `Discount`; Polar docs: features/discounts, webhooks/events.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { DiscountId, text } from "../values/ids.ts"
import { DateFromTimestamp, EpochMicrosFromString, toMillis } from "../values/Timestamp.ts"
import { anyRecord, informative, shownText } from "../values/wire.ts"
import { type ListedKind, packPrecedence } from "./Kind.ts"
import { unattached } from "./RecordReport.ts"

/** What is read of Polar's discount, and, encoded, what is stored of it. */
export const PolarDiscount = Schema.Struct({
  id: DiscountId,
  name: informative("name", shownText),
  /** What a buyer types; `null` of one that only a checkout's maker gives. */
  code: informative("code", shownText),
  /** `fixed` or `percentage`. */
  type: informative("type", shownText),
  /** Of a percentage, in hundredths of a percent. */
  basisPoints: informative("basis_points", Schema.Int),
  /** Of a fixed one, in minor units by currency. */
  amounts: anyRecord("amounts"),
  /** `once`, `forever` or `repeating`. */
  duration: informative("duration", shownText),
  durationInMonths: informative("duration_in_months", Schema.Int),
  startsAt: informative("starts_at", DateFromTimestamp),
  endsAt: informative("ends_at", DateFromTimestamp),
  maxRedemptions: informative("max_redemptions", Schema.Int),
  maxRedemptionsPerCustomer: informative("max_redemptions_per_customer", Schema.Int),
  /** As of the last change by the merchant: Polar sends nothing when a discount is redeemed. */
  redemptionsCount: informative("redemptions_count", Schema.Int),
  /** Polar sends it as it was, and says by the event that it is gone. */
  isDeleted: informative("is_deleted", Schema.Boolean),
  createdAt: informative("created_at", EpochMicrosFromString),
  modifiedAt: informative("modified_at", EpochMicrosFromString),
  metadata: anyRecord("metadata")
})

export interface Discount extends Schema.Schema.Type<typeof PolarDiscount> {}

const Context = Schema.Struct({ organization_id: informative("organization_id", text(64)) })

const decodeDiscount = decoderOf(PolarDiscount)
const decodeContext = decoderOf(Context)
const encodeStored = Schema.encodeSync(Schema.parseJson(PolarDiscount))

export const discountKind: ListedKind<Discount> = {
  name: "discount",
  isOwned: false,
  eventTypes: ["discount.created", "discount.updated", "discount.deleted"],
  read: (data, event) =>
    Either.zipWith(decodeDiscount(data), decodeContext(data), (discount, { organization_id: organizationId }) => {
      const isDeleted = event?.type === "discount.deleted" || discount.isDeleted === true
      const changedAt = discount.modifiedAt ?? discount.createdAt
      return {
        ...unattached,
        kind: "discount",
        id: discount.id,
        organizationId,
        status: isDeleted ? "deleted" : "active",
        live: !isDeleted,
        endsAt: discount.endsAt?.getTime() ?? null,
        precedence: packPrecedence(isDeleted, changedAt === null ? null : toMillis(changedAt), 0),
        changedAt,
        summary: JSON.stringify({ code: discount.code, basis_points: discount.basisPoints }),
        data: encodeStored({ ...discount, isDeleted })
      }
    }),
  fromStored: jsonDecoderOf(PolarDiscount),
  personal: [],
  list: { path: "/v1/discounts/", sorting: "created_at", byMetadata: false },
  view: [
    { name: "name", key: "name", type: "text" },
    { name: "code", key: "code", type: "text" },
    { name: "type", key: "type", type: "text" },
    { name: "basis_points", key: "basis_points", type: "integer" },
    { name: "duration", key: "duration", type: "text" },
    { name: "duration_in_months", key: "duration_in_months", type: "integer" },
    { name: "starts_at", key: "starts_at", type: "time" },
    { name: "ends_at", key: "ends_at", type: "time" },
    { name: "max_redemptions", key: "max_redemptions", type: "integer" },
    { name: "created_at", key: "created_at", type: "time" }
  ]
}

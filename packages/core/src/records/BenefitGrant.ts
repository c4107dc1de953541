/**
 * Benefit grants: that a customer has a benefit, by a subscription or an order.
 *
 * Polar uses the id again: what was revoked is granted anew under it. And `benefit_grant.created` does not mean that the
 * benefit is granted: some wait for the customer to connect an account. So `is_granted` decides, and nothing else.
 *
 * Sources: Polar's API reference, object `BenefitGrantWebhook`; Polar docs: features/benefits, webhooks/events.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { BenefitGrantId, BenefitId, CustomerId, OrderId, SubscriptionId, text } from "../values/ids.ts"
import { DateFromTimestamp, EpochMicrosFromString, toMillis } from "../values/Timestamp.ts"
import { anyRecord, informative, nullable, renamed } from "../values/wire.ts"
import { BenefitFacts, PolarBenefit } from "./Benefit.ts"
import { type ListedKind, packPrecedence } from "./Kind.ts"
import { PolarCustomer } from "./PolarObjects.ts"
import type { RecordColumns, RecordReport } from "./RecordReport.ts"

/** What is read of Polar's grant, and, encoded, what is stored of it. */
export const PolarBenefitGrant = Schema.Struct({
  id: BenefitGrantId,
  benefitId: renamed("benefit_id", BenefitId),
  customerId: renamed("customer_id", CustomerId),
  /** Whose of a team's; the customer is the team. */
  memberId: informative("member_id", text(64)),
  subscriptionId: nullable("subscription_id", SubscriptionId),
  orderId: nullable("order_id", OrderId),
  isGranted: renamed("is_granted", Schema.Boolean),
  isRevoked: informative("is_revoked", Schema.Boolean),
  grantedAt: informative("granted_at", DateFromTimestamp),
  revokedAt: informative("revoked_at", DateFromTimestamp),
  /** Why it is not granted, such as `BenefitActionRequiredError`. */
  error: informative("error", Schema.Struct({ type: informative("type", Schema.String) })),
  /** What this grant gives beside the benefit's own values; it depends on the benefit's type. */
  properties: anyRecord("properties"),
  /** As it was when the event was sent: an event of the benefit's own may have brought a newer one. */
  benefit: informative("benefit", PolarBenefit),
  createdAt: informative("created_at", EpochMicrosFromString),
  modifiedAt: informative("modified_at", EpochMicrosFromString)
})

export interface BenefitGrant extends Schema.Schema.Type<typeof PolarBenefitGrant> {}

/** What tells which benefit a user has: who asks for one asks often. */
const GrantFacts = Schema.Struct({
  ...PolarBenefitGrant.pick("benefitId", "isGranted").fields,
  benefit: informative("benefit", BenefitFacts)
})
export type GrantFacts = typeof GrantFacts.Type

/** As `fromStored` does, without all that is kept of it. */
export const readGrantFacts = jsonDecoderOf(GrantFacts)

const PolarContext = Schema.Struct({
  customer: informative("customer", PolarCustomer),
  benefit: informative("benefit", Schema.Struct({ organizationId: informative("organization_id", text(64)) }))
})

interface Context {
  readonly customer: PolarCustomer | null
  readonly organizationId: string | null
}

const decodeGrant = decoderOf(PolarBenefitGrant)
const decodeContext = decoderOf(PolarContext)
const encodeStored = Schema.encodeSync(Schema.parseJson(PolarBenefitGrant))

const statusOf = ({ error, isGranted, isRevoked }: BenefitGrant): string =>
  isGranted ? "granted" : isRevoked === true ? "revoked" : error === null ? "waiting" : "failed"

/**
 * Of two states of one time the one that was changed later counts. What Polar leaves out of that, the later of the two times
 * at which it was granted and revoked tells; "revoked" is never above "granted", because the id comes back to life.
 */
const lastMillis = ({ createdAt, grantedAt, modifiedAt, revokedAt }: BenefitGrant): number => {
  const changedAt = modifiedAt ?? createdAt
  return Math.max(changedAt === null ? 0 : toMillis(changedAt), grantedAt?.getTime() ?? 0, revokedAt?.getTime() ?? 0)
}

const fromStored = jsonDecoderOf(PolarBenefitGrant)

const reportOf = (grant: BenefitGrant, { customer, organizationId }: Context): RecordReport => ({
  kind: "benefit_grant",
  id: grant.id,
  customer: {
    id: grant.customerId,
    externalId: customer?.external_id ?? null,
    email: customer?.email ?? null
  },
  metadataUserId: null,
  isRecorded: false,
  organizationId,
  productId: null,
  subscriptionId: grant.subscriptionId,
  orderId: grant.orderId,
  benefitId: grant.benefitId,
  checkoutId: null,
  status: statusOf(grant),
  live: grant.isGranted,
  endsAt: null,
  precedence: packPrecedence(false, lastMillis(grant), 0),
  changedAt: grant.modifiedAt ?? grant.createdAt,
  summary: JSON.stringify({ type: grant.benefit?.type ?? null }),
  data: encodeStored(grant)
})

/** A state says of the benefit only what its own events say better. */
const withDetails = (listed: RecordColumns, details: RecordColumns): RecordColumns =>
  Option.match(Option.all([fromStored(listed.data), fromStored(details.data)]), {
    // What no version has written says nothing more.
    onNone: () => listed,
    onSome: ([grant, { benefit, memberId, orderId, subscriptionId }]) =>
      reportOf(
        { ...grant, memberId, orderId, subscriptionId, benefit: benefit ?? grant.benefit },
        { customer: null, organizationId: listed.organizationId ?? details.organizationId }
      )
  })

export const benefitGrantKind: ListedKind<BenefitGrant> = {
  name: "benefit_grant",
  isOwned: true,
  eventTypes: ["benefit_grant.created", "benefit_grant.updated", "benefit_grant.cycled", "benefit_grant.revoked"],
  read: (data) =>
    Either.zipWith(decodeGrant(data), decodeContext(data), (grant, { benefit, customer }) =>
      reportOf(grant, { customer, organizationId: benefit?.organizationId ?? customer?.organization_id ?? null })
    ),
  withDetails,
  fromStored,
  // Accounts elsewhere, and the address that was invited.
  personal: ["properties"],
  list: { path: "/v1/benefit-grants/", sorting: "created_at", byMetadata: false },
  view: [
    { name: "member_id", key: "member_id", type: "text" },
    { name: "is_granted", key: "is_granted", type: "flag" },
    { name: "granted_at", key: "granted_at", type: "time" },
    { name: "revoked_at", key: "revoked_at", type: "time" },
    { name: "created_at", key: "created_at", type: "time" }
  ]
}

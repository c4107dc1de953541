/**
 * A customer's state: what Polar says of all that a customer has at one moment. It lists the subscriptions that are active,
 * the benefits that are granted and the balances of meters; it does not list orders, seats, members, or subscriptions that are
 * past due or paused, so that one is not in it proves nothing (Polar's API reference, object `CustomerState`). What it lists also
 * becomes records of their own kinds: `listedRecords.ts`.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { BenefitGrantId, BenefitId, CustomerId, ProductId, SubscriptionId, text } from "../values/ids.ts"
import { type EpochMicros, EpochMicrosFromString, toMillis } from "../values/Timestamp.ts"
import { informative, listOf, renamed, shownText } from "../values/wire.ts"
import { type Kind, packPrecedence } from "./Kind.ts"
import { unattached } from "./RecordReport.ts"

const changes = {
  createdAt: informative("created_at", EpochMicrosFromString),
  modifiedAt: informative("modified_at", EpochMicrosFromString)
}

/** What is read of Polar's state, and, encoded, what is stored of it. */
export const PolarCustomerState = Schema.Struct({
  id: CustomerId,
  activeSubscriptions: listOf(
    "active_subscriptions",
    Schema.Struct({
      id: SubscriptionId,
      productId: renamed("product_id", ProductId),
      status: informative("status", shownText),
      ...changes
    })
  ),
  grantedBenefits: listOf(
    "granted_benefits",
    Schema.Struct({
      id: BenefitGrantId,
      benefitId: renamed("benefit_id", BenefitId),
      type: informative("benefit_type", shownText),
      ...changes
    })
  ),
  /** Balances lag behind what was used: by seconds, and up to hours of a customer who never pauses. */
  activeMeters: listOf(
    "active_meters",
    Schema.Struct({
      id: text(64),
      meterId: renamed("meter_id", text(64)),
      consumedUnits: informative("consumed_units", Schema.Finite),
      creditedUnits: informative("credited_units", Schema.Finite),
      balance: informative("balance", Schema.Finite),
      ...changes
    })
  )
})

export interface CustomerState extends Schema.Schema.Type<typeof PolarCustomerState> {}

const Context = Schema.Struct({ organization_id: informative("organization_id", text(64)) })

const decodeState = decoderOf(PolarCustomerState)
const decodeContext = decoderOf(Context)
const encodeStored = Schema.encodeSync(Schema.parseJson(PolarCustomerState))

/** When the last of what it lists was changed. */
const changedAtOf = ({ activeMeters, activeSubscriptions, grantedBenefits }: CustomerState): EpochMicros | null =>
  [...activeMeters, ...activeSubscriptions, ...grantedBenefits].reduce<EpochMicros | null>(
    (last, { createdAt, modifiedAt }) => {
      const at = modifiedAt ?? createdAt
      return at !== null && (last === null || at > last) ? at : last
    },
    null
  )

export const customerStateKind: Kind<CustomerState> = {
  name: "customer_state",
  isOwned: false,
  // It comes with the customer's: `customer.state_changed` carries both.
  eventTypes: [],
  read: (data) =>
    Either.zipWith(decodeState(data), decodeContext(data), (state, { organization_id: organizationId }) => {
      const changedAt = changedAtOf(state)
      return {
        ...unattached,
        kind: "customer_state",
        id: state.id,
        customer: { id: state.id, externalId: null, email: null },
        organizationId,
        status: "current",
        live: true,
        precedence: packPrecedence(false, changedAt === null ? null : toMillis(changedAt), 0),
        changedAt,
        summary: "{}",
        data: encodeStored(state)
      }
    }),
  fromStored: jsonDecoderOf(PolarCustomerState),
  personal: [],
  list: undefined,
  view: []
}

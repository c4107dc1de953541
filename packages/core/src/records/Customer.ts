/**
 * Customers: who buys, as Polar knows them. Whose customer one is, the links say (`kavach_polar_customers`); addresses and tax
 * numbers are not kept.
 *
 * Sources: Polar's API reference, objects `Customer` and `CustomerState`; Polar docs: webhooks/events.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { CustomerId, text } from "../values/ids.ts"
import { DateFromTimestamp, EpochMicrosFromString, toMillis } from "../values/Timestamp.ts"
import { anyRecord, informative, shownText } from "../values/wire.ts"
import { type ListedKind, packPrecedence } from "./Kind.ts"
import { PolarCustomer } from "./PolarObjects.ts"
import { unattached } from "./RecordReport.ts"

/** What is read of Polar's customer, and, encoded, what is stored of it. */
export const PolarCustomerRecord = Schema.Struct({
  id: CustomerId,
  /** The app's user id, when somebody set it. */
  externalId: informative("external_id", shownText),
  email: informative("email", shownText),
  name: informative("name", shownText),
  /** `individual`, or `team` once it has bought seats. */
  type: informative("type", shownText),
  emailVerified: informative("email_verified", Schema.Boolean),
  locale: informative("locale", shownText),
  deletedAt: informative("deleted_at", DateFromTimestamp),
  createdAt: informative("created_at", EpochMicrosFromString),
  modifiedAt: informative("modified_at", EpochMicrosFromString),
  metadata: anyRecord("metadata")
})

export interface Customer extends Schema.Schema.Type<typeof PolarCustomerRecord> {}

const Context = Schema.Struct({ organization_id: informative("organization_id", text(64)) })

/** What decides whose things are is read as wherever else a customer is named. */
const decodeIdentity = decoderOf(PolarCustomer)
const decodeCustomer = decoderOf(PolarCustomerRecord)
const decodeContext = decoderOf(Context)
const encodeStored = Schema.encodeSync(Schema.parseJson(PolarCustomerRecord))

const decodeStored = jsonDecoderOf(PolarCustomerRecord)

/** The address in a stored customer, in lower case; `null` where it is not known, or not kept any more. */
export const addressIn = (data: string): string | null =>
  Option.getOrNull(Option.flatMapNullable(decodeStored(data), ({ email }) => email?.toLowerCase()))

export const customerKind: ListedKind<Customer> = {
  name: "customer",
  isOwned: false,
  eventTypes: ["customer.created", "customer.updated", "customer.deleted", "customer.state_changed"],
  read: (data, event) =>
    Either.map(
      Either.all([decodeIdentity(data), decodeCustomer(data), decodeContext(data)]),
      ([identity, customer, { organization_id: organizationId }]) => {
        const deletedAt =
          customer.deletedAt ?? (event?.type === "customer.deleted" ? new Date(toMillis(event.at)) : null)
        const changedAt = customer.modifiedAt ?? customer.createdAt
        return {
          ...unattached,
          kind: "customer",
          id: customer.id,
          customer: { id: customer.id, externalId: identity.external_id, email: identity.email },
          organizationId,
          status: deletedAt === null ? "active" : "deleted",
          live: deletedAt === null,
          precedence: packPrecedence(deletedAt !== null, changedAt === null ? null : toMillis(changedAt), 0),
          changedAt,
          summary: JSON.stringify({ type: customer.type }),
          data: encodeStored({ ...customer, deletedAt })
        }
      }
    ),
  fromStored: decodeStored,
  personal: ["email", "name"],
  userIds: ["external_id"],
  list: { path: "/v1/customers/", sorting: "created_at", byMetadata: false },
  viewName: "kavach_polar_customer_records",
  view: [
    { name: "external_id", key: "external_id", type: "text" },
    { name: "email", key: "email", type: "text" },
    { name: "name", key: "name", type: "text" },
    { name: "type", key: "type", type: "text" },
    { name: "email_verified", key: "email_verified", type: "flag" },
    { name: "deleted_at", key: "deleted_at", type: "time" },
    { name: "created_at", key: "created_at", type: "time" }
  ]
}

/**
 * Seats: places in a subscription or an order that a team gives to its people. Polar uses a seat's id again: what was taken
 * from one person is given to the next under it, so "revoked" is never the end of it.
 *
 * What is stored tells who has the seat now. Of whoever had it nothing stays, nor of anybody who is no customer's: nobody
 * could find that again to forget it.
 *
 * Sources: Polar's API reference, object `CustomerSeat`; Polar docs: features/seat-based-pricing, webhooks/events.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { CustomerId, MemberId, OrderId, SeatId, SubscriptionId, text } from "../values/ids.ts"
import { DateFromTimestamp, EpochMicrosFromString, toMillis } from "../values/Timestamp.ts"
import { anyRecord, informative, nullable, shownText } from "../values/wire.ts"
import { type Kind, packPrecedence } from "./Kind.ts"
import { unattached } from "./RecordReport.ts"

/** At one time the later stands: a seat that was given again is never below one that was taken. */
export const seatStatuses = ["revoked", "pending", "claimed"] as const
export type SeatStatus = (typeof seatStatuses)[number] | (string & {})

const SeatStatus: Schema.Schema<SeatStatus, string> = text(64)

/** What is read of Polar's seat, and, encoded, what is stored of it. */
export const PolarCustomerSeat = Schema.Struct({
  id: SeatId,
  status: SeatStatus,
  subscriptionId: nullable("subscription_id", SubscriptionId),
  orderId: nullable("order_id", OrderId),
  /** The team's; of an organization without members, the person's own. */
  customerId: nullable("customer_id", CustomerId),
  memberId: informative("member_id", MemberId),
  /** Whoever has it, as they were when it was given: a later change of a member comes as an event of the member's. */
  member: informative(
    "member",
    Schema.Struct({
      customerId: informative("customer_id", CustomerId),
      externalId: informative("external_id", shownText),
      email: informative("email", shownText),
      name: informative("name", shownText),
      role: informative("role", shownText)
    })
  ),
  email: informative("email", shownText),
  /** Until when the invitation can be accepted. Polar says nothing when that is over. */
  invitationExpiresAt: informative("invitation_token_expires_at", DateFromTimestamp),
  claimedAt: informative("claimed_at", DateFromTimestamp),
  revokedAt: informative("revoked_at", DateFromTimestamp),
  createdAt: informative("created_at", EpochMicrosFromString),
  modifiedAt: informative("modified_at", EpochMicrosFromString),
  metadata: anyRecord("seat_metadata")
})

export interface CustomerSeat extends Schema.Schema.Type<typeof PolarCustomerSeat> {}

const decodeSeat = decoderOf(PolarCustomerSeat)
const encodeStored = Schema.encodeSync(Schema.parseJson(PolarCustomerSeat))

const rank = (status: string): number => {
  const place = (seatStatuses as ReadonlyArray<string>).indexOf(status)
  return place < 0 ? seatStatuses.length : place
}

const lastMillis = ({ claimedAt, createdAt, modifiedAt, revokedAt }: CustomerSeat): number => {
  const changedAt = modifiedAt ?? createdAt
  return Math.max(changedAt === null ? 0 : toMillis(changedAt), claimedAt?.getTime() ?? 0, revokedAt?.getTime() ?? 0)
}

const vacated: Pick<CustomerSeat, "memberId" | "member" | "email" | "metadata"> = {
  memberId: null,
  member: null,
  email: null,
  metadata: {}
}

export const customerSeatKind: Kind<CustomerSeat> = {
  name: "customer_seat",
  isOwned: false,
  namesOrganization: false,
  eventTypes: ["customer_seat.assigned", "customer_seat.claimed", "customer_seat.revoked"],
  read: (data) =>
    Either.map(decodeSeat(data), (seat) => {
      const customerId = seat.customerId ?? seat.member?.customerId ?? null
      return {
        ...unattached,
        kind: "customer_seat",
        id: seat.id,
        customer: { id: customerId, externalId: null, email: null },
        subscriptionId: seat.subscriptionId,
        orderId: seat.orderId,
        status: seat.status,
        // One that is offered is taken, too.
        live: seat.status === "claimed" || seat.status === "pending",
        precedence: packPrecedence(false, lastMillis(seat), rank(seat.status)),
        changedAt: seat.modifiedAt ?? seat.createdAt,
        summary: JSON.stringify({ member_id: seat.status === "revoked" ? null : seat.memberId }),
        data: encodeStored(seat.status === "revoked" || customerId === null ? { ...seat, ...vacated } : seat)
      }
    }),
  fromStored: jsonDecoderOf(PolarCustomerSeat),
  personal: ["email", "member", "seat_metadata"],
  // Polar lists the seats of one subscription or order, and not all.
  list: undefined,
  view: [
    { name: "member_id", key: "member_id", type: "text" },
    { name: "email", key: "email", type: "text" },
    { name: "invitation_expires_at", key: "invitation_token_expires_at", type: "time" },
    { name: "claimed_at", key: "claimed_at", type: "time" },
    { name: "revoked_at", key: "revoked_at", type: "time" },
    { name: "created_at", key: "created_at", type: "time" }
  ]
}

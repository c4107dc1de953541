/**
 * Members: the people of a team that buys together. The customer is the team; a member is one of its people, with their own
 * external id. Of a member whom Polar has deleted, no name and no address stays.
 *
 * Polar makes some members without an event: when a seat is given to an address, for one. Then the seat names them.
 *
 * Sources: Polar's API reference, object `Member`; Polar docs: features/team-management, webhooks/events.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoderOf, jsonDecoderOf } from "../values/decoderOf.ts"
import { CustomerId, MemberId } from "../values/ids.ts"
import { EpochMicrosFromString, toMillis } from "../values/Timestamp.ts"
import { informative, renamed, shownText } from "../values/wire.ts"
import { type ListedKind, packPrecedence } from "./Kind.ts"
import { unattached } from "./RecordReport.ts"

/** What is read of Polar's member, and, encoded, what is stored of it. */
export const PolarMember = Schema.Struct({
  id: MemberId,
  /** The team's. */
  customerId: renamed("customer_id", CustomerId),
  /** The app's user id of this person, where the app has told Polar. */
  externalId: informative("external_id", shownText),
  email: informative("email", shownText),
  name: informative("name", shownText),
  /** `owner`, `billing_manager` or `member`: the first two may manage what the team pays. */
  role: informative("role", shownText),
  /** Polar sends it as it was, and says by the event that it is gone. */
  isDeleted: informative("is_deleted", Schema.Boolean),
  createdAt: informative("created_at", EpochMicrosFromString),
  modifiedAt: informative("modified_at", EpochMicrosFromString)
})

export interface Member extends Schema.Schema.Type<typeof PolarMember> {}

const decodeMember = decoderOf(PolarMember)
const encodeStored = Schema.encodeSync(Schema.parseJson(PolarMember))

export const memberKind: ListedKind<Member> = {
  name: "member",
  isOwned: false,
  namesOrganization: false,
  eventTypes: ["member.created", "member.updated", "member.deleted"],
  read: (data, event) =>
    Either.map(decodeMember(data), (member) => {
      const isDeleted = event?.type === "member.deleted" || member.isDeleted === true
      const changedAt = member.modifiedAt ?? member.createdAt
      return {
        ...unattached,
        kind: "member",
        id: member.id,
        // Like all that a team has it is the team's user's: the member's own external id is not the customer's.
        customer: { id: member.customerId, externalId: null, email: null },
        status: isDeleted ? "deleted" : "active",
        live: !isDeleted,
        precedence: packPrecedence(isDeleted, changedAt === null ? null : toMillis(changedAt), 0),
        changedAt,
        summary: JSON.stringify({ role: member.role }),
        data: encodeStored({ ...member, isDeleted, ...(isDeleted ? { email: null, name: null } : {}) })
      }
    }),
  fromStored: jsonDecoderOf(PolarMember),
  personal: ["email", "name"],
  userIds: ["external_id"],
  list: { path: "/v1/members/", sorting: "created_at", byMetadata: false },
  view: [
    { name: "external_id", key: "external_id", type: "text" },
    { name: "email", key: "email", type: "text" },
    { name: "name", key: "name", type: "text" },
    { name: "role", key: "role", type: "text" },
    { name: "created_at", key: "created_at", type: "time" }
  ]
}

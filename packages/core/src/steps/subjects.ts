/** The subjects of notifications: what is told of one subject is told in order, and to one handler. */
import { recordKey } from "../records/RecordReport.ts"
import type { RecordFact } from "../records/rows.ts"
import { type ChangeHandler, type HandlerNames, handlersOfEvent } from "../rules/handlers.ts"
import { shortHash } from "../values/shortHash.ts"
import type { RecordId } from "./Step.ts"

/** At most 64 characters, which is what the column holds. */
const subject = (handler: string, of: string): string => `${handler.slice(0, 40)} ${shortHash(`${handler} ${of}`)}`

/** What the app is shown of a record has the record's id for a subject. */
export const recordSubject = ({ id }: RecordId): string => id

/** What a user who has lost a record is told: nothing that the new one is told later takes its place. */
export const lostSubject = ({ id }: RecordId, userId: string): string => `moved ${shortHash(`${id} ${userId}`)}`

export const accessSubject = (userId: string): string => subject("onAccessChange", userId)

export const benefitSubject = (userId: string, benefitId: string): string =>
  subject("onBenefitChange", `${userId} ${benefitId}`)

export const orderSubject = (handler: ChangeHandler, orderId: string): string => subject(handler, orderId)

/** Events of one record are told in order; one that is about none has an order of its own. */
export const eventSubject = (handler: string, deliveryId: string, record: RecordId | null): string =>
  subject(handler, record === null ? deliveryId : recordKey(record))

/** Of an event about this record, to those who hear it. */
export const subjectsOfEvent = (
  names: HandlerNames,
  type: string,
  deliveryId: string,
  record: RecordId | null
): ReadonlyArray<string> => [
  ...handlersOfEvent(names, type).map((handler) => eventSubject(handler, deliveryId, record)),
  ...(record?.kind === "order"
    ? (["onPurchase", "onRefund"] as const).flatMap((handler) =>
        names.has(handler) ? [orderSubject(handler, record.id)] : []
      )
    : [])
]

/** Of which the next place in the order is made from what is queued: no event says one. */
export const sequencedSubjects = (
  names: HandlerNames,
  userIds: Iterable<string>,
  records: Iterable<Pick<RecordFact, "kind" | "benefitId">>
): ReadonlyArray<string> => {
  const users = [...userIds]
  const benefits = names.has("onBenefitChange")
    ? new Set([...records].flatMap(({ benefitId, kind }) => (kind === "benefit_grant" ? [benefitId ?? ""] : [])))
    : new Set<string>()
  return [
    ...(names.has("onAccessChange") ? users.map(accessSubject) : []),
    ...users.flatMap((userId) => [...benefits].map((benefitId) => benefitSubject(userId, benefitId)))
  ]
}

/** Gathers what a step asks about, each key once. */
import { type RecordReport, recordKey } from "../records/RecordReport.ts"
import { type HandlerNames, isSequenced, onlySubscriptions } from "../rules/handlers.ts"
import { asUserId } from "../rules/identity.ts"
import type { Keys, RecordId } from "./Step.ts"

/** What of a record leads to its user. */
export interface OwnershipEvidence
  extends RecordId,
    Pick<RecordReport, "customer" | "metadataUserId" | "isRecorded" | "subscriptionId" | "orderId" | "checkoutId"> {}

/** What a record hangs on, the nearest first. */
export const parentsOf = ({
  orderId,
  subscriptionId
}: Pick<RecordReport, "subscriptionId" | "orderId">): ReadonlyArray<RecordId> => [
  ...(orderId === null ? [] : [{ kind: "order", id: orderId }]),
  ...(subscriptionId === null ? [] : [{ kind: "subscription", id: subscriptionId }])
]

/** Whether anything can hang on it. */
export const isParent = ({ kind }: RecordId): boolean => kind === "order" || kind === "subscription"

export interface KeyCollector {
  readonly delivery: (id: string) => void
  /** A customer, and the user that its external id names. */
  readonly customer: (id: string, externalId: string | null) => void
  /** A record, its customer, what it hangs on, and every user it could be of. */
  readonly record: (evidence: OwnershipEvidence) => void
  /** The same for one that a customer's state lists: its `data` is wanted, too. */
  readonly listed: (evidence: OwnershipEvidence) => void
  /** A customer of whom nothing personal is to be kept. */
  readonly forgotten: (customerId: string) => void
  /** Subjects of which something may be told. */
  readonly subjects: (subjects: ReadonlyArray<string>) => void
  readonly keys: () => Keys
}

/** A step's keys where more is to be told than what the rest of them asks for. */
export const heardBy = (handlers: HandlerNames = onlySubscriptions): Pick<Keys, "handlers"> =>
  isSequenced(handlers) ? { handlers } : {}

/** `handlers`: who is to be told of what the step does. */
export const make = (handlers: HandlerNames = onlySubscriptions): KeyCollector => {
  const subjects = new Set<string>()
  const deliveryIds = new Set<string>()
  const customerIds = new Set<string>()
  const checkoutIds = new Set<string>()
  const userIds = new Set<string>()
  const forgotten = new Set<string>()
  const records = new Map<string, RecordId>()
  const parents = new Map<string, RecordId>()
  const detailed = new Map<string, RecordId>()

  const customer = (id: string, externalId: string | null) => {
    customerIds.add(id)
    const userId = asUserId(externalId)
    if (userId !== null) userIds.add(userId)
  }

  const record = (evidence: OwnershipEvidence) => {
    for (const { id, kind } of [evidence, ...parentsOf(evidence)]) records.set(recordKey({ kind, id }), { kind, id })
    if (isParent(evidence)) parents.set(recordKey(evidence), { kind: evidence.kind, id: evidence.id })
    if (evidence.customer.id !== null) customer(evidence.customer.id, evidence.customer.externalId)
    if (evidence.checkoutId !== null) checkoutIds.add(evidence.checkoutId)
    if (evidence.metadataUserId !== null) userIds.add(evidence.metadataUserId)
  }

  return {
    delivery: (id) => deliveryIds.add(id),
    customer,
    record,
    listed: (evidence) => {
      record(evidence)
      detailed.set(recordKey(evidence), { kind: evidence.kind, id: evidence.id })
    },
    forgotten: (customerId) => forgotten.add(customerId),
    subjects: (some) => {
      for (const subject of some) subjects.add(subject)
    },
    keys: () => ({
      ...(forgotten.size === 0 ? {} : { forgottenCustomerIds: [...forgotten] }),
      ...(detailed.size === 0 ? {} : { detailed: [...detailed.values()] }),
      ...(subjects.size === 0 ? {} : { subjects: [...subjects] }),
      ...heardBy(handlers),
      deliveryIds: [...deliveryIds],
      customerIds: [...customerIds],
      records: [...records.values()],
      parents: [...parents.values()],
      checkoutIds: [...checkoutIds],
      userIds: [...userIds],
      originIds: []
    })
  }
}

/** Gathers what a step asks about, each key once. */
import { type RecordReport, recordKey } from "../records/RecordReport.ts"
import { asUserId } from "../rules/identity.ts"
import type { Keys, RecordId } from "./Step.ts"

/** What of a record leads to its user. */
export interface OwnershipEvidence
  extends RecordId,
    Pick<RecordReport, "customer" | "metadataUserId" | "subscriptionId" | "orderId" | "checkoutId"> {}

/** What a record hangs on, the nearest first. */
export const parentsOf = ({
  orderId,
  subscriptionId
}: Pick<RecordReport, "subscriptionId" | "orderId">): ReadonlyArray<RecordId> => [
  ...(orderId === null ? [] : [{ kind: "order", id: orderId }]),
  ...(subscriptionId === null ? [] : [{ kind: "subscription", id: subscriptionId }])
]

export interface KeyCollector {
  readonly delivery: (id: string) => void
  /** A customer, and the user that its external id names. */
  readonly customer: (id: string, externalId: string | null) => void
  /** A record, its customer, what it hangs on, and every user it could be of. */
  readonly record: (evidence: OwnershipEvidence) => void
  readonly keys: () => Keys
}

export const make = (): KeyCollector => {
  const deliveryIds = new Set<string>()
  const customerIds = new Set<string>()
  const checkoutIds = new Set<string>()
  const userIds = new Set<string>()
  const records = new Map<string, RecordId>()

  const customer = (id: string, externalId: string | null) => {
    customerIds.add(id)
    const userId = asUserId(externalId)
    if (userId !== null) userIds.add(userId)
  }

  return {
    delivery: (id) => deliveryIds.add(id),
    customer,
    record: (evidence) => {
      for (const { id, kind } of [evidence, ...parentsOf(evidence)]) records.set(recordKey({ kind, id }), { kind, id })
      if (evidence.customer.id !== null) customer(evidence.customer.id, evidence.customer.externalId)
      if (evidence.checkoutId !== null) checkoutIds.add(evidence.checkoutId)
      if (evidence.metadataUserId !== null) userIds.add(evidence.metadataUserId)
    },
    keys: () => ({
      deliveryIds: [...deliveryIds],
      customerIds: [...customerIds],
      records: [...records.values()],
      checkoutIds: [...checkoutIds],
      userIds: [...userIds]
    })
  }
}

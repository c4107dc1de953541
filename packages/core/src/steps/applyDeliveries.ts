/**
 * The step that deliveries go through: what each of them changes, given what the store holds.
 *
 * Many deliveries can share one step; they are gone through in the given order, each seeing what those before it did.
 */
import type * as Arr from "effect/Array"
import type { Delivery, DeliveryOutcome, DeliveryState } from "../records/Delivery.ts"
import type { CustomerEvent, RecordEvent } from "../records/PolarEvent.ts"
import type { DeliveryRow, QueuedNotificationRow } from "../records/rows.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import { asUserId } from "../rules/identity.ts"
import { supersedes, versionOf } from "../rules/order.ts"
import type { UserId } from "../values/ids.ts"
import type { EpochMicros } from "../values/Timestamp.ts"
import * as KeyCollector from "./keys.ts"
import { rowOf } from "./recordRow.ts"
import type { Keys, RecordId, Step } from "./Step.ts"
import * as WorkingCopy from "./workingCopy.ts"

export interface ApplyOptions {
  readonly policy: AccessPolicy
  /** Epoch milliseconds. */
  readonly now: number
  /** Whether deliveries that were dealt with before run again all the same. Default: false. */
  readonly replay?: boolean | undefined
  /** What the step may claim of the notifications that it queues. Default: nothing. */
  readonly claim?: WorkingCopy.StepClaim | undefined
  /** Whether anybody is to be told. Default: true. */
  readonly notify?: boolean | undefined
}

export interface AppliedDeliveries {
  /** One for each delivery, in the same order. */
  readonly outcomes: Arr.NonEmptyReadonlyArray<DeliveryOutcome>
  readonly queued: ReadonlyArray<QueuedNotificationRow>
}

export const applyDeliveries = (
  deliveries: Arr.NonEmptyReadonlyArray<Delivery>,
  { claim, notify, now, policy, replay = false }: ApplyOptions
): Step<AppliedDeliveries> => ({
  keys: keysOf(deliveries),
  decide: (facts) => {
    const copy = WorkingCopy.make(facts, { policy, now, claim, notify })
    const [first, ...rest] = deliveries
    const outcomes: Arr.NonEmptyReadonlyArray<DeliveryOutcome> = [
      applyOne(copy, first, now, replay),
      ...rest.map((delivery) => applyOne(copy, delivery, now, replay))
    ]
    const changes = copy.changes()
    return { changes, answer: { outcomes, queued: changes.notifications } }
  }
})

/** States that a further delivery of the same event may still change. */
const unsettled: ReadonlySet<DeliveryState> = new Set<DeliveryState>(["failed", "unlinked"])

const applyOne = (copy: WorkingCopy.WorkingCopy, delivery: Delivery, now: number, replay: boolean): DeliveryOutcome => {
  const prior = copy.delivery(delivery.id)
  if (prior !== undefined && !replay && !unsettled.has(prior.state)) {
    return {
      id: delivery.id,
      state: prior.state,
      duplicate: true,
      userId: prior.userId as UserId | null,
      notified: false
    }
  }
  const queuedBefore = copy.queued()
  const result = applyContent(copy, delivery, now)
  // What was applied once stays so, although a replay may find that something newer has come since.
  const state = prior?.state === "applied" ? "applied" : result.state
  copy.recordDelivery({
    id: delivery.id,
    type: result.type,
    state,
    eventAt: result.at,
    receivedAt: delivery.receivedAt,
    updatedAt: now,
    customerId: result.customerId ?? null,
    recordKind: result.record?.kind ?? null,
    recordId: result.record?.id ?? null,
    userId: result.userId ?? null,
    attempts: (prior?.attempts ?? 0) + 1,
    lastError: result.problem ?? null,
    body: delivery.body
  } satisfies DeliveryRow)
  return {
    id: delivery.id,
    state,
    duplicate: false,
    userId: result.userId ?? null,
    notified: copy.queued() > queuedBefore
  }
}

interface Applied {
  readonly state: DeliveryState
  readonly type: string
  readonly at: EpochMicros | null
  readonly customerId?: string | null
  readonly record?: RecordId
  readonly userId?: UserId | null
  readonly problem?: string
}

const applyContent = (copy: WorkingCopy.WorkingCopy, { content, id }: Delivery, now: number): Applied => {
  switch (content._tag) {
    case "UnreadableEvent":
      return { state: "failed", type: content.type ?? "unreadable", at: content.at, problem: content.problem }
    case "ForeignEvent":
      return {
        state: "ignored",
        type: content.type,
        at: content.at,
        problem: "the event belongs to another organization"
      }
    case "OtherEvent":
      return { state: "ignored", type: content.type, at: content.at }
    case "CustomerEvent":
      return applyCustomer(copy, content, now)
    case "RecordEvent":
      return applyRecord(copy, content, id, now)
  }
}

const applyCustomer = (copy: WorkingCopy.WorkingCopy, { at, customer, type }: CustomerEvent, now: number): Applied => {
  const deleted = type === "customer.deleted" || customer.deleted_at !== null
  const externalId = asUserId(customer.external_id)
  // Also of one that is deleted: its external id was never another user's, and what it bought may yet be delivered.
  if (externalId !== null) copy.linkCustomer(customer.id, externalId, "external_id")
  if (deleted) copy.markCustomerDeleted(customer.id, customer.deleted_at?.getTime() ?? now)
  const userId = (copy.link(customer.id)?.userId ?? null) as UserId | null
  const state = userId !== null ? "applied" : deleted ? "ignored" : "unlinked"
  return { state, type, at, customerId: customer.id, userId }
}

const applyRecord = (copy: WorkingCopy.WorkingCopy, event: RecordEvent, deliveryId: string, now: number): Applied => {
  const { at, report, type } = event
  const { id, kind } = report
  const owner = copy.identify(report)
  const userId = owner?.userId ?? null
  const state = userId === null ? "unlinked" : "applied"
  const applied: Applied = { type, at, customerId: report.customer.id, record: { kind, id }, userId, state }
  const stored = copy.record(report)
  const version = { at, precedence: report.precedence }
  if (stored !== undefined && !supersedes(version, versionOf(stored))) {
    return stored.deliveryId === deliveryId ? applied : { ...applied, state: "stale" }
  }
  copy.write(rowOf(report, { owner, version, deliveryId, now }))
  return applied
}

const keysOf = (deliveries: Iterable<Delivery>): Keys => {
  const wanted = KeyCollector.make()
  for (const { content, id } of deliveries) {
    wanted.delivery(id)
    if (content._tag === "CustomerEvent") wanted.customer(content.customer.id, content.customer.external_id)
    if (content._tag === "RecordEvent") wanted.record(content.report)
  }
  return wanted.keys()
}

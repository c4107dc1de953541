/**
 * The step that deliveries go through: what each of them changes, given what the store holds.
 *
 * Many deliveries can share one step; they are gone through in the given order, each seeing what those before it did.
 */
import type * as Arr from "effect/Array"
import type { Delivery, DeliveryOutcome, DeliveryState } from "../records/Delivery.ts"
import { kindNamed } from "../records/kinds.ts"
import type { CustomerEvent, RecordEvent } from "../records/PolarEvent.ts"
import type { RecordReport } from "../records/RecordReport.ts"
import type { DeliveryRow, QueuedNotificationRow } from "../records/rows.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import { isErased } from "../rules/erasure.ts"
import { type HandlerNames, onlySubscriptions } from "../rules/handlers.ts"
import type { AppUsers } from "../rules/identity.ts"
import { supersedes, versionOf } from "../rules/order.ts"
import type { UserId } from "../values/ids.ts"
import type { EpochMicros } from "../values/Timestamp.ts"
import { applyListed, fillIn } from "./applyListed.ts"
import * as KeyCollector from "./keys.ts"
import type { HappenedEvent, StepClaim } from "./notificationQueue.ts"
import { rowOf } from "./recordRow.ts"
import { type Keys, noChanges, type RecordId, type Step } from "./Step.ts"
import { subjectsOfEvent } from "./subjects.ts"
import * as WorkingCopy from "./workingCopy.ts"

export interface ApplyOptions {
  readonly policy: AccessPolicy
  /** Epoch milliseconds. */
  readonly now: number
  /** Whether deliveries that were dealt with before run again all the same. Default: false. */
  readonly replay?: boolean | undefined
  /** What the step may claim of the notifications that it queues. Default: nothing. */
  readonly claim?: StepClaim | undefined
  /** Whoever is to be told. Default: who hears of subscriptions. */
  readonly handlers?: HandlerNames | undefined
  /** With `replay`: whether handlers of events are told again of what they were told before. Default: false. */
  readonly tellAgain?: boolean | undefined
  /** Decide and answer as ever, and write nothing. Default: false. */
  readonly dryRun?: boolean | undefined
  /** Whom of those that Polar names the app has. */
  readonly users?: AppUsers | undefined
}

export interface AppliedDeliveries {
  /** One for each delivery, in the same order. */
  readonly outcomes: Arr.NonEmptyReadonlyArray<DeliveryOutcome>
  readonly queued: ReadonlyArray<QueuedNotificationRow>
}

export const applyDeliveries = (
  deliveries: Arr.NonEmptyReadonlyArray<Delivery>,
  { claim, dryRun = false, handlers, now, policy, replay = false, tellAgain = false, users }: ApplyOptions
): Step<AppliedDeliveries> => ({
  keys: keysOf(deliveries, handlers ?? onlySubscriptions),
  decide: (facts) => {
    const copy = WorkingCopy.make(facts, { policy, now, claim, handlers, users: withExisting(users, deliveries) })
    const apply = (delivery: Delivery) => applyOne(copy, delivery, { now, replay, tellAgain })
    const [first, ...rest] = deliveries
    const outcomes: Arr.NonEmptyReadonlyArray<DeliveryOutcome> = [apply(first), ...rest.map(apply)]
    const changes = copy.changes()
    return { changes: dryRun ? noChanges : changes, answer: { outcomes, queued: changes.notifications } }
  }
})

const withExisting = (users: AppUsers | undefined, deliveries: ReadonlyArray<Delivery>): AppUsers => ({
  ...users,
  existing: new Set(
    [users?.existing, ...deliveries.map(({ existingUsers }) => existingUsers)].flatMap((some) => [...(some ?? [])])
  )
})

/** States that a further delivery of the same event may still change. */
const unsettled: ReadonlySet<DeliveryState> = new Set<DeliveryState>(["failed", "unlinked"])

const applyOne = (
  copy: WorkingCopy.WorkingCopy,
  delivery: Delivery,
  { now, replay, tellAgain }: { readonly now: number; readonly replay: boolean; readonly tellAgain: boolean }
): DeliveryOutcome => {
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
  copy.tracedAs(delivery.traceparent ?? null)
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
    body: isForgotten(copy, result, delivery) ? null : delivery.body
  } satisfies DeliveryRow)
  // Until it could be read, it was told nobody.
  const isNews = prior === undefined || prior.state === "failed"
  if (isNews || tellAgain) tellEvent(copy, delivery, result, !isNews)
  copy.tellUsers({ by: "event", type: result.type, deliveryId: delivery.id })
  return {
    id: delivery.id,
    state,
    duplicate: false,
    userId: result.userId ?? null,
    notified: copy.queued() > queuedBefore
  }
}

/** What is no event, or another organization's, is told nobody. */
const tellEvent = (
  copy: WorkingCopy.WorkingCopy,
  { content, id }: Delivery,
  { userId }: Applied,
  isAgain: boolean
): void => {
  const event = heardEvent(content)
  if (event !== undefined) copy.tellEvent({ ...event, deliveryId: id, userId: userId ?? null, isAgain })
}

const heardEvent = (
  content: Delivery["content"]
): Pick<HappenedEvent, "at" | "precedence" | "record" | "type"> | undefined => {
  switch (content._tag) {
    case "UnreadableEvent":
    case "ForeignEvent":
      return undefined
    case "OtherEvent":
      return { at: content.at, type: content.type, precedence: 0, record: null }
    case "CustomerEvent": {
      const { at, customer, type } = content
      return { at, type, precedence: 0, record: { kind: "customer", id: customer.id } }
    }
    case "RecordEvent": {
      const { at, report, type } = content
      return { at, type, precedence: report.precedence, record: { kind: report.kind, id: report.id } }
    }
  }
}

/** Of a person whom Polar has deleted or made anonymous, or whom the app has erased. */
const isForgotten = (copy: WorkingCopy.WorkingCopy, { customerId, userId }: Applied, { content }: Delivery): boolean =>
  isErased(userId) ||
  [customerId ?? null, ...namedWithoutRecord(content)].some((id) => id !== null && copy.isForgotten(id))

/** The customers whom a body names that is kept although it could not be read. */
const namedWithoutRecord = (content: Delivery["content"]): ReadonlyArray<string> =>
  content._tag === "OtherEvent" || content._tag === "UnreadableEvent" ? content.customerIds : []

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
      return {
        state: "failed",
        type: content.type ?? "unreadable",
        at: content.at,
        problem: content.problem,
        customerId: content.customerIds[0] ?? null
      }
    case "ForeignEvent":
      return {
        state: "ignored",
        type: content.type,
        at: content.at,
        problem: content.problem
      }
    case "OtherEvent":
      return { state: "ignored", type: content.type, at: content.at, customerId: content.customerIds[0] ?? null }
    case "CustomerEvent":
      return applyCustomer(copy, content, id, now)
    case "RecordEvent":
      return applyRecord(copy, content, id, now)
  }
}

const applyCustomer = (
  copy: WorkingCopy.WorkingCopy,
  { at, customer, listed, report, state: whatTheyHave, type }: CustomerEvent,
  deliveryId: string,
  now: number
): Applied => {
  const deleted = forgets({ customer, type })
  // Also of one that is deleted: its external id was never another user's, and what it bought may yet be delivered.
  copy.linkByExternalId({ id: customer.id, externalId: customer.external_id, email: customer.email })
  if (deleted) {
    copy.markCustomerDeleted(customer.id, customer.deleted_at?.getTime() ?? now)
    copy.forgetCustomer(customer.id)
  }
  for (const said of [report, ...(whatTheyHave === null ? [] : [whatTheyHave])]) {
    keepNewest(copy, said, { at, deliveryId, now })
  }
  applyListed(copy, listed, { at, now })
  const userId = copy.linkedUser(customer.id) as UserId | null
  const state = userId !== null ? "applied" : deleted ? "ignored" : "unlinked"
  return { state, type, at, customerId: customer.id, userId }
}

/**
 * Deleted, or with an address that Polar has put in the place of the person's, which it only does when it deletes (Polar's API
 * reference: customers).
 */
const forgets = ({ customer, type }: Pick<CustomerEvent, "customer" | "type">): boolean =>
  type === "customer.deleted" ||
  customer.deleted_at !== null ||
  customer.email?.toLowerCase().endsWith("@anonymized.polar.sh") === true

const applyRecord = (
  copy: WorkingCopy.WorkingCopy,
  { at, report, type }: RecordEvent,
  deliveryId: string,
  now: number
): Applied => {
  const { id, kind } = report
  const { isStale, userId } = keepNewest(copy, report, { at, deliveryId, now })
  const isUnlinked = userId === null && (kindNamed(kind)?.isOwned ?? true)
  const state = isStale ? "stale" : isUnlinked ? "unlinked" : "applied"
  return { type, at, customerId: report.customer.id, record: { kind, id }, userId, state }
}

interface Source {
  /** The event's time. */
  readonly at: EpochMicros
  readonly deliveryId: string
  readonly now: number
}

/**
 * Finds out whose it is, and writes it unless what is stored is newer, or as new and of another delivery. Of one that a customer's
 * state has listed it writes what that did not list.
 */
const keepNewest = (
  copy: WorkingCopy.WorkingCopy,
  report: RecordReport,
  { at, deliveryId, now }: Source
): { readonly userId: UserId | null; readonly isStale: boolean } => {
  const owner = copy.identify(report)
  const { userId } = owner
  const stored = copy.record(report)
  const version = { at, precedence: report.precedence }
  if (stored !== undefined && !supersedes(version, versionOf(stored))) {
    if (fillIn(copy, report, { owner, version, now })) return { userId, isStale: false }
    return { userId, isStale: stored.deliveryId !== deliveryId }
  }
  copy.write(rowOf(copy.withoutForgotten(report, userId), { owner, version, deliveryId, now }))
  return { userId, isStale: false }
}

const keysOf = (deliveries: Iterable<Delivery>, handlers: HandlerNames): Keys => {
  const wanted = KeyCollector.make(handlers)
  for (const { content, id } of deliveries) {
    wanted.delivery(id)
    const event = heardEvent(content)
    if (event !== undefined) wanted.subjects(subjectsOfEvent(handlers, event.type, id, event.record))
    if (content._tag === "CustomerEvent") {
      wanted.customer(content.customer.id, content.customer.external_id)
      wanted.record(content.report)
      if (content.state !== null) wanted.record(content.state)
      for (const report of content.listed) wanted.listed(report)
      if (forgets(content)) wanted.forgotten(content.customer.id)
    }
    if (content._tag === "RecordEvent") wanted.record(content.report)
    for (const customerId of namedWithoutRecord(content)) wanted.customer(customerId, null)
  }
  return wanted.keys()
}

/**
 * What must be so once Polar has delivered a whole history: worked out plainly from what was told, in the words of
 * docs/how-it-works.md and without the code that is proven.
 */
import { isDeepStrictEqual } from "node:util"
import type { History, HistoryEvent } from "./history.ts"
import type { Json } from "./lifecycle.ts"
import type { ToldOfRecord } from "./purchases.ts"
import { type ExpectedCalls, expectedCallsOf } from "./toldModel.ts"

/** What the app is shown of a subscription. */
export interface Shown {
  readonly id: string
  readonly status: string
  readonly productId: string
  /** Epoch milliseconds. */
  readonly currentPeriodEnd: number | null
  readonly cancelAtPeriodEnd: boolean
}

export interface Expected {
  /** The events that records end with, by kind and id. All of them are the user's, however the app knows that. */
  readonly last: Readonly<Record<RecordKind, ReadonlyMap<string, HistoryEvent>>>
  readonly shown: ReadonlyMap<string, Shown>
  /**
   * How often the app is told of each subscription when deliveries come in order: once for each visible change. Not
   * known of users who are found in the middle.
   */
  readonly calls: ReadonlyMap<string, number> | undefined
  readonly current: Shown | undefined
  /** What plain SQL readers see as its status: that of the day. */
  readonly currentStatus: string | undefined
  /** What the app is told of each subscription: the status is that of the day. */
  readonly told: ReadonlyMap<string, Shown>
  /** What plain SQL readers see as the status of somebody without a current subscription. */
  readonly overStatus: string
  /** Of each benefit, by its key, its values at the end; `null` where the user does not have it. */
  readonly benefits: ReadonlyMap<string, unknown>
  /** Whether the user owns each product that was to be bought once. */
  readonly owned: ReadonlyMap<string, boolean>
  /** What the handlers are told. */
  readonly handlers: ExpectedCalls
  /** Whether the customer, and not only what it bought, is known to be the user's. */
  readonly linked: boolean
}

export type RecordKind = ToldOfRecord["record"]["kind"]

const text = (value: unknown): string => (typeof value === "string" ? value : "")
const millis = (value: unknown): number | null => (typeof value === "string" ? Math.floor(Date.parse(value)) : null)

const restrictive = [
  "trialing",
  "active",
  "past_due",
  "paused",
  "incomplete",
  "unpaid",
  "incomplete_expired",
  "canceled"
]

/** A status that is not known comes last. */
const placeIn = (order: ReadonlyArray<string>, data: Json): number => {
  const place = order.indexOf(text(data["status"]))
  return place < 0 ? order.length : place
}

const restriction = (data: Json): number => placeIn(restrictive, data)

/** Of states at one time the one that comes later here wins. */
const statuses: Readonly<Record<"order" | "refund", ReadonlyArray<string>>> = {
  order: ["draft", "pending", "paid", "partially_refunded", "refunded", "void"],
  refund: ["pending", "succeeded", "failed", "canceled"]
}

/** Whether `a` is the newer state of the two: the later event, and else the rules of the kind for equal times. */
export const isNewer = (kind: RecordKind, a: HistoryEvent, b: HistoryEvent): boolean => {
  if (a.at !== b.at) return a.at > b.at
  switch (kind) {
    case "subscription":
      return isNewerSubscription(a, b)
    case "benefit_grant":
    case "benefit":
    case "product":
    case "discount":
    case "member":
    case "customer_seat":
      // No two states of one are told at one time here.
      return false
    default:
      return isNewerSale(statuses[kind], a, b)
  }
}

/** The later change, and then the later status. */
const isNewerSale = (order: ReadonlyArray<string>, a: HistoryEvent, b: HistoryEvent): boolean => {
  const changed = ({ data }: HistoryEvent) => millis(data["modified_at"]) ?? millis(data["created_at"]) ?? 0
  if (changed(a) !== changed(b)) return changed(a) > changed(b)
  return placeIn(order, a.data) > placeIn(order, b.data)
}

const isNewerSubscription = (a: HistoryEvent, b: HistoryEvent): boolean => {
  const [over, wasOver] = [a.data["ended_at"] !== null, b.data["ended_at"] !== null]
  if (over !== wasOver) return over
  const [modified, wasModified] = [millis(a.data["modified_at"]) ?? 0, millis(b.data["modified_at"]) ?? 0]
  if (modified !== wasModified) return modified > wasModified
  if (restriction(a.data) !== restriction(b.data)) return restriction(a.data) > restriction(b.data)
  return a.data["cancel_at_period_end"] === true && b.data["cancel_at_period_end"] !== true
}

const shownOf = ({ data }: HistoryEvent): Shown => ({
  id: text(data["id"]),
  status: text(data["status"]),
  productId: text(data["product_id"]),
  currentPeriodEnd: millis(data["current_period_end"]),
  cancelAtPeriodEnd: data["cancel_at_period_end"] === true
})

/** Full access, then grace, then none, in the policy that holds unless another is given. */
const gives: Readonly<Record<string, number>> = { trialing: 2, active: 2, past_due: 1, paused: 0 }

/** The tolerance after a scheduled end, and the grace of who is overdue, in that policy. */
const toleranceMillis = 3_600_000
const graceMillis = 7 * 86_400_000

/** A subscription as of a day: what it says by itself once a day that it announced has passed. */
export interface OfTheDay {
  readonly status: string
  /** Whether the day has passed on which the clock takes something away. */
  readonly hasLapsed: boolean
  /** 2: access. 1: grace. 0: none. */
  readonly gives: number
}

export const ofTheDay = ({ data }: HistoryEvent, now: number): OfTheDay => {
  const status = text(data["status"])
  if (data["ended_at"] !== null || !(status in gives)) return { status, hasLapsed: false, gives: 0 }
  const announced = announcedBy(data, status)
  const isOver = announced !== undefined && now >= announced.at + toleranceMillis
  const overdueSince = status === "past_due" ? millis(data["past_due_at"]) : null
  const isOutOfGrace = overdueSince !== null && now >= overdueSince + graceMillis
  return {
    status: isOver ? announced.status : status,
    hasLapsed: isOver || isOutOfGrace,
    gives: isOver || isOutOfGrace ? 0 : (gives[status] ?? 0)
  }
}

/** An end, a pause, or the end of a trial. Who is overdue stays so. */
const announcedBy = (data: Json, status: string): { readonly at: number; readonly status: string } | undefined => {
  const periodEnd = millis(data["current_period_end"])
  if (data["cancel_at_period_end"] === true) {
    const at = millis(data["ends_at"]) ?? periodEnd
    return at === null ? undefined : { at, status: status === "past_due" ? status : "canceled" }
  }
  if (periodEnd === null) return undefined
  if (data["pause_at_period_end"] === true && status !== "past_due") return { at: periodEnd, status: "paused" }
  return status === "trialing" ? { at: periodEnd, status: "canceled" } : undefined
}

const toldOf = (event: HistoryEvent, now: number): Shown => ({
  ...shownOf(event),
  status: ofTheDay(event, now).status
})

/** `now`: the day on which everything is delivered, in epoch milliseconds. */
export const expectedOf = (history: History, now: number): Expected => {
  const { benefits, events, identity, products } = history
  const last = {
    subscription: new Map<string, HistoryEvent>(),
    order: new Map<string, HistoryEvent>(),
    refund: new Map<string, HistoryEvent>(),
    benefit_grant: new Map<string, HistoryEvent>(),
    benefit: new Map<string, HistoryEvent>(),
    product: new Map<string, HistoryEvent>(),
    discount: new Map<string, HistoryEvent>(),
    member: new Map<string, HistoryEvent>(),
    customer_seat: new Map<string, HistoryEvent>()
  }
  const calls = new Map<string, number>()
  for (const event of events) {
    if (event.record === null) continue
    const { id, kind } = event.record
    const known = last[kind].get(id)
    if (known !== undefined && !isNewer(kind, event, known)) continue
    last[kind].set(id, event)
    // Of all else the app is told nothing.
    if (kind !== "subscription") continue
    const lapses = known !== undefined && !ofTheDay(known, now).hasLapsed && ofTheDay(event, now).hasLapsed
    if (known !== undefined && !lapses && isDeepStrictEqual(toldOf(known, now), toldOf(event, now))) continue
    calls.set(id, (calls.get(id) ?? 0) + 1)
  }
  const shown = new Map([...last.subscription].map(([id, event]) => [id, shownOf(event)]))
  const told = new Map([...last.subscription].map(([id, event]) => [id, toldOf(event, now)]))
  const live = [...last.subscription.values()]
    .filter(({ data }) => data["ended_at"] === null)
    .map((event) => ({ shown: shownOf(event), day: ofTheDay(event, now) }))
    .filter(({ day }) => day.status in gives)
    .sort(
      (a, b) =>
        b.day.gives - a.day.gives ||
        (b.shown.currentPeriodEnd ?? 0) - (a.shown.currentPeriodEnd ?? 0) ||
        (a.shown.id < b.shown.id ? -1 : 1)
    )
  const isGranted = (benefitId: string): boolean =>
    [...last.benefit_grant.values()].some(({ data }) => data["benefit_id"] === benefitId && data["is_granted"] === true)
  const isOwned = (productId: string): boolean =>
    [...last.order.values()].some(
      ({ data }) =>
        data["product_id"] === productId &&
        data["subscription_id"] === null &&
        ["paid", "partially_refunded"].includes(text(data["status"]))
    )
  return {
    last,
    benefits: new Map(
      benefits.map(({ id, key }) => [key, isGranted(id) ? last.benefit.get(id)?.data["metadata"] : null])
    ),
    owned: new Map(products.map(({ id }) => [id, isOwned(id)])),
    shown,
    calls: identity === "external_id later" ? undefined : calls,
    told,
    current: live[0]?.shown,
    currentStatus: live[0]?.day.status,
    overStatus: "canceled",
    handlers: expectedCallsOf(history, now),
    linked: identity !== "metadata" && identity !== "a checkout"
  }
}

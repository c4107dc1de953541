/**
 * What must be so once Polar has delivered a whole history: worked out plainly from what was told, in the words of
 * docs/how-it-works.md and without the code that is proven.
 */
import { isDeepStrictEqual } from "node:util"
import type { History, HistoryEvent } from "./history.ts"
import type { Json } from "./lifecycle.ts"
import type { ToldOfRecord } from "./purchases.ts"

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
  /** What plain SQL readers see as the status of somebody without a current subscription. */
  readonly overStatus: string
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
const isNewer = (kind: RecordKind, a: HistoryEvent, b: HistoryEvent): boolean => {
  if (a.at !== b.at) return a.at > b.at
  return kind === "subscription" ? isNewerSubscription(a, b) : isNewerSale(statuses[kind], a, b)
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

export const expectedOf = ({ events, identity }: History): Expected => {
  const last = {
    subscription: new Map<string, HistoryEvent>(),
    order: new Map<string, HistoryEvent>(),
    refund: new Map<string, HistoryEvent>()
  }
  const calls = new Map<string, number>()
  for (const event of events) {
    if (event.record === null) continue
    const { id, kind } = event.record
    const known = last[kind].get(id)
    if (known !== undefined && !isNewer(kind, event, known)) continue
    last[kind].set(id, event)
    // Of orders and refunds the app is told nothing.
    if (kind !== "subscription") continue
    if (known !== undefined && isDeepStrictEqual(shownOf(known), shownOf(event))) continue
    calls.set(id, (calls.get(id) ?? 0) + 1)
  }
  const shown = new Map([...last.subscription].map(([id, event]) => [id, shownOf(event)]))
  const live = [...last.subscription.values()]
    .filter(({ data }) => data["ended_at"] === null)
    .map(shownOf)
    .filter(({ status }) => status in gives)
    .sort(
      (a, b) =>
        (gives[b.status] ?? 0) - (gives[a.status] ?? 0) ||
        (b.currentPeriodEnd ?? 0) - (a.currentPeriodEnd ?? 0) ||
        (a.id < b.id ? -1 : 1)
    )
  return {
    last,
    shown,
    calls: identity === "external_id later" ? undefined : calls,
    current: live[0],
    overStatus: "canceled",
    linked: identity !== "metadata" && identity !== "a checkout"
  }
}

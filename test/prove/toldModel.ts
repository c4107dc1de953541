/**
 * What the app's handlers must be told of a whole history that is delivered in order: worked out plainly from what was told, in
 * the words of docs/handlers.md and without the code that is proven.
 */
import type { History, HistoryEvent } from "./history.ts"
import { isNewer, ofTheDay, type RecordKind } from "./model.ts"

export type Entitlement = "granted" | "grace" | "denied"

/** In minor units. */
export interface Refunded {
  readonly amount: number
  readonly total: number
}

interface ExpectedOrder {
  /** At the end, and at any time. */
  readonly isPaid: boolean
  readonly wasPaid: boolean
  /** Wholly, at any time. */
  readonly wasRefunded: boolean
  /** One after the other, what was given back in all at any time, also once a refund had failed, and at the end. */
  readonly refunds: {
    readonly made: ReadonlyArray<Refunded>
    readonly totals: ReadonlyArray<number>
    readonly left: number
  }
}

export interface ExpectedCalls {
  /** What the user's access is at the end. */
  readonly access: Entitlement
  /** What it became, one after the other. */
  readonly flips: ReadonlyArray<Entitlement>
  /** By benefit: whether the user has it at the end, and how often that changed. */
  readonly benefits: ReadonlyMap<string, { readonly isGranted: boolean; readonly changes: number }>
  readonly orders: ReadonlyMap<string, ExpectedOrder>
}

const entitlements = ["denied", "grace", "granted"] as const
const paid = ["paid", "partially_refunded"]

const isPaid = ({ data }: HistoryEvent): boolean => paid.includes(String(data["status"]))
const refundedOf = ({ data }: HistoryEvent): number => Number(data["refunded_amount"])

/** `now`: the day on which everything is delivered, in epoch milliseconds. */
export const expectedCallsOf = ({ benefits, events }: History, now: number): ExpectedCalls => {
  const newest = new Map<string, HistoryEvent>()
  const ofKind = (kind: RecordKind): ReadonlyArray<HistoryEvent> =>
    [...newest.values()].filter(({ record }) => record?.kind === kind)

  const accessNow = (): Entitlement =>
    entitlements[Math.max(0, ...ofKind("subscription").map((event) => ofTheDay(event, now).gives))] ?? "denied"
  const hasNow = (benefitId: string): boolean =>
    ofKind("benefit_grant").some(({ data }) => data["benefit_id"] === benefitId && data["is_granted"] === true)

  let access: Entitlement = "denied"
  const flips: Array<Entitlement> = []
  const granted = new Map(benefits.map(({ id }) => [id, { isGranted: false, changes: 0 }]))
  const orders = new Map<string, ExpectedOrder>()

  for (const event of events) {
    const { record } = event
    if (record === null) continue
    const key = `${record.kind} ${record.id}`
    const known = newest.get(key)
    if (known !== undefined && !isNewer(record.kind, event, known)) continue
    newest.set(key, event)
    if (record.kind === "subscription") {
      const next = accessNow()
      if (next !== access) flips.push(next)
      access = next
    }
    if (record.kind === "benefit_grant") {
      const benefitId = String(event.data["benefit_id"])
      const before = granted.get(benefitId) ?? { isGranted: false, changes: 0 }
      const isGranted = hasNow(benefitId)
      granted.set(benefitId, { isGranted, changes: before.changes + (isGranted === before.isGranted ? 0 : 1) })
    }
    if (record.kind === "order") {
      const before = orders.get(record.id)
      const total = refundedOf(event)
      const amount = total - (before?.refunds.left ?? 0)
      const made = before?.refunds.made ?? []
      orders.set(record.id, {
        isPaid: isPaid(event),
        wasPaid: before?.wasPaid === true || isPaid(event),
        wasRefunded: before?.wasRefunded === true || event.data["status"] === "refunded",
        refunds: {
          made: amount > 0 ? [...made, { amount, total }] : made,
          totals: [...(before?.refunds.totals ?? []), total],
          left: total
        }
      })
    }
  }
  return { access, flips, benefits: granted, orders }
}

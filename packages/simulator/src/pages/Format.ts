/** Prices, times and statuses in plain words. */
import type { OrderStatus } from "../Records.ts"
import { type Html, html } from "./Html.ts"

/** Cents as money: `$19`, `$4.50`. */
export const money = (cents: number, currency: string): string =>
  new Intl.NumberFormat("en-US", {
    style: "currency",
    currency,
    minimumFractionDigits: cents % 100 === 0 ? 0 : 2
  }).format(cents / 100)

/** `month`, `3 months`. */
export const span = (interval: string, count: number): string => (count === 1 ? interval : `${count} ${interval}s`)

export interface Priced {
  readonly price_amount: number
  readonly price_currency: string
  /** `null` for what is bought once. */
  readonly recurring_interval: string | null
  readonly recurring_interval_count: number | null
}

/** `$19 a month`, `$49 every 3 months`, `$99 once`, `Free`. */
export const price = (product: Priced): string => {
  if (product.price_amount === 0) return "Free"
  const { recurring_interval: interval, recurring_interval_count: count } = product
  const amount = money(product.price_amount, product.price_currency)
  if (interval === null || count === null) return `${amount} once`
  return count === 1 ? `${amount} a ${interval}` : `${amount} every ${span(interval, count)}`
}

const dateFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" })
const timeFormat = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZone: "UTC"
})

export const date = (at: Date): Html => html`<time datetime="${at.toISOString()}">${dateFormat.format(at)}</time>`

export const time = (at: Date): Html => html`<time datetime="${at.toISOString()}">${timeFormat.format(at)} UTC</time>`

const minuteMillis = 60_000
const hourMillis = 60 * minuteMillis
const dayMillis = 24 * hourMillis

/** `31 days`, `2 hours`, `5 minutes`: to the nearest one. */
export const duration = (millis: number): string => {
  const about = (unit: string, length: number) => {
    const count = Math.round(millis / length)
    return `${count} ${unit}${count === 1 ? "" : "s"}`
  }
  if (millis >= dayMillis) return about("day", dayMillis)
  return millis >= hourMillis ? about("hour", hourMillis) : about("minute", minuteMillis)
}

export type Tone = "good" | "warn" | "bad" | "plain"

export const badge = (tone: Tone, text: string): Html => html`<span class="badge ${tone}">${text}</span>`

const statuses: Readonly<Record<string, readonly [Tone, string]>> = {
  active: ["good", "Active"],
  trialing: ["good", "On trial"],
  past_due: ["warn", "Payment overdue"],
  paused: ["plain", "Paused"],
  canceled: ["bad", "Ended"],
  unpaid: ["bad", "Unpaid"]
}

const orderStatuses: Readonly<Record<OrderStatus, readonly [Tone, string]>> = {
  pending: ["warn", "Open"],
  paid: ["good", "Paid"],
  partially_refunded: ["plain", "Partly refunded"],
  refunded: ["plain", "Refunded"],
  void: ["plain", "Void"]
}

export const orderBadge = (status: OrderStatus): Html => badge(...orderStatuses[status])

/** A subscription's status, and whether it is about to end. */
export const statusBadge = (status: string, endsAtPeriodEnd: boolean): Html => {
  const [tone, words] = statuses[status] ?? ["plain", status]
  return html`${badge(tone, words)}${endsAtPeriodEnd && status !== "canceled" && html` ${badge("warn", "Cancellation scheduled")}`}`
}

/** Prices, times and statuses in plain words. */
import { isFree } from "../Prices.ts"
import type { OrderStatus, Product, Subscription } from "../Records.ts"
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

/** `$19 a month`, `$49 every 3 months`, `$99 once`, `$10 a month for each seat`, `Free`. */
export const price = (product: Product): string => {
  if (isFree(product)) return "Free"
  const { price, price_currency: currency } = product
  switch (price.amount_type) {
    case "fixed":
      return `${money(price.price_amount, currency)} ${often(product)}`
    case "custom":
      return price.minimum_amount === 0
        ? `Pay what you want ${often(product)}`
        : `From ${money(price.minimum_amount, currency)} ${often(product)}`
    default: {
      const [first] = price.tiers.tiers
      const noun = price.amount_type === "seat_based" ? "seat" : "unit"
      return `${money(first?.unit_amount ?? 0, currency)} ${often(product)} for each ${noun}`
    }
  }
}

/** What a subscription to it costs. */
export const subscriptionPrice = (product: Product, subscription: Subscription): string => {
  const { amount, currency } = subscription
  return amount === 0 && isFree(product) ? "Free" : `${money(amount, currency)} ${often(product)}`
}

/** `a month`, `every 3 months`, `once`. */
export const often = ({ recurring_interval: interval, recurring_interval_count: count }: Product): string => {
  if (interval === null || count === null) return "once"
  return count === 1 ? `a ${interval}` : `every ${span(interval, count)}`
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

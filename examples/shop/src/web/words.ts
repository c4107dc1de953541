/** Prices, times and statuses as people read them. */
import type { Plan } from "../catalog.ts"
import { type Html, html } from "./html.ts"

/** Cents as money: `$19`, `$4.50`. */
export const money = (cents: number, currency: string): string =>
  new Intl.NumberFormat("en-US", {
    style: "currency",
    currency,
    minimumFractionDigits: cents % 100 === 0 ? 0 : 2
  }).format(cents / 100)

/** `month`, `3 months`. */
export const span = (interval: string, count: number): string => (count === 1 ? interval : `${count} ${interval}s`)

/** `a month`, `every 3 months`, `once`. */
export const often = (interval: string | null, count: number): string =>
  interval === null ? "once" : count === 1 ? `a ${interval}` : `every ${span(interval, count)}`

/** `$19 a month`, `free`, `by use`. */
export const price = ({ amount, currency, interval, intervalCount }: Plan): string =>
  amount === null ? "by use" : amount === 0 ? "free" : `${money(amount, currency)} ${often(interval, intervalCount)}`

const dateFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" })
const timeFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" })

export const date = (at: Date): Html => html`<time datetime="${at.toISOString()}">${dateFormat.format(at)}</time>`

export const time = (at: Date): Html => html`<time datetime="${at.toISOString()}">${timeFormat.format(at)} UTC</time>`

const units = [
  ["day", 24 * 3600_000],
  ["hour", 3600_000],
  ["minute", 60_000]
] as const

/** `31 days`, `2 hours`, `5 minutes`: to the nearest one. */
export const duration = (millis: number): string => {
  const [unit, length] = units.find(([, length]) => millis >= length) ?? units[2]
  const count = Math.round(millis / length)
  return `${count} ${unit}${count === 1 ? "" : "s"}`
}

export type Tone = "good" | "warn" | "bad" | "plain"

export const badge = (tone: Tone, text: string): Html => html`<span class="badge ${tone}">${text}</span>`

const statuses: Readonly<Record<string, readonly [Tone, string]>> = {
  active: ["good", "Active"],
  trialing: ["good", "On trial"],
  past_due: ["warn", "Payment overdue"],
  paused: ["plain", "Paused"],
  canceled: ["plain", "Ended"],
  unpaid: ["bad", "Unpaid"]
}

/** A subscription's status, or that it is about to end. Polar adds statuses: one that is not known is shown as it is. */
export const statusBadge = (status: string, endsAtPeriodEnd: boolean): Html => {
  const [tone, words] = statuses[status] ?? ["plain", status]
  const ends = endsAtPeriodEnd && status !== "canceled"
  return ends && status !== "past_due"
    ? badge("warn", "Cancellation scheduled")
    : html`${badge(tone, words)}${ends && html` ${badge("warn", "Cancellation scheduled")}`}`
}

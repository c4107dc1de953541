/** Small charts, drawn as SVG on the server. Whoever does not see them is told the same as a sentence. */
import type { Hour } from "@kavach-polar/core/Billing"
import { type Html, html } from "./html.ts"

export interface Bar {
  readonly hour: Date
  readonly good: number
  readonly bad: number
}

const height = 60
const width = 10

export const barsOfDeliveries = (hours: ReadonlyArray<Hour>): ReadonlyArray<Bar> =>
  hours.map(({ received: { applied, failed, ignored, stale, unlinked }, startsAt }) => ({
    hour: startsAt,
    good: applied + stale + ignored,
    bad: failed + unlinked
  }))

export const barsOfNotifications = (hours: ReadonlyArray<Hour>): ReadonlyArray<Bar> =>
  hours.map(({ givenUp, startsAt, told }) => ({ hour: startsAt, good: told, bad: givenUp }))

const sum = (bars: ReadonlyArray<Bar>, of: "good" | "bad"): number => bars.reduce((total, bar) => total + bar[of], 0)

const told = (count: number, [one, several]: readonly [string, string]): string =>
  `${count} ${count === 1 ? one : several}`

export const chart = (
  title: string,
  bars: ReadonlyArray<Bar>,
  /** What became of so many, such as "was taken" of one and "were taken" of several. */
  words: Readonly<Record<"good" | "bad", readonly [one: string, several: string]>>
): Html => {
  const most = Math.max(1, ...bars.map(({ bad, good }) => good + bad))
  const busiest = bars.reduce<Bar | undefined>(
    (best, bar) => (best === undefined || bar.good + bar.bad > best.good + best.bad ? bar : best),
    undefined
  )
  const [good, bad] = [sum(bars, "good"), sum(bars, "bad")]
  const text =
    good + bad === 0 || busiest === undefined
      ? `Nothing in the last ${bars.length} hours.`
      : `${told(good, words.good)} and ${told(bad, words.bad)} in the last ${bars.length} hours; at most ${most} in an hour, from ${busiest.hour.toISOString().slice(11, 16)}.`
  const scaled = (count: number) => (count === 0 ? 0 : Math.max(1.5, (count / most) * height))
  return html`<figure><figcaption>${title}</figcaption>
<svg viewBox="0 0 ${bars.length * width} ${height + 1}" preserveAspectRatio="none" role="img" aria-label="${title}: ${text}">
${bars.map((bar, place) => {
  const [ofGood, ofBad] = [scaled(bar.good), scaled(bar.bad)]
  return html`<rect class="ok" x="${place * width + 1}" y="${height - ofGood}" width="${width - 2}" height="${ofGood}"/>${
    bar.bad > 0 &&
    html`<rect class="bad" x="${place * width + 1}" y="${height - ofGood - ofBad}" width="${width - 2}" height="${ofBad}"/>`
  }`
})}<line class="base" x1="0" y1="${height}" x2="${bars.length * width}" y2="${height}"/></svg>
<p class="muted small">${text}</p></figure>`
}

/** What needs somebody. Nothing here asks Polar, so that it can be loaded often. */
import type { Comparison, Finding } from "@kavach-polar/core/Billing"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { barsOfDeliveries, barsOfNotifications, chart } from "../chart.ts"
import { type Html, html } from "../html.ts"
import { live } from "../live.ts"
import { linkTo, type Page } from "../page.ts"
import { badge, empty, time } from "../parts.ts"
import type { Visit } from "../Visit.ts"

export const overview = async ({ run }: Visit): Promise<Page> => {
  const { comparison, findings, hours } = await run(({ operations }) =>
    Effect.all({
      findings: operations.findings,
      hours: operations.lastDay,
      comparison: operations.lastComparison
    })
  )
  const wrong = findings.filter(({ level }) => level !== "fine")
  const last = Option.getOrNull(comparison)
  const compared = comparedFindings(last)
  return {
    title: "Overview",
    current: "overview",
    isLive: true,
    main: html`<h1>What needs somebody</h1>
${live(
  "overview",
  html`${
    wrong.length + compared.length === 0
      ? html`<p class="message good">Nothing waits for anybody, as far as it is known here.</p>`
      : [...wrong, ...compared].map(findingCard)
  }
<p class="gap">Look closer: <a href="${linkTo("deliveries", { state: "failed" })}">failed deliveries</a>,
<a href="${linkTo("deliveries", { state: "unlinked" })}">deliveries without a user</a>,
<a href="${linkTo("notifications")}">notifications</a>, <a href="${linkTo("jobs")}">jobs</a>, <a href="${linkTo("settings")}">all checks</a>.</p>
<section><h2>The last 24 hours</h2>
<div class="split">
<div class="card">${chart("Deliveries received per hour", barsOfDeliveries(hours), { good: ["was dealt with", "were dealt with"], bad: ["failed or waits for its user", "failed or wait for their user"] })}</div>
<div class="card">${chart("Notifications told per hour", barsOfNotifications(hours), { good: ["was taken by the app", "were taken by the app"], bad: ["was given up", "were given up"] })}</div>
</div></section>
<section><h2>The last comparison with Polar</h2>${comparisonText(last)}</section>`
)}`
  }
}

export const findingCard = ({
  check,
  help,
  level,
  what,
  why
}: Pick<Finding, "check" | "help" | "level" | "what" | "why">): Html =>
  html`<article class="card"><p>${badge(level)} <strong>${what}</strong> <span class="muted small">${check}</span></p>
${why !== null && html`<p>${why}</p>`}${help !== null && html`<p class="small">Do: <code>${help}</code></p>`}</article>`

/** What the last comparison has found that no comparison sets right. */
const comparedFindings = (last: Comparison | null): ReadonlyArray<Finding> =>
  (last?.report?.webhooks.endpoints ?? [])
    .filter(({ enabled, isOwn }) => isOwn && !enabled)
    .map(({ url }) => ({
      check: "endpoint",
      level: "broken",
      what: `When it was last compared, Polar had switched off ${url}.`,
      why: "No event arrives: who pays gets nothing until the next comparison with Polar.",
      help: "Enable it in Polar's settings, then: kavach-polar reconcile"
    }))

export const comparisonText = (last: Comparison | null): Html => {
  if (last === null || last.finishedAt === null) {
    return empty(last?.isUnderWay ? "The first one is under way." : "There was none yet.")
  }
  const { finishedAt, isUnderWay, report } = last
  return html`<p>It ended ${time(finishedAt)}${isUnderWay && ", and another one is under way"}.
${
  report === null
    ? "What it found cannot be read."
    : `${report.compared} records were compared; ${report.discrepancyCount} were not as Polar has them, and were set right${report.dryRun ? " by nobody, because it was a dry run" : ""}.`
}</p>`
}

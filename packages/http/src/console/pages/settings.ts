/** Whether everything is set up as it must be: what `kavach-polar doctor` says. It asks Polar, so only when it is told to. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { html } from "../html.ts"
import { linkTo, type Page } from "../page.ts"
import type { Visit } from "../Visit.ts"
import { comparisonText, findingCard } from "./overview.ts"

export const settings = async ({ query, run }: Visit): Promise<Page> => {
  const isAsked = query.get("check") === "1"
  const { comparison, findings } = await run((billing) =>
    Effect.all({
      findings: isAsked ? Effect.map(billing.diagnose, (diagnosis) => diagnosis.findings) : billing.operations.findings,
      comparison: billing.operations.lastComparison
    })
  )
  return {
    title: "Settings",
    current: "settings",
    main: html`<h1>Settings</h1>
<p>${
      isAsked
        ? "Everything was looked at: the database, the token, the webhook endpoint, what waits, and whether both sides say the same."
        : "The database and what waits were looked at. The other checks ask Polar, and take some seconds."
    }</p>
<p class="gap"><a class="button" href="${linkTo("settings", { check: "1" })}">${isAsked ? "Check again" : "Run all checks"}</a></p>
<section><h2>Findings</h2>${findings.map(findingCard)}</section>
<section><h2>The last comparison with Polar</h2>${comparisonText(Option.getOrNull(comparison))}</section>`
  }
}

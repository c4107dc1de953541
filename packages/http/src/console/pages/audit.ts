/** Who did what, when, and what came of it. */
import type { Action } from "@kavach-polar/core/Action"
import { html } from "../html.ts"
import { linkTo, type Page, table } from "../page.ts"
import { badge, empty, time } from "../parts.ts"
import type { Visit } from "../Visit.ts"

const pageSize = 50

const followingIn = (query: URLSearchParams): Pick<Action, "id" | "at"> | undefined => {
  const [at = "", id] = (query.get("after") ?? "").split(" ")
  const date = new Date(Number(at))
  return id === undefined || Number.isNaN(date.getTime()) ? undefined : { at: date, id }
}

export const audit = async ({ query, run }: Visit): Promise<Page> => {
  const found = await run(({ operations }) =>
    operations.actions({ following: followingIn(query), limit: pageSize + 1 })
  )
  const shown = found.slice(0, pageSize)
  const last = shown.at(-1)
  const done = query.get("done")
  const mine = done === null ? undefined : shown.find(({ id }) => id === done)
  return {
    title: "Audit",
    current: "audit",
    main: html`<h1>Audit trail</h1>
${mine !== undefined && html`<p class="message ${isFailed(mine) ? "bad" : "good"}" role="status">${mine.action}: ${mine.result}</p>`}
${
  shown.length === 0
    ? empty("Nobody has done anything here yet.")
    : table(
        ["When", "Who", "Did", "To", "Result"],
        shown.map((action) => [
          time(action.at),
          action.who,
          html`<code>${action.action}</code>`,
          action.subject === null ? null : html`<code>${action.subject}</code>`,
          html`${badge(wordOf(action))} ${action.result.replace(/^\w+: /, "")}`
        ]),
        "Who did what, the newest first"
      )
}
<nav class="pages" aria-label="Pages">${query.has("after") && html`<a href="${linkTo("audit")}">The newest</a>`}${
      found.length > pageSize &&
      last !== undefined &&
      html`<a href="${linkTo("audit", { after: `${last.at.getTime()} ${last.id}` })}">Older ones</a>`
    }</nav>`
  }
}

const isFailed = ({ result }: Action): boolean => !result.startsWith("done")

const wordOf = (action: Action): string => (action.result === "begun" ? "begun" : isFailed(action) ? "failed" : "done")

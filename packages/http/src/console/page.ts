/** A whole page: its frame, and the headers that keep it safe. */
import { randomBytes } from "node:crypto"
import type { ConsoleViewer } from "./ConsoleOptions.ts"
import { type Html, html, type Value } from "./html.ts"
import { liveAddress, liveScript } from "./live.ts"
import { stylesheet, stylesheetHash } from "./style.ts"

export interface Page {
  readonly title: string
  readonly main: Html
  readonly status?: number
  /** The page that the navigation marks. */
  readonly current?: string
  /** Whether it has parts that `live` made, which are kept current. */
  readonly isLive?: boolean
}

const links = [
  ["overview", "Overview"],
  ["deliveries", "Deliveries"],
  ["notifications", "Notifications"],
  ["jobs", "Jobs"],
  ["people", "People"],
  ["audit", "Audit"],
  ["settings", "Settings"]
] as const

/**
 * No style but ours, no frame, forms only to this site, and no script but the one that this answer names: not others of the app's
 * site, and none inline. No text of anybody's adds a directive.
 */
const policy = (nonce?: string): string =>
  [
    "default-src 'none'",
    `style-src '${stylesheetHash}'`,
    ...(nonce === undefined ? [] : [`script-src 'nonce-${nonce}'`, "connect-src 'self'"]),
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'"
  ].join("; ")

const safe = {
  "cache-control": "no-store",
  "content-security-policy": policy(),
  // Not "no-referrer": with it browsers would post without an origin.
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "x-robots-tag": "noindex"
}

export const respond = (page: Page, viewer: ConsoleViewer | null): Response => {
  const nonce = page.isLive === true ? randomBytes(16).toString("base64url") : undefined
  return new Response(String(documentOf(page, viewer, nonce)), {
    status: page.status ?? 200,
    headers: { ...safe, "content-security-policy": policy(nonce), "content-type": "text/html; charset=utf-8" }
  })
}

/** Its address names its content, and it says nothing of anybody. */
export const scriptResponse = (): Response =>
  new Response(liveScript, {
    headers: {
      ...safe,
      "content-type": "text/javascript; charset=utf-8",
      "cache-control": "private, max-age=31536000, immutable"
    }
  })

/** After a form was posted: another page, so that going back or loading again does nothing twice. */
export const seeOther = (location: string): Response =>
  new Response(null, { status: 303, headers: { ...safe, location } })

export const methodNotAllowed = (): Response =>
  new Response(null, { status: 405, headers: { ...safe, allow: "GET, HEAD, POST" } })

/** A link within the console. All are relative to whatever path it is mounted at. */
export const linkTo = (page: string, fields: Readonly<Record<string, string | null | undefined>> = {}): string => {
  const query = new URLSearchParams({ page })
  for (const [name, value] of Object.entries(fields)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value)
  }
  return `?${query}`
}

/** A table that is a list of cards on a phone. `keys`: what tells its rows apart when the page is kept current. */
export const table = (
  columns: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<Value>>,
  caption: string,
  keys?: ReadonlyArray<string>
): Html => html`<div class="scroll"><table aria-label="${caption}">
<thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>${rows.map(
  (row, number) =>
    html`<tr${keys !== undefined && html` data-key="${keys[number]}"`}>${row.map(
      (cell, place) => html`<td${cell !== null && cell !== "" && html` data-label="${columns[place]}"`}>${cell}</td>`
    )}</tr>`
)}</tbody></table></div>`

const documentOf = (
  { current, main, title }: Page,
  viewer: ConsoleViewer | null,
  nonce: string | undefined
): Html => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Billing</title>
<style>${raw}</style>
${nonce !== undefined && html`<script src="${liveAddress}" nonce="${nonce}" defer></script>`}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top"><div class="wide">
<a class="brand" href="${linkTo("overview")}">Billing</a>
${
  viewer !== null &&
  html`<nav aria-label="Main"><ul>${links.map(
    ([page, text]) =>
      html`<li><a href="${linkTo(page)}"${page === current && html` aria-current="page"`}>${text}</a></li>`
  )}</ul></nav>
<p class="who">${viewer.who}, ${viewer.may === "act" ? "may act" : "may read"}</p>`
}
</div></header>
<main id="main" class="wide" tabindex="-1">
${nonce !== undefined && html`<p id="live" class="small muted" hidden></p>`}
${main}
</main>
<footer><div class="wide">Times are in UTC. What is done here is kept in the audit trail.</div></footer>
</body>
</html>
`

/** The stylesheet as it is: escaped it would be another one than the policy lets in. It holds nothing of anybody's. */
const raw = html(Object.assign([stylesheet], { raw: [stylesheet] }))

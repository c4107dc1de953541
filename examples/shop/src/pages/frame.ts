/** What all pages of the shop have in common. */
import { livePath } from "../live.ts"
import type { Visit } from "../Shop.ts"
import { beginning, steps } from "../steps.ts"
import { type Html, html } from "../web/html.ts"
import { type PageOptions, page } from "../web/responses.ts"
import { iconPath, stylesheetPath } from "../web/style.ts"
import { date, duration } from "../web/words.ts"

const links = [
  { href: "/", text: "Plans" },
  { href: "/account", text: "Subscription" },
  { href: "/archive", text: "Archive" },
  { href: "/activity", text: "Activity" }
]

const noticeableMillis = 60_000

const noticeOf = async ({ simulator }: Visit["services"]): Promise<Html> => {
  if (simulator === undefined)
    return html`<p>This shop sells on Polar's sandbox. Test cards work, real ones do not.</p>`
  const at = await simulator.now()
  const ahead = at.getTime() - Date.now()
  const where = html`<a href="${simulator.url}">simulator's console</a>`
  return ahead < noticeableMillis
    ? html`<p>This shop sells on a simulator of Polar. Move time, fail payments and more in the ${where}.</p>`
    : html`<p>Simulated time: <strong>${date(at)}</strong>, ${duration(ahead)} ahead. You move it in the ${where}.</p>`
}

const asideOf = ({ url, user }: Visit): Html =>
  user === null
    ? html`<a href="/sign-in?next=${encodeURIComponent(`${url.pathname}${url.search}`)}">Sign in</a>`
    : html`<span>${user.name ?? user.id}</span><form method="post" action="/sign-out"><button class="link">Sign out</button></form>`

export interface ShopPage extends PageOptions {
  readonly title: string
  readonly main: Html
  /** Whether the parts that have a `data-version` are kept current. */
  readonly live?: boolean | undefined
  /** Whether the page waits for something, and looks again every few seconds. */
  readonly waits?: boolean | undefined
}

/** To Polar's page with invoices and payment methods. Needs Polar's origin among the page's `formTargets`. */
export const portalForm = (label: string, kind: "primary" | "plain" = "primary"): Html =>
  html`<form method="post" action="/account/portal"><button${kind === "primary" && html` class="primary"`}>${label}</button></form>`

const tryIt = html`<details class="steps"><summary>Four things to try</summary>
<p>${beginning}</p><ol>${steps.map((step) => html`<li>${step}</li>`)}</ol></details>`

export const shopPage = async (
  visit: Visit,
  { live = false, main, title, waits = false, ...options }: ShopPage
): Promise<Response> =>
  page(
    html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Field Notes</title>
<link rel="icon" href="${iconPath}" type="image/svg+xml">
<link rel="stylesheet" href="${stylesheetPath}">
${(live || waits) && html`<script src="${livePath}" defer></script>`}
${waits && html`<noscript><meta http-equiv="refresh" content="4"></noscript>`}
</head>
<body${waits && html` data-waits`}>
<a class="skip" href="#main">Skip to the content</a>
<header class="top"><div class="wide">
<a class="brand" href="/">Field Notes</a>
<nav aria-label="Main"><ul>${links.map(
      ({ href, text }) =>
        html`<li><a href="${href}"${href === visit.url.pathname && html` aria-current="page"`}>${text}</a></li>`
    )}</ul></nav>
<div class="aside">${asideOf(visit)}</div>
</div></header>
<div class="notice" role="note" id="notice" data-version="${visit.services.activity.version()}"><div class="wide">${await noticeOf(visit.services)}</div></div>
<main id="main" class="wide" tabindex="-1">
${main}
</main>
<footer><div class="wide"><p>A demo shop of kavach-polar. Nothing here is for sale.</p>
${visit.services.simulator !== undefined && tryIt}</div></footer>
</body>
</html>
`,
    options
  )

export const problemPage = (visit: Visit, status: number, title: string, reason: string): Promise<Response> =>
  shopPage(visit, {
    status,
    title,
    main: html`<div class="card narrow"><h1>${title}</h1><p>${reason}</p>
<p class="row"><a class="button" href="/">See the plans</a></p></div>`
  })

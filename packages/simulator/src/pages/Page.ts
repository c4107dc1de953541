/** A whole page: its frame, and the headers that keep it safe. */
import { createHash } from "node:crypto"
import { type Html, html } from "./Html.ts"
import { stylesheet } from "./Style.ts"

export interface Link {
  readonly href: string
  readonly text: string
}

/** What the pages of one site have in common. */
export interface Site {
  readonly name: string
  /** A word beside the name that says what this is. */
  readonly kind: "shop" | "simulator"
  readonly home: string
  readonly links: ReadonlyArray<Link>
  /** Who is signed in, or a way to do so. */
  readonly aside?: Html | undefined
  /** Something that every page must say. */
  readonly notice?: Html | undefined
  readonly footer: Html
}

export interface Page {
  readonly site: Site
  readonly title: string
  readonly main: Html
  readonly status?: number | undefined
  /** The link that leads here, if one does. */
  readonly current?: string | undefined
  /** Other origins that forms of this page may lead to. */
  readonly formTargets?: ReadonlyArray<string> | undefined
  /** Of this site. */
  readonly script?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

const version = createHash("sha256").update(stylesheet).digest("hex").slice(0, 12)

export const stylesheetPath = "/style.css"
export const iconPath = "/favicon.svg"

const forever = "public, max-age=31536000, immutable"

export const stylesheetResponse = (): Response =>
  new Response(stylesheet, { headers: { "content-type": "text/css; charset=utf-8", "cache-control": forever } })

/** A script of the simulator's own; it says nothing of what there is. */
export const scriptResponse = (script: string): Response =>
  new Response(script, { headers: { "content-type": "text/javascript; charset=utf-8", "cache-control": "no-cache" } })

const icon = html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#2f55c8"/><path d="M9 17l5 5 9-12" fill="none" stroke="#fff" stroke-width="3.5" stroke-linecap="round" stroke-linejoin="round"/></svg>`

export const iconResponse = (): Response =>
  new Response(String(icon), { headers: { "content-type": "image/svg+xml", "cache-control": "public, max-age=86400" } })

/** No script of anybody else, none inline, no frame, and forms only to where this page says: no name adds a directive. */
const policy = (formTargets: ReadonlyArray<string>): string =>
  [
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    ["form-action 'self'", ...formTargets.filter((target) => !/[\s;,']/.test(target))].join(" "),
    "base-uri 'none'",
    "frame-ancestors 'none'"
  ].join("; ")

export const respond = (page: Page): Response =>
  new Response(String(documentOf(page)), {
    status: page.status ?? 200,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": policy(page.formTargets ?? []),
      // Not "no-referrer": with it browsers would post without an origin.
      "referrer-policy": "same-origin",
      "x-content-type-options": "nosniff",
      ...page.headers
    }
  })

/** After a form was posted: another page, so that going back or loading again does nothing twice. */
export const seeOther = (location: string, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(null, { status: 303, headers: { location, "cache-control": "no-store", ...headers } })

const documentOf = ({ current, main, script, site, title }: Page): Html => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · ${site.name}</title>
<link rel="icon" href="${iconPath}" type="image/svg+xml">
<link rel="stylesheet" href="${stylesheetPath}?v=${version}">
${script !== undefined && html`<script src="${script}" defer></script>`}
</head>
<body class="${site.kind}">
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<div class="wide">
<a class="brand" href="${site.home}">${site.name}</a>
${
  site.links.length > 0 &&
  html`<nav aria-label="Main"><ul>${site.links.map(
    ({ href, text }) => html`<li><a href="${href}"${href === current && html` aria-current="page"`}>${text}</a></li>`
  )}</ul></nav>`
}
${site.aside !== undefined && html`<div class="aside">${site.aside}</div>`}
</div>
</header>
${site.notice !== undefined && html`<div class="notice" role="note"><div class="wide">${site.notice}</div></div>`}
<main id="main" class="wide" tabindex="-1">
${main}
</main>
<footer><div class="wide">${site.footer}</div></footer>
</body>
</html>
`

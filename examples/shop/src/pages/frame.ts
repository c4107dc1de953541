/** What all pages of the shop have in common. */
import { date, duration } from "@kavach-polar/simulator/pages/Format"
import { type Html, html } from "@kavach-polar/simulator/pages/Html"
import { type Page, respond, type Site } from "@kavach-polar/simulator/pages/Page"
import { livePath } from "../live.ts"
import type { Visit } from "../Shop.ts"

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
    ? html`<a href="/sign-in?next=${encodeURIComponent(url.pathname)}">Sign in</a>`
    : html`<span>${user.name ?? user.id}</span><form method="post" action="/sign-out"><button class="link">Sign out</button></form>`

/** A page of the shop. One that is `live` keeps the parts that have a `data-version` current. */
export const shopPage = async (
  visit: Visit,
  { live = false, ...page }: Omit<Page, "site" | "script"> & { readonly live?: boolean | undefined }
): Promise<Response> => {
  const site: Site = {
    name: "Field Notes",
    kind: "shop",
    home: "/",
    links,
    aside: asideOf(visit),
    notice: await noticeOf(visit.services),
    footer: html`<p>A demo shop of kavach-polar. Nothing here is for sale.</p>`
  }
  return respond({ current: visit.url.pathname, ...page, site, ...(live ? { script: livePath } : {}) })
}

export const problemPage = (visit: Visit, status: number, title: string, reason: string): Promise<Response> =>
  shopPage(visit, {
    status,
    title,
    main: html`<div class="card narrow"><h1>${title}</h1><p>${reason}</p><p><a href="/">Back to the plans</a></p></div>`
  })

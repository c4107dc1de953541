/** What a page of the simulator is given, and the frame that all of them have. */
import { toMillis } from "@kavach-polar/core/Timestamp"
import type * as Effect from "effect/Effect"
import type { World } from "../Records.ts"
import type { Refusal } from "../Refusal.ts"
import type * as Simulator from "../Simulator.ts"
import { rows } from "../Step.ts"
import { type Html, html } from "./Html.ts"
import { type Link, type Page, respond, type Site } from "./Page.ts"
import type { Params } from "./Router.ts"

export interface Visit {
  readonly simulator: Simulator.Service
  readonly url: URL
  readonly params: Params
  /** What was posted; empty for a page that is only looked at. */
  readonly form: URLSearchParams
}

export type Handler = (visit: Visit) => Effect.Effect<Response, Refusal>

export const dateOf = (micros: World["organization"]["created_at"]): Date => new Date(toMillis(micros))

const site = (links: ReadonlyArray<Link>): Site => ({
  name: "Polar simulator",
  kind: "simulator",
  home: "/",
  links,
  notice: html`<p>This stands in for Polar on this machine. No real card, no real money.</p>`,
  footer: html`<p>Everything here is kept in memory, and gone when the simulator stops.</p>`
})

/** Where the apps are that listen, which is where a buyer or a developer came from. */
export const appLinks = (world: World): ReadonlyArray<Link> => {
  const byOrigin = new Map(
    rows(world, "endpoints").flatMap(({ name, url }) => {
      const { hostname, origin } = new URL(url)
      return hostname.endsWith(".invalid") ? [] : [[origin, name ?? hostname] as const]
    })
  )
  return Array.from(byOrigin, ([href, text]) => ({ href, text }))
}

/** A page for the developer. */
export const consolePage = ({
  apps = [],
  ...page
}: Omit<Page, "site"> & { readonly apps?: ReadonlyArray<Link> }): Response =>
  respond({ ...page, site: site([{ href: "/", text: "Console" }, ...apps]) })

/** A page for the buyer. */
export const buyerPage = (page: Omit<Page, "site">): Response => respond({ ...page, site: site([]) })

/** A page that says in two sentences why there is nothing else to see. */
export const explanation = (status: number, title: string, text: Html, page: typeof buyerPage = buyerPage): Response =>
  page({ status, title, main: html`<div class="card narrow"><h1>${title}</h1>${text}</div>` })

/** The way back for a buyer whose page is over. */
export const waysBack = (apps: ReadonlyArray<Link>): Html | false =>
  apps.length > 0 &&
  html`<p class="row">${apps.map(({ href, text }) => html`<a class="button" href="${href}">Back to ${text}</a>`)}</p>`

/** A refusal as a sentence for people. */
export const sentence = (refusal: Refusal): string =>
  typeof refusal.detail === "string"
    ? refusal.detail
    : refusal.detail.map(({ loc, msg }) => `${loc.slice(1).join(".")}: ${msg}`).join(" ")

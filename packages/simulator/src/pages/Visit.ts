/** What a page of the simulator is given, and the frame that all of them have. */
import { toMillis } from "@kavach-polar/core/Timestamp"
import type * as Effect from "effect/Effect"
import type { World } from "../Records.ts"
import type { Refusal } from "../Refusal.ts"
import type * as Simulator from "../Simulator.ts"
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

const consoleLinks: ReadonlyArray<Link> = [{ href: "/", text: "Console" }]

/** A page for the developer. */
export const consolePage = (page: Omit<Page, "site">): Response => respond({ ...page, site: site(consoleLinks) })

/** A page for the buyer. */
export const buyerPage = (page: Omit<Page, "site">): Response => respond({ ...page, site: site([]) })

/** A page that says in two sentences why there is nothing else to see. */
export const explanation = (status: number, title: string, text: Html, page: typeof buyerPage = buyerPage): Response =>
  page({ status, title, main: html`<div class="card narrow"><h1>${title}</h1>${text}</div>` })

/** A refusal as a sentence for people. */
export const sentence = (refusal: Refusal): string =>
  typeof refusal.detail === "string"
    ? refusal.detail
    : refusal.detail.map(({ loc, msg }) => `${loc.slice(1).join(".")}: ${msg}`).join(" ")

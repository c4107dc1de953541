/** What several pages show in the same way. */
import { type Html, html, type Value } from "./html.ts"
import { linkTo } from "./page.ts"

export const time = (at: Date | null): Html | null =>
  at === null
    ? null
    : html`<time datetime="${at.toISOString()}">${at.toISOString().slice(0, 19).replace("T", " ")}</time>`

const tones: Readonly<Record<string, "good" | "warn" | "bad">> = {
  applied: "good",
  done: "good",
  fine: "good",
  granted: "good",
  active: "good",
  trialing: "good",
  paid: "good",
  succeeded: "good",
  past_due: "warn",
  unpaid: "warn",
  incomplete: "warn",
  unlinked: "warn",
  pending: "warn",
  warning: "warn",
  unknown: "warn",
  grace: "warn",
  begun: "warn",
  waiting: "warn",
  lapsed: "bad",
  running: "good",
  failed: "bad",
  dead: "bad",
  broken: "bad",
  denied: "bad"
}

/** A short word that is not broken in two. */
export const word = (text: string): Html => html`<span class="word">${text.replaceAll("_", " ")}</span>`

export const badge = (state: string): Html =>
  html`<span class="badge ${tones[state] ?? ""}">${state.replaceAll("_", " ")}</span>`

export const person = (userId: string | null): Value =>
  userId === null
    ? html`<span class="muted">nobody</span>`
    : html`<a href="${linkTo("person", { id: userId })}">${userId}</a>`

export const delivery = (id: string): Html =>
  html`<a href="${linkTo("delivery", { id })}" title="${id}">${shortId(id)}</a>`

/** The first of five parts of a UUID, which tells those of one page apart; the page that it leads to has it whole. */
export const shortId = (id: string): Html =>
  /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)
    ? html`<code class="word">${id.slice(0, 8)}…</code>`
    : html`<code>${id}</code>`

export const facts = (rows: ReadonlyArray<readonly [string, Value]>): Html =>
  html`<dl>${rows
    .filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`

export const empty = (text: string): Html => html`<p class="empty">${text}</p>`

/** Leads to the page that asks whether it is meant. */
export const actionLink = (action: string, text: string, fields: Readonly<Record<string, string>>, about = ""): Html =>
  html`<a class="button" href="${linkTo("confirm", { do: action, ...fields })}"${about !== "" && html` aria-label="${text} ${about}"`}>${text}</a>`

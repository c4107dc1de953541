/** What the parts of the console have in common. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import type { Chaos } from "../Chaos.ts"
import type { World } from "../Records.ts"
import { type Html, html } from "./Html.ts"

export interface ConsoleState {
  readonly world: World
  readonly now: EpochMicros
  readonly realNow: EpochMicros
  readonly chaos: Chaos
  /** What was done last, and the section that it belongs to. */
  readonly done: { readonly section: string; readonly text: string } | undefined
  /** Of which kind deliveries are shown, such as `subscription`; all unless given. */
  readonly kind: string | undefined
}

/** What was done last, where it was asked for. */
export const told = ({ done }: ConsoleState, section: string): Html | false =>
  done?.section === section && html`<p class="message good" role="status">${done.text}</p>`

export const table = (id: string, columns: ReadonlyArray<string>, body: ReadonlyArray<Html>): Html =>
  html`<div class="scroll" role="region" aria-labelledby="${id}-title" tabindex="0"><table>
<thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead><tbody>${body}</tbody></table></div>`

/** The same, with rows in groups that have headings of their own. */
export const groupedTable = (
  id: string,
  columns: ReadonlyArray<string>,
  groups: ReadonlyArray<{ readonly heading: Html; readonly rows: ReadonlyArray<Html> }>
): Html =>
  html`<div class="scroll" role="region" aria-labelledby="${id}-title" tabindex="0"><table>
<thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>${groups.map(
    ({ heading, rows }) =>
      html`<tbody><tr class="group"><th colspan="${columns.length}" scope="rowgroup">${heading}</th></tr>${rows}</tbody>`
  )}</table></div>`

export const section = (state: ConsoleState, id: string, title: string, body: Html): Html =>
  html`<section id="${id}"${id !== "chaos" && html` data-live`} aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${id !== "checkouts" && told(state, id)}${body}</section>`

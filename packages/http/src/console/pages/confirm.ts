/** Is it meant? What would be done, before it is. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Deed } from "../actions.ts"
import { html } from "../html.ts"
import { linkTo, type Page } from "../page.ts"
import type { Visit } from "../Visit.ts"

export const confirmPage = async (
  { run, token }: Visit,
  name: string,
  deed: Deed,
  given: Readonly<Record<string, string>>
): Promise<Page> => {
  const { preview } = deed
  const told = preview === undefined ? null : await run((billing) => Effect.either(preview(billing, given)))
  const isRefused = told !== null && Either.isLeft(told)
  return {
    title: deed.title,
    status: isRefused ? 422 : 200,
    main: html`<h1>${deed.title}</h1>
<div class="card"><p>${deed.says(given)}</p>
${told !== null && html`<p class="message ${isRefused && "bad"}">${Either.merge(Either.mapLeft(told, ({ message }) => message))}</p>`}
${
  isRefused
    ? html`<p><a class="button" href="${linkTo("overview")}">Back</a></p>`
    : html`<form method="post" action="${linkTo("act")}"><input type="hidden" name="token" value="${token}"><input type="hidden" name="do" value="${name}">
${Object.keys(deed.fields).map((field) => html`<input type="hidden" name="${field}" value="${given[field] ?? ""}">`)}
<p class="row"><button class="primary">Yes, do it</button> <a class="button" href="${linkTo("overview")}">No</a></p></form>`
}</div>`
  }
}

/** Signing in as one of the demo users. A real shop has an auth framework for it. */
import type { Visit } from "../Shop.ts"
import { html } from "../web/html.ts"
import { seeOther } from "../web/responses.ts"
import { problemPage, shopPage } from "./frame.ts"

/** An address in this shop, and never that of another site. */
export const nextOf = (text: string | null): string =>
  text !== null && /^\/(?![/\\])[\w\-/]*(\?[\w\-=&%.]*)?$/.test(text) ? text : "/"

export const show = (visit: Visit): Promise<Response> => {
  const next = nextOf(visit.url.searchParams.get("next"))
  return shopPage(visit, {
    title: "Sign in",
    main: html`<div class="narrow"><h1>Sign in</h1>
<p class="lead">This is a demo: choose who you are.</p>
${visit.services.users.map(
  ({ email, id, name }) => html`<form class="card" method="post" action="/sign-in">
<input type="hidden" name="user" value="${id}"><input type="hidden" name="next" value="${next}">
<div class="head"><h2>${name}</h2></div><p class="muted">${email}</p>
<button class="primary">Sign in as ${name}</button></form>`
)}</div>`
  })
}

export const signIn = (visit: Visit): Promise<Response> | Response => {
  const user = visit.services.users.find(({ id }) => id === visit.form.get("user"))
  return user === undefined
    ? problemPage(visit, 422, "There is no such user", "Choose one of the demo users.")
    : seeOther(nextOf(visit.form.get("next")), { "set-cookie": visit.services.sessions.open(user) })
}

export const signOut = ({ services }: Visit): Response => seeOther("/", { "set-cookie": services.sessions.close() })

/** Where somebody is sent who must sign in first, and comes back from; `next` where that is no page to look at. */
export const signInFirst = ({ url }: Visit, next = `${url.pathname}${url.search}`): Response =>
  seeOther(`/sign-in?next=${encodeURIComponent(next)}`)

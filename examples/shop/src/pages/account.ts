/** What the user has, what it gives, and the ways to change it. */
import { subscribed } from "../currentSubscription.ts"
import type { Visit } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"
import { seeOther } from "../web/responses.ts"
import { date, statusBadge } from "../web/words.ts"
import { accessCard } from "./accessCard.ts"
import { benefitsSection } from "./benefits.ts"
import { portalForm, shopPage } from "./frame.ts"
import { signInFirst } from "./signIn.ts"
import { subscriptionCard } from "./subscriptionCard.ts"

export const show = async (visit: Visit): Promise<Response> => {
  const { services, user } = visit
  if (user === null) return signInFirst(visit)
  const { current, others } = await subscribed(services, user.id)
  const orders = await services.billing.orders.list(user.id)
  return shopPage(visit, {
    title: "Your subscription",
    live: true,
    formTargets: services.polarOrigins,
    main: html`<h1>Your subscription</h1>
${done(visit)}
<div id="subscription" data-version="${services.activity.version()}" aria-live="polite">
${
  current === undefined
    ? html`<p class="empty">You have no subscription. <a href="/">Choose a plan</a>, and it shows up here as soon as it is paid.</p>`
    : html`${await subscriptionCard(services, user.id, current, orders)}
${await accessCard(services, user.id, current)}`
}
${
  others.length > 0 &&
  html`<section aria-labelledby="earlier"><h2 id="earlier">Earlier</h2><ul class="log">${others.map(
    ({ endedAt, productName, status }) => html`<li><strong>${productName ?? "A plan"}</strong>
${statusBadge(status, false)}${endedAt !== null && html`<span class="muted">${date(endedAt)}</span>`}</li>`
  )}</ul></section>`
}
${await benefitsSection(visit, user.id)}
</div>
${
  (current !== undefined || others.length > 0 || orders.length > 0) &&
  html`<section aria-labelledby="invoices"><h2 id="invoices">Invoices and cards</h2>
<p>Polar keeps your invoices and the card that you pay with.</p>
<div class="row">${portalForm("Open the customer portal", "plain")}</div></section>`
}`
  })
}

/** What was done on another page: the address names it, and says no words of its own. */
const said: Readonly<Record<string, string>> = {
  changed: "Done: your plan is changed.",
  scheduled: "Done: your plan changes with the next period, and nothing is charged before.",
  undone: "Done: you keep the plan that you have.",
  canceled: "Done: nothing more is charged.",
  kept: "Good to have you back: your subscription goes on.",
  paused: "Done: your pause is scheduled.",
  resumed: "Done: your subscription goes on."
}

const done = ({ url }: Visit): Html | false => {
  const words = said[url.searchParams.get("done") ?? ""]
  return words !== undefined && html`<p class="message good" role="status">${words}</p>`
}

export const openPortal = async (visit: Visit): Promise<Response> => {
  if (visit.user === null) return signInFirst(visit, "/account")
  const returnUrl = `${visit.url.origin}/account`
  return seeOther(await visit.services.billing.portal.url(visit.user.id, { returnUrl }))
}

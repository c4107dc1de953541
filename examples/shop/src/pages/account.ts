/** What the user has, what it gives, and the ways to manage it. */
import type { Access } from "@kavach-polar/core/AccessPolicy"
import type { Subscription } from "@kavach-polar/core/Subscription"
import type { Visit } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"
import { seeOther } from "../web/responses.ts"
import { badge, date, statusBadge, type Tone } from "../web/words.ts"
import { benefitsSection } from "./benefits.ts"
import { shopPage } from "./frame.ts"
import { signInFirst } from "./signIn.ts"

const entitlements: Readonly<Record<Access["entitlement"], readonly [Tone, string]>> = {
  granted: ["good", "Access"],
  grace: ["warn", "Access for now"],
  denied: ["bad", "No access"]
}

/** What `access` says of a user. */
export const accessCard = async ({ services }: Visit, userId: string): Promise<Html> => {
  const { entitlement, reason, until } = await services.billing.access(userId, { at: await services.now() })
  return html`<div class="card"><div class="head"><h2>The archive</h2>${badge(...entitlements[entitlement])}</div>
<dl><dt>Why</dt><dd>${reason}</dd>${until !== null && html`<dt>Until</dt><dd>${date(until)}</dd>`}</dl></div>`
}

export const show = async (visit: Visit): Promise<Response> => {
  if (visit.user === null) return signInFirst(visit)
  const { activity, billing, polarOrigins } = visit.services
  const current = await billing.getSubscription(visit.user.id)
  const all = await billing.listSubscriptions(visit.user.id)
  const subscription = all.find(({ id }) => id === current?.id)
  const orders = await billing.orders.list(visit.user.id)
  const earlier = all.filter(({ id }) => id !== current?.id)
  return shopPage(visit, {
    title: "Your subscription",
    live: true,
    formTargets: polarOrigins,
    main: html`<h1>Your subscription</h1>
${checked(visit)}
<div id="subscription" data-version="${activity.version()}" aria-live="polite">
${
  subscription === undefined
    ? html`<p class="empty">You have no subscription. <a href="/">Choose a plan</a>, and it shows up here as soon as Polar says that it is paid.</p>`
    : html`${subscriptionCard(subscription)}
${await accessCard(visit, visit.user.id)}`
}
${
  earlier.length > 0 &&
  html`<section aria-labelledby="earlier"><h2 id="earlier">Earlier</h2><ul class="log">${earlier.map(earlierLine)}</ul></section>`
}
${await benefitsSection(visit, visit.user.id)}
</div>
${(all.length > 0 || orders.length > 0) && manage}`
  })
}

const manage = html`<section aria-labelledby="manage"><h2 id="manage">Manage</h2><div class="row">
<form method="post" action="/account/portal"><button class="primary">Open the customer portal</button></form>
<form method="post" action="/account/check"><button>Check with Polar</button></form></div>
<p class="small muted gap">Cancel, keep, and see invoices in the portal. Checking compares what the shop knows with Polar.</p></section>`

const subscriptionCard = (subscription: Subscription): Html => html`<div class="card">
<div class="head"><h2>${subscription.productName ?? "Your plan"}</h2>${statusBadge(subscription.status, subscription.cancelAtPeriodEnd)}</div>
<p>${future(subscription)}</p></div>`

const future = (subscription: Subscription): Html => {
  const { cancelAtPeriodEnd, currentPeriodEnd, pauseAtPeriodEnd, status } = subscription
  if (status === "past_due") return html`The last payment was declined. Polar will try again.`
  if (status === "paused") return html`It is paused, and nothing is charged.`
  if (currentPeriodEnd === null) return html`It has no end.`
  const end = date(currentPeriodEnd)
  if (cancelAtPeriodEnd) return html`It is canceled. You have paid until ${end}.`
  if (pauseAtPeriodEnd) return html`It pauses on ${end}.`
  return status === "trialing" ? html`The trial is free until ${end}.` : html`It renews on ${end}.`
}

const earlierLine = ({
  endedAt,
  productName,
  status
}: Subscription): Html => html`<li><strong>${productName ?? "A plan"}</strong>
${statusBadge(status, false)}${endedAt !== null && html`<span class="muted">${date(endedAt)}</span>`}</li>`

export const openPortal = async (visit: Visit): Promise<Response> => {
  if (visit.user === null) return signInFirst(visit)
  const { url } = await visit.services.billing.createPortalSession(visit.user.id, {
    returnUrl: `${visit.url.origin}/account`
  })
  return seeOther(url)
}

/** Asks Polar's API instead of waiting for a webhook. */
export const checkWithPolar = async (visit: Visit): Promise<Response> => {
  if (visit.user === null) return signInFirst(visit)
  const { compared, discrepancyCount } = await visit.services.billing.reconcile(visit.user.id)
  return seeOther(`/account?compared=${compared}&differed=${discrepancyCount}`)
}

/** What the check found, which came here by the address. */
const checked = ({ url }: Visit): Html | false => {
  const [compared, differed] = ["compared", "differed"].map((name) => Number(url.searchParams.get(name) ?? Number.NaN))
  if (!isCount(compared) || !isCount(differed)) return false
  const found =
    compared === 0
      ? "Polar knows of nothing that you bought here."
      : differed === 0
        ? "What the shop knows is what Polar says."
        : `Polar said something else in ${differed === 1 ? "one place" : `${differed} places`}, and the shop has set it right.`
  return html`<p class="card small" role="status"><strong>Checked with Polar.</strong> ${found}</p>`
}

const isCount = (number: number | undefined): number is number =>
  Number.isInteger(number) && number !== undefined && number >= 0

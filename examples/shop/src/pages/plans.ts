/** The plans, and the way to a checkout and back. */
import type { Plan } from "../catalog.ts"
import type { Visit } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"
import { seeOther } from "../web/responses.ts"
import { badge, money, span } from "../web/words.ts"
import { accessCard } from "./account.ts"
import { benefitsSection } from "./benefits.ts"
import { shopPage } from "./frame.ts"
import { signInFirst } from "./signIn.ts"

export const show = async (visit: Visit): Promise<Response> => {
  const { billing, plans, polarOrigins } = visit.services
  const subscription = visit.user === null ? null : await billing.getSubscription(visit.user.id)
  const all = await plans()
  const recurring = all.filter(({ interval }) => interval !== null)
  const once = all.filter(({ interval }) => interval === null)
  return shopPage(visit, {
    title: "Plans",
    formTargets: polarOrigins,
    main: html`<h1>Field notes, every week</h1>
<p class="lead">Subscribe to read the archive. Cancel whenever you like.</p>
<section aria-labelledby="plans"><h2 id="plans">Plans</h2>
${
  recurring.length === 0
    ? html`<p class="empty">There is nothing to subscribe to yet: add a recurring product at Polar, and load this page again.</p>`
    : html`<ul class="cards">${recurring.map((plan) => planCard(plan, visit, subscription?.productId ?? null))}</ul>`
}</section>
${
  once.length > 0 &&
  html`<section aria-labelledby="once"><h2 id="once">Pay once</h2><ul class="cards">${await Promise.all(once.map((product) => onceCard(product, visit)))}</ul></section>`
}`
  })
}

const priceOf = ({ amount, currency, interval, intervalCount }: Plan): Html => {
  if (amount === null) return html`<p class="price">By use</p>`
  if (amount === 0) return html`<p class="price">Free</p>`
  if (interval === null) return html`<p class="price">${money(amount, currency)} <span class="per">once</span></p>`
  const per = intervalCount === 1 ? `a ${interval}` : `every ${span(interval, intervalCount)}`
  return html`<p class="price">${money(amount, currency)} <span class="per">${per}</span></p>`
}

const planCard = (plan: Plan, { user }: Visit, current: string | null): Html => html`<li class="card">
<div class="head"><h3>${plan.name}</h3>${plan.id === current && badge("good", "Your plan")}</div>
${priceOf(plan)}
${plan.trial !== null && html`<p>The first ${span(plan.trial.interval, plan.trial.count)} are free.</p>`}
${plan.description !== null && html`<p class="muted">${plan.description}</p>`}
${
  user === null
    ? html`<form method="get" action="/sign-in"><button>Sign in to subscribe</button></form>`
    : current === null
      ? html`<form method="post" action="/subscribe"><input type="hidden" name="product" value="${plan.id}">
<button class="primary" aria-label="Subscribe to ${plan.name}">Subscribe</button></form>`
      : plan.id === current
        ? html`<p class="gap"><a href="/account">Manage it</a></p>`
        : html`<p class="small muted gap">You have a plan already. When it has ended you can choose this one.</p>`
}</li>`

const onceCard = async (product: Plan, { services, user }: Visit): Promise<Html> => {
  const isOwned = user !== null && (await services.billing.orders.owns(user.id, product.id))
  return html`<li class="card">
<div class="head"><h3>${product.name}</h3>${isOwned && badge("good", "Yours")}</div>
${priceOf(product)}
${product.description !== null && html`<p class="muted">${product.description}</p>`}
${
  user === null
    ? html`<form method="get" action="/sign-in"><button>Sign in to buy</button></form>`
    : isOwned
      ? html`<p class="gap"><a href="/account">What it gives you</a></p>`
      : html`<form method="post" action="/subscribe"><input type="hidden" name="product" value="${product.id}">
<button class="primary" aria-label="Buy ${product.name}">Buy</button></form>`
}</li>`
}

export const subscribe = async (visit: Visit): Promise<Response> => {
  if (visit.user === null) return signInFirst(visit)
  const { origin } = visit.url
  const { url } = await visit.services.billing.createCheckout(visit.user.id, visit.form.get("product") ?? "", {
    successUrl: `${origin}/welcome?checkout={CHECKOUT_ID}`,
    returnUrl: `${origin}/`
  })
  return seeOther(url)
}

/** Back from the checkout. Coming here proves nothing: what counts is what Polar's webhook said. */
export const welcome = async (visit: Visit): Promise<Response> => {
  if (visit.user === null) return signInFirst(visit)
  // Polar adds a key to the customer's portal, which belongs in no history and no log.
  if (visit.url.searchParams.has("customer_session_token")) {
    const url = new URL(visit.url)
    url.searchParams.delete("customer_session_token")
    return seeOther(`${url.pathname}${url.search}`)
  }
  const { activity, billing } = visit.services
  const subscription = await billing.getSubscription(visit.user.id)
  const bought = await billing.orders.list(visit.user.id)
  const paid = ["paid", "partially_refunded"]
  const isBought = bought.some(
    ({ checkoutId, status, subscriptionId }) =>
      checkoutId === visit.url.searchParams.get("checkout") && subscriptionId === null && paid.includes(status)
  )
  const isThere = subscription !== null || isBought
  return shopPage(visit, {
    title: isThere ? "Welcome" : "One moment",
    live: true,
    main: html`<div id="welcome" data-version="${activity.version()}">${
      isThere
        ? html`<h1>Welcome, ${visit.user.name}</h1><p class="lead">${isBought ? "What you bought is yours." : "Your subscription is here."}</p>
${isBought ? await benefitsSection(visit, visit.user.id) : await accessCard(visit, visit.user.id)}
<p class="row gap"><a class="button primary" href="/archive">Read the archive</a><a class="button" href="/account">Your subscription</a></p>`
        : html`<h1>One moment</h1>
<p class="lead">We are waiting to hear from Polar about your payment. This page shows it by itself.</p>
<div class="row"><form method="post" action="/account/check"><button>Ask Polar now</button></form>
<a href="${visit.url.pathname}${visit.url.search}">Load the page again</a></div>`
    }</div>`
  })
}

/** What is sold, and for each of it the way to have it. */
import type { SubscriptionDetails } from "@kavach-polar/http"
import type { Plan } from "../catalog.ts"
import { subscribed } from "../currentSubscription.ts"
import { periodEnd } from "../period.ts"
import type { Visit } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"
import { badge, money, often, span } from "../web/words.ts"
import { subscribeForm } from "./checkout.ts"
import { shopPage } from "./frame.ts"

export const show = async (visit: Visit): Promise<Response> => {
  const { plans, polarOrigins } = visit.services
  const current = visit.user === null ? undefined : (await subscribed(visit.services, visit.user.id)).current
  const forSale = (await plans()).filter(({ isForSale }) => isForSale)
  const recurring = forSale.filter(({ interval }) => interval !== null)
  const once = forSale.filter(({ interval }) => interval === null)
  const first = recurring.find(({ amount }) => amount !== 0)
  return shopPage(visit, {
    title: "Plans",
    formTargets: polarOrigins,
    main: html`<h1>Field notes, every week</h1>
<p class="lead">Subscribe to read the archive. Cancel whenever you like.</p>
<section aria-labelledby="plans"><h2 id="plans">Plans</h2>
${
  recurring.length === 0
    ? html`<p class="empty">There is nothing to subscribe to yet: add a recurring product at Polar, and load this page again.</p>`
    : html`<ul class="cards">${recurring.map((plan) => planCard(plan, visit, current, plan === first))}</ul>`
}</section>
${
  once.length > 0 &&
  html`<section aria-labelledby="once"><h2 id="once">Pay once</h2><ul class="cards">${await Promise.all(once.map((product) => onceCard(product, visit)))}</ul></section>`
}`
  })
}

export const priceLine = ({ amount, currency, interval, intervalCount }: Plan): Html => {
  if (amount === null) return html`<p class="price">By use</p>`
  if (amount === 0) return html`<p class="price">Free</p>`
  return html`<p class="price">${money(amount, currency)} <span class="per">${often(interval, intervalCount)}</span></p>`
}

export const trialLine = ({ trial }: Plan): Html | false =>
  trial !== null && html`<p>The first ${span(trial.interval, trial.count)} are free.</p>`

const planCard = (
  plan: Plan,
  { user }: Visit,
  current: SubscriptionDetails | undefined,
  isFirst: boolean
): Html => html`<li class="card">
<div class="head"><h3>${plan.name}</h3>${plan.id === current?.productId && badge("good", "Your plan")}</div>
${priceLine(plan)}
${trialLine(plan)}
${plan.description !== null && html`<p class="muted">${plan.description}</p>`}
<div class="do">${user === null ? signInTo("Sign in to subscribe", plan, isFirst) : action(plan, current, isFirst)}</div></li>`

const action = (plan: Plan, current: SubscriptionDetails | undefined, isFirst: boolean): Html => {
  if (current === undefined) return subscribeForm(plan, "Subscribe", { label: `Subscribe to ${plan.name}`, isFirst })
  if (plan.id === current.productId) return html`<a href="/account">Manage it</a>`
  const verb = isMore(plan, current) ? "Upgrade" : "Switch"
  return html`<a class="button${verb === "Upgrade" && " primary"}" href="/choose?product=${plan.id}" aria-label="${verb} to ${plan.name}">${verb}</a>`
}

/** Whether it costs more for the same time than what the user has. */
export const isMore = (
  plan: Plan,
  { amount, recurringInterval, recurringIntervalCount }: SubscriptionDetails
): boolean =>
  perDay(plan.amount, plan.interval, plan.intervalCount) >
  perDay(amount, recurringInterval, recurringIntervalCount ?? 1)

const perDay = (amount: number | null, interval: string | null, count: number): number => {
  const start = new Date(0)
  const end = periodEnd(start, interval, count)
  return end === undefined ? 0 : (amount ?? 0) / (end.getTime() - start.getTime())
}

const signInTo = (words: string, { id, name }: Plan, isFirst: boolean): Html =>
  html`<a class="button${isFirst && " primary"}" href="/sign-in?next=${encodeURIComponent(`/choose?product=${id}`)}" aria-label="${words}: ${name}">${words}</a>`

const onceCard = async (product: Plan, { services, user }: Visit): Promise<Html> => {
  const isOwned = user !== null && (await services.billing.orders.owns(user.id, product.id))
  return html`<li class="card">
<div class="head"><h3>${product.name}</h3>${isOwned && badge("good", "Yours")}</div>
${priceLine(product)}
${product.description !== null && html`<p class="muted">${product.description}</p>`}
<div class="do">${
    user === null
      ? signInTo("Sign in to buy", product, true)
      : isOwned
        ? html`<a href="/account">What it gives you</a>`
        : subscribeForm(product, "Buy", { label: `Buy ${product.name}`, isFirst: true })
  }</div></li>`
}

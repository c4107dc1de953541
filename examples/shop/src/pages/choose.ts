/** The plan that somebody chose: what it costs them, and the next step. */
import type { Plan } from "../catalog.ts"
import { subscribed } from "../currentSubscription.ts"
import type { Visit } from "../Shop.ts"
import { html } from "../web/html.ts"
import { seeOther } from "../web/responses.ts"
import { changePage } from "./change.ts"
import { subscribeForm } from "./checkout.ts"
import { problemPage, shopPage } from "./frame.ts"
import { priceLine, trialLine } from "./plans.ts"
import { signInFirst } from "./signIn.ts"

export const show = async (visit: Visit): Promise<Response> => {
  const { services, url, user } = visit
  if (user === null) return signInFirst(visit)
  const id = url.searchParams.get("product")
  const plan = (await services.plans()).find((one) => one.id === id && one.isForSale)
  if (plan === undefined) {
    return problemPage(visit, 404, "That is not for sale", "It may have been taken off the list since.")
  }
  const { current } = await subscribed(services, user.id)
  if (plan.interval === null || current === undefined) return offer(visit, plan)
  if (plan.id === current.productId) return seeOther("/account")
  // What was free is upgraded by the checkout, which asks for a card.
  const fromFree = current.amount === 0 && plan.amount !== 0 && !current.cancelAtPeriodEnd
  return fromFree
    ? offer(visit, plan, current.productName ?? "your free plan")
    : changePage(visit, user.id, plan, current)
}

const offer = (visit: Visit, plan: Plan, instead?: string): Promise<Response> => {
  const verb = plan.interval === null ? "Buy" : instead === undefined ? "Subscribe to" : "Upgrade to"
  return shopPage(visit, {
    title: `${verb} ${plan.name}`,
    formTargets: visit.services.polarOrigins,
    main: html`<div class="narrow"><h1>${verb} ${plan.name}</h1>
<div class="card">${priceLine(plan)}${trialLine(plan)}
${plan.description !== null && html`<p class="muted">${plan.description}</p>`}
${instead !== undefined && html`<p>It takes the place of ${instead}, and begins when you have paid.</p>`}
<div class="row">${subscribeForm(plan, "Go to the checkout")}<a class="button" href="/">See the other plans</a></div></div></div>`
  })
}

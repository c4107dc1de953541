/** Another plan for who has one: what it costs, and the change itself. */
import type { SubscriptionDetails } from "@kavach-polar/http"
import type { Plan } from "../catalog.ts"
import type { Visit } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"
import { seeOther } from "../web/responses.ts"
import { date, money } from "../web/words.ts"
import { costOf } from "./changeCost.ts"
import { shopPage } from "./frame.ts"
import { isMore } from "./plans.ts"
import { signInFirst } from "./signIn.ts"

/** What is left of the old plan is settled at once, so that the page can say what is paid today. */
const prorationBehavior = "invoice"

export const changePage = async (
  visit: Visit,
  userId: string,
  plan: Plan,
  current: SubscriptionDetails
): Promise<Response> => {
  if (current.cancelAtPeriodEnd) return keepFirst(visit, plan, current)
  const { billing, now } = visit.services
  const preview = await billing.subscriptions.preview(userId, {
    product: plan.id,
    prorationBehavior,
    subscriptionId: current.id
  })
  const verb = isMore(plan, current) ? "Upgrade" : "Switch"
  const pays =
    preview.available && preview.due > 0 ? ` and pay ${money(preview.due, preview.currency ?? plan.currency)}` : ""
  return chosenPage(
    visit,
    `${verb} to ${plan.name}`,
    html`${costOf({ plan, current, preview, now: await now() })}
<form method="post" action="/change"><input type="hidden" name="product" value="${plan.id}"><input type="hidden" name="subscription" value="${current.id}">
<div class="row gap"><button class="primary">${verb}${pays}</button>${later(plan, current)}<a class="button" href="/account">Keep ${current.productName ?? "the plan that you have"}</a></div></form>`
  )
}

/** For a plan that costs less: with the next period, so that what is paid for is used up. */
const later = (plan: Plan, current: SubscriptionDetails): Html | false =>
  current.status === "active" &&
  current.currentPeriodEnd !== null &&
  !isMore(plan, current) &&
  html`<button name="when" value="period">Switch on ${date(current.currentPeriodEnd)}</button>`

/** Polar changes nothing that is about to end. */
const keepFirst = (
  visit: Visit,
  plan: Plan,
  { currentPeriodEnd, endsAt, id }: SubscriptionDetails
): Promise<Response> => {
  const end = endsAt ?? currentPeriodEnd
  return chosenPage(
    visit,
    `Switch to ${plan.name}`,
    html`<div class="card"><p>Your subscription is about to end${end !== null && html`, on ${date(end)}`}. Keep it first, and you see what ${plan.name} costs.</p>
<form method="post" action="/account/keep"><input type="hidden" name="subscription" value="${id}"><input type="hidden" name="product" value="${plan.id}">
<div class="row"><button class="primary">Keep my subscription</button><a class="button" href="/account">Your subscription</a></div></form></div>`
  )
}

const chosenPage = (visit: Visit, title: string, body: Html): Promise<Response> =>
  shopPage(visit, { title, main: html`<div class="narrow"><h1>${title}</h1>${body}</div>` })

export const confirm = async (visit: Visit): Promise<Response> => {
  const { form, services, user } = visit
  const product = form.get("product") ?? ""
  if (user === null) return signInFirst(visit, `/choose?product=${encodeURIComponent(product)}`)
  const isLater = form.get("when") === "period"
  await services.billing.subscriptions.change(user.id, {
    product,
    prorationBehavior: isLater ? "next_period" : prorationBehavior,
    subscriptionId: form.get("subscription") ?? ""
  })
  return seeOther(`/account?done=${isLater ? "scheduled" : "changed"}`)
}

/** Takes back a change that waits for the next period. */
export const undo = async (visit: Visit): Promise<Response> => {
  const { form, services, user } = visit
  if (user === null) return signInFirst(visit, "/account")
  await services.billing.subscriptions.undoPending(user.id, { subscriptionId: form.get("subscription") ?? "" })
  return seeOther("/account?done=undone")
}

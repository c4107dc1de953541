/** The plan that somebody has: what happens to it next, and what they can do about it. */
import type { Order, SubscriptionDetails } from "@kavach-polar/http"
import type { Services } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"
import { date, money, often, price, statusBadge } from "../web/words.ts"
import { portalForm } from "./frame.ts"
import { overdue } from "./overdue.ts"

export const subscriptionCard = async (
  services: Services,
  userId: string,
  subscription: SubscriptionDetails,
  orders: ReadonlyArray<Order>
): Promise<Html> => {
  const { cancelAtPeriodEnd, productName, status } = subscription
  return html`<div class="card">
<div class="head"><h2>${productName ?? "Your plan"}</h2>${statusBadge(status, cancelAtPeriodEnd)}</div>
${
  status === "past_due"
    ? await overdue(services, userId, subscription, orders)
    : html`<p>${(await scheduled(services, subscription)) ?? future(subscription)}</p>`
}
${actions(subscription)}</div>`
}

/** `$19 a month`. */
const priceOf = ({ amount, currency, recurringInterval, recurringIntervalCount }: SubscriptionDetails): string =>
  amount === 0
    ? "nothing"
    : `${money(amount ?? 0, currency ?? "usd")} ${often(recurringInterval, recurringIntervalCount ?? 1)}`

/** What becomes of it with the next period, where that was chosen; nothing where it ends or pauses first. */
const scheduled = async (
  { plans }: Services,
  { cancelAtPeriodEnd, pauseAtPeriodEnd, pendingUpdate }: SubscriptionDetails
): Promise<Html | undefined> => {
  if (pendingUpdate === null || cancelAtPeriodEnd || pauseAtPeriodEnd) return undefined
  const next = (await plans()).find(({ id }) => id === pendingUpdate.productId)
  return next === undefined
    ? html`It changes on ${date(pendingUpdate.appliesAt)}, as you chose.`
    : html`You switch to ${next.name} on ${date(pendingUpdate.appliesAt)}. ${next.amount === 0 ? "It is free." : `From then on you pay ${price(next)}, and nothing before.`}`
}

const future = (subscription: SubscriptionDetails): Html => {
  const { amount, cancelAtPeriodEnd, currentPeriodEnd, endsAt, pauseAtPeriodEnd, resumesAt, status } = subscription
  if (status === "paused") {
    return html`It is paused, and nothing is charged. ${
      resumesAt === null
        ? html`When you resume it, a new period begins and ${priceOf(subscription)} is charged.`
        : html`It goes on by itself on ${date(resumesAt)}, for ${priceOf(subscription)}.`
    }`
  }
  const end = cancelAtPeriodEnd ? (endsAt ?? currentPeriodEnd) : currentPeriodEnd
  if (end === null) return html`It has no end.`
  if (cancelAtPeriodEnd) return html`Your access ends on ${date(end)}, and nothing more is charged.`
  if (pauseAtPeriodEnd) {
    return html`It pauses on ${date(end)}${resumesAt === null ? html`, until you resume it` : html`, and goes on from ${date(resumesAt)}`}. Nothing is charged meanwhile.`
  }
  if (status === "trialing") {
    return html`Your trial has started. It is free until ${date(end)}; then you pay ${priceOf(subscription)}, unless you cancel before.`
  }
  return amount === 0 ? html`It is free.` : html`It renews on ${date(end)}, for ${priceOf(subscription)}.`
}

const actions = (subscription: SubscriptionDetails): Html => {
  const { cancelAtPeriodEnd, id, pauseAtPeriodEnd, pendingUpdate, productName, status } = subscription
  const form = (action: string, label: string) =>
    html`<form method="post" action="${action}"><input type="hidden" name="subscription" value="${id}"><button${status !== "past_due" && html` class="primary"`}>${label}</button></form>`
  const link = (href: string, label: string) => html`<a class="button" href="${href}">${label}</a>`
  const cancel = link("/account/cancel", "Cancel")
  return html`<div class="row gap">${status === "past_due" && portalForm("Pay now")}${
    cancelAtPeriodEnd
      ? form("/account/keep", "Keep my subscription")
      : pauseAtPeriodEnd
        ? [form("/account/resume", "Do not pause"), cancel]
        : status === "paused"
          ? form("/account/resume", "Resume")
          : [
              pendingUpdate === null
                ? link("/", "Change the plan")
                : form("/account/undo", `Keep ${productName ?? "my plan"}`),
              status === "active" && pendingUpdate === null && link("/account/pause", "Pause"),
              cancel
            ]
  }</div>`
}

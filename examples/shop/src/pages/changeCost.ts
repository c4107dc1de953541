/** What a change of plan costs, in sentences: today, and from the next renewal on. */
import type { SubscriptionDetails, SubscriptionPreview } from "@kavach-polar/http"
import type { Plan } from "../catalog.ts"
import { periodEnd } from "../period.ts"
import { type Html, html } from "../web/html.ts"
import { date, money, price } from "../web/words.ts"

interface Change {
  readonly plan: Plan
  readonly current: SubscriptionDetails
  readonly preview: SubscriptionPreview
  readonly now: Date
}

type Amounts = Extract<SubscriptionPreview, { readonly available: true }>

export const costOf = (change: Change): Html => html`<div class="card">
${change.preview.available ? known(change, change.preview) : unknown(change)}
<dl class="gap"><dt>From then on</dt><dd>${renewal(change)}</dd></dl></div>`

const unknown = ({ current }: Change): Html =>
  html`<p><strong>Polar does not say beforehand what you pay today.</strong></p>
<p>What is left of ${current.productName ?? "your plan"} is taken off the price, and the rest is charged today. You see the amount in your invoices.</p>`

const known = (change: Change, preview: Amounts): Html => {
  const currency = preview.currency ?? change.plan.currency
  const amount = (cents: number): string => money(cents, currency)
  const lines = [
    ...preview.prorations.map(({ amount, label }) => [label, amount] as const),
    ...(preview.prorations.length === 0 && preview.subtotal !== 0
      ? [[change.plan.name, preview.subtotal] as const]
      : []),
    ...(preview.discount > 0 ? [["Discount", -preview.discount] as const] : []),
    ...(preview.tax !== 0 ? [["Tax", preview.tax] as const] : []),
    ...(preview.appliedBalance < 0 ? [["Your credit", preview.appliedBalance] as const] : []),
    ...(preview.appliedBalance > 0 ? [["Still open from before", preview.appliedBalance] as const] : [])
  ]
  return html`<p class="price">${preview.due > 0 ? amount(preview.due) : "Nothing"} <span class="per">today</span></p>
<p>${today(change, preview, amount)}</p>
${
  lines.length > 0 &&
  html`<ul class="sum">${lines.map(([label, cents]) => html`<li><span>${label}</span> <span>${amount(cents)}</span></li>`)}</ul>`
}`
}

const today = ({ current, plan }: Change, { due, total }: Amounts, amount: (cents: number) => string): Html => {
  const name = current.productName ?? "your plan"
  if (current.status === "trialing") {
    return due > 0 ? html`Your free trial ends today, and ${plan.name} begins.` : html`Your free trial goes on.`
  }
  if (due > 0) return html`You pay for the time until the next renewal. What is left of ${name} is taken off.`
  return total < 0
    ? html`${amount(-total)} of what you paid for ${name} is left over. It is credited to you, and comes off your next invoices.`
    : html`Nothing is charged for the change.`
}

/** When a whole period is charged next. Polar begins one at once when it is of another length, or takes the place of a trial. */
const renewal = ({ current, now, plan, preview }: Change): Html => {
  if (plan.amount === 0) return html`It is free.`
  const isOther =
    plan.interval !== current.recurringInterval || plan.intervalCount !== (current.recurringIntervalCount ?? 1)
  const trialGoesOn = current.status === "trialing" && preview.available && preview.due === 0
  const next = trialGoesOn
    ? plan.trial === null
      ? current.currentPeriodEnd
      : periodEnd(current.trialStart ?? now, plan.trial.interval, plan.trial.count)
    : isOther || current.status === "trialing"
      ? periodEnd(now, plan.interval, plan.intervalCount)
      : current.currentPeriodEnd
  const discount = current.discountId === null ? "" : ", less your discount"
  return next === undefined || next === null
    ? html`You pay ${price(plan)}${discount}.`
    : html`You pay ${price(plan)}${discount}, next on ${date(next)}.`
}

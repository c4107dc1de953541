/** How the console looks: time, payments, who has what. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import { labelOf } from "../Prices.ts"
import type { Checkout, Customer, Subscription, World } from "../Records.ts"
import { rows } from "../Step.ts"
import { isActive } from "../Subscriptions.ts"
import { chaosSection, deliverySection, endpointSection } from "./ConsoleDeliveries.ts"
import { orderSection } from "./ConsoleOrders.ts"
import { type ConsoleState, section, table, told } from "./ConsoleParts.ts"
import { badge, date, duration, statusBadge, subscriptionPrice, time } from "./Format.ts"
import { type Html, html } from "./Html.ts"
import { dateOf } from "./Visit.ts"

/** What happens next to a subscription by itself. */
export const nextDue = (
  world: World,
  subscription: Subscription
): { readonly at: EpochMicros; readonly what: string } | undefined => {
  if (isActive(subscription)) {
    const what = subscription.cancel_at_period_end
      ? "end"
      : subscription.pause_at_period_end
        ? "pause"
        : subscription.status === "trialing"
          ? "end of the trial"
          : "next renewal"
    return { at: subscription.current_period_end, what }
  }
  if (subscription.status === "paused") {
    return subscription.resumes_at === null ? undefined : { at: subscription.resumes_at, what: "end of the pause" }
  }
  const attempts = rows(world, "orders").flatMap(({ next_payment_attempt_at: at, status, subscription_id }) =>
    subscription_id === subscription.id && status === "pending" && at !== null ? [at] : []
  )
  const [first] = attempts.sort((one, other) => one - other)
  return first === undefined ? undefined : { at: first, what: "next attempt" }
}

export const view = (state: ConsoleState): Html => html`<h1>Console</h1>
<p class="lead">Everything this simulator knows, and what you can do to it. The shop learns of it by webhooks only.</p>
${state.done?.section === "checkouts" && told(state, "checkouts")}
<div class="split">${timeCard(state)}${paymentCard(state)}</div>
${subscriptionSection(state)}
${orderSection(state)}
${checkoutSection(state)}
${chaosSection(state)}
${endpointSection(state)}
${deliverySection(state)}`

const microsPerMilli = 1000
const noticeableMicros = 60_000_000

const timeCard = (state: ConsoleState): Html => {
  const { now, realNow } = state
  const ahead = now - realNow
  return html`<section class="card" id="time" data-live aria-labelledby="time-title"><h2 id="time-title">Simulated time</h2>${told(state, "time")}
<p><strong>${time(dateOf(now))}</strong><br><span class="muted">${
    ahead < noticeableMicros
      ? "The same as the real time."
      : `${duration(ahead / microsPerMilli)} ahead of the real time.`
  }</span></p>
<form method="post" action="/console/advance" class="row">
${[1, 7, 30].map((days) => html`<button name="days" value="${days}">${days === 1 ? "A day on" : `${days} days on`}</button>`)}
</form></section>`
}

const paymentCard = (state: ConsoleState): Html => {
  const { declines } = state.world
  return html`<section class="card" id="payments" data-live aria-labelledby="payments-title">
<h2 id="payments-title">Payments</h2>${told(state, "payments")}
<p>${
    declines.length === 0
      ? "Every payment goes through."
      : declines.length === 1
        ? html`${badge("warn", "The next payment will be declined")}`
        : html`${badge("warn", `The next ${declines.length} payments will be declined`)}`
  }</p>
<p class="small muted">A payment that fails is tried again. One that fails for good, as with a stolen card, is not.</p>
<form method="post" action="/console/payments" class="row">
<button name="next" value="decline">Fail the next payment</button>
<button name="next" value="decline-for-good">Fail it for good</button>
${declines.length > 0 && html`<button name="next" value="no-decline">Let payments through</button>`}
</form></section>`
}

const subscriptionSection = (state: ConsoleState): Html => {
  const { world } = state
  const customers = rows(world, "customers").filter(({ deleted_at }) => deleted_at === null)
  const subscriptions = rows(world, "subscriptions")
  const ended = subscriptions.filter(({ ended_at }) => ended_at !== null).reverse()
  const lines = customers.flatMap((customer) => {
    const own = subscriptions
      .filter(({ customer_id, ended_at }) => customer_id === customer.id && ended_at === null)
      .reverse()
    return own.length === 0
      ? [html`<tr>${who(customer)}<td colspan="4" class="muted">No subscription now</td></tr>`]
      : own.map((one) => subscriptionRow(world, one, customer))
  })
  return section(
    state,
    "subscriptions",
    "Customers and subscriptions",
    lines.length === 0
      ? html`<p class="empty">Nobody has come yet. A customer appears when somebody in the shop starts a checkout.</p>`
      : html`${table("subscriptions", subscriptionColumns, lines)}
${
  ended.length > 0 &&
  html`<details id="ended"><summary>${ended.length === 1 ? "One that has ended" : `${ended.length} that have ended`}</summary>
${table(
  "subscriptions",
  subscriptionColumns,
  ended.flatMap((one) => {
    const customer = rows(world, "customers").find(({ id }) => id === one.customer_id)
    return customer === undefined ? [] : [subscriptionRow(world, one, customer)]
  })
)}</details>`
}`
  )
}

const subscriptionColumns = ["Customer", "Plan", "Status", "Next", "Actions"]

const who = ({ email, external_id, name }: Customer): Html =>
  html`<th scope="row">${name ?? email}<br><span class="small muted">${email}${
    external_id !== null && html`<br><code>${external_id}</code>`
  }</span></th>`

const subscriptionRow = (world: World, subscription: Subscription, customer: Customer): Html => {
  const product = rows(world, "products").find(({ id }) => id === subscription.product_id)
  const next = nextDue(world, subscription)
  return html`<tr>${who(customer)}<td class="plan">${product !== undefined && labelOf(product, subscription)}<br><span class="small muted">${product !== undefined && subscriptionPrice(product, subscription)}</span></td>
<td>${statusBadge(subscription.status, subscription.cancel_at_period_end)}${
    subscription.pause_at_period_end && html` ${badge("warn", "Pause scheduled")}`
  }</td>
<td>${next === undefined ? html`<span class="muted">Nothing</span>` : html`${capitalized(next.what)}<br><span class="small muted">${date(dateOf(next.at))}</span>`}</td>
<td class="actions"><form method="post" action="/console/subscriptions/${subscription.id}" class="row" aria-label="Subscription of ${customer.name ?? customer.email}">
${next !== undefined && html`<button class="primary" name="action" value="advance">Advance to the ${next.what}</button>`}
${actionsOf(subscription).map(([action, label]) => html`<button name="action" value="${action}"${action === "revoke" && html` class="danger"`}>${label}</button>`)}
</form></td></tr>`
}

const capitalized = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`

const actionsOf = (subscription: Subscription): ReadonlyArray<readonly [string, string]> => {
  if (subscription.ended_at !== null) return []
  const { cancel_at_period_end: ending, pause_at_period_end: pausing, status } = subscription
  return [
    ...(ending ? [["uncancel", "Un-cancel"] as const] : [["cancel", "Cancel"] as const]),
    ...(pausing ? [["unpause", "Don't pause"] as const] : []),
    ...(status === "active" && !ending && !pausing ? [["pause", "Pause"] as const] : []),
    ...(status === "paused" ? [["resume", "Resume"] as const] : []),
    ["revoke", "Revoke now"]
  ]
}

const checkoutSection = (state: ConsoleState): Html | false => {
  const { world } = state
  const open = rows(world, "checkouts").filter(({ status }) => status === "open")
  return (
    open.length > 0 &&
    section(
      state,
      "checkouts",
      "Open checkouts",
      table(
        "checkouts",
        ["Buyer", "Plan", "Open until", "Actions"],
        open.reverse().map((checkout) => checkoutRow(world, checkout))
      )
    )
  )
}

const checkoutRow = (world: World, checkout: Checkout): Html => {
  const product = rows(world, "products").find(({ id }) => id === checkout.product_id)
  return html`<tr><th scope="row">${checkout.customer_email ?? "Not known yet"}</th><td>${product?.name}</td>
<td>${time(dateOf(checkout.expires_at))}</td>
<td><form method="post" action="/console/checkouts/${checkout.id}/expire" class="row"><a class="button" href="/checkout/${checkout.client_secret}">Open</a><button>Let it expire</button></form></td></tr>`
}

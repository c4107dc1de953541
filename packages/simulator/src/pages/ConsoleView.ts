/** How the console looks. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import type { Chaos } from "../Chaos.ts"
import type { Checkout, Subscription, WebhookEndpoint, WebhookEvent, World } from "../Records.ts"
import { rows } from "../Step.ts"
import { isActive } from "../Subscriptions.ts"
import { badge, date, duration, price, statusBadge, time } from "./Format.ts"
import { type Html, html } from "./Html.ts"
import { dateOf } from "./Visit.ts"

export interface ConsoleState {
  readonly world: World
  readonly now: EpochMicros
  readonly realNow: EpochMicros
  readonly chaos: Chaos
  readonly message: Html | undefined
}

/** What the console can do to deliveries, and to which share of them. */
export const chaosSwitches: ReadonlyArray<{
  readonly name: "duplicates" | "delays" | "reorder" | "drops" | "tampering"
  readonly share: number
  readonly label: string
  readonly hint: string
}> = [
  { name: "duplicates", share: 1, label: "Deliver twice", hint: "Every delivery comes a second time." },
  { name: "delays", share: 0.5, label: "Deliver late", hint: "Every second event comes up to five seconds late." },
  { name: "reorder", share: 0.5, label: "Out of order", hint: "Every second event lets later ones pass." },
  { name: "drops", share: 0.15, label: "Lose some", hint: "Every seventh attempt never arrives, and is made again." },
  {
    name: "tampering",
    share: 0.15,
    label: "Alter some",
    hint: "Some bodies are changed on the way; the shop must refuse them."
  }
]

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
  return first === undefined ? undefined : { at: first, what: "next payment attempt" }
}

export const view = (state: ConsoleState): Html => html`<h1>Console</h1>
<p class="lead">Everything this simulator knows, and what you can do to it. The shop learns of it by webhooks only.</p>
${state.message !== undefined && html`<p class="message good" role="status">${state.message}</p>`}
<div class="split">${timeCard(state)}${paymentCard(state)}</div>
${subscriptionSection(state)}
${checkoutSection(state)}
${chaosSection(state)}
${endpointSection(state)}
${deliverySection(state)}`

const microsPerMilli = 1000
const noticeableMicros = 60_000_000

const timeCard = ({ now, realNow }: ConsoleState): Html => {
  const ahead = now - realNow
  return html`<section class="card" id="time" aria-labelledby="time-title"><h2 id="time-title">Simulated time</h2>
<p><strong>${time(dateOf(now))}</strong><br><span class="muted">${
    ahead < noticeableMicros
      ? "The same as the real time."
      : `${duration(ahead / microsPerMilli)} ahead of the real time.`
  }</span></p>
<form method="post" action="/console/advance" class="row">
${[1, 7, 30].map((days) => html`<button name="days" value="${days}">${days === 1 ? "A day on" : `${days} days on`}</button>`)}
</form></section>`
}

const paymentCard = ({
  world: { declines }
}: ConsoleState): Html => html`<section class="card" id="payments" aria-labelledby="payments-title">
<h2 id="payments-title">Payments</h2>
<p>${
  declines.length === 0
    ? "Every payment goes through."
    : declines.length === 1
      ? html`${badge("warn", "The next payment will be declined")}`
      : html`${badge("warn", `The next ${declines.length} payments will be declined`)}`
}</p>
<form method="post" action="/console/payments" class="row">
<button name="next" value="decline">Fail the next payment</button>
<button name="next" value="decline-for-good">Fail it for good</button>
${declines.length > 0 && html`<button name="next" value="no-decline">Let payments through</button>`}
</form></section>`

const table = (id: string, columns: ReadonlyArray<string>, body: ReadonlyArray<Html>): Html =>
  html`<div class="scroll" role="region" aria-labelledby="${id}-title" tabindex="0"><table>
<thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead><tbody>${body}</tbody></table></div>`

const section = (id: string, title: string, body: Html): Html =>
  html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${body}</section>`

const subscriptionSection = ({ world }: ConsoleState): Html => {
  const customers = rows(world, "customers").filter(({ deleted_at }) => deleted_at === null)
  const subscriptions = rows(world, "subscriptions")
  const lines = customers.flatMap((customer) => {
    const own = subscriptions.filter(({ customer_id }) => customer_id === customer.id).reverse()
    const who = html`<th scope="row">${customer.name ?? customer.email}<br><span class="small muted">${customer.email}${
      customer.external_id !== null && html` · <code>${customer.external_id}</code>`
    }</span></th>`
    return own.length === 0
      ? [html`<tr>${who}<td colspan="4" class="muted">No subscription yet</td></tr>`]
      : own.map((one) => subscriptionRow(world, one, who, customer.name ?? customer.email))
  })
  return section(
    "subscriptions",
    "Customers and subscriptions",
    lines.length === 0
      ? html`<p class="empty">Nobody has come yet. A customer appears when somebody in the shop starts a checkout.</p>`
      : table("subscriptions", ["Customer", "Plan", "Status", "Next", "Actions"], lines)
  )
}

const subscriptionRow = (world: World, subscription: Subscription, who: Html, name: string): Html => {
  const product = rows(world, "products").find(({ id }) => id === subscription.product_id)
  const next = nextDue(world, subscription)
  return html`<tr>${who}<td>${product?.name}<br><span class="small muted">${product !== undefined && price(product)}</span></td>
<td>${statusBadge(subscription.status, subscription.cancel_at_period_end)}${
    subscription.pause_at_period_end && html` ${badge("warn", "Pause scheduled")}`
  }</td>
<td>${next === undefined ? html`<span class="muted">Nothing</span>` : html`${capitalized(next.what)}<br><span class="small muted">${date(dateOf(next.at))}</span>`}</td>
<td class="actions"><form method="post" action="/console/subscriptions/${subscription.id}" class="row" aria-label="Subscription of ${name}">
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

const checkoutSection = ({ world }: ConsoleState): Html | false => {
  const open = rows(world, "checkouts").filter(({ status }) => status === "open")
  return (
    open.length > 0 &&
    section(
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

const chaosSection = ({ chaos }: ConsoleState): Html =>
  section(
    "chaos",
    "Chaos",
    html`<form class="card" method="post" action="/console/chaos"><fieldset><legend>What happens to deliveries on the way</legend>
${chaosSwitches.map(
  ({ hint, label, name }) =>
    html`<label class="check"><input type="checkbox" name="${name}" value="on"${chaos[name] > 0 && html` checked`}><span><strong>${label}</strong> <span class="muted">${hint}</span></span></label>`
)}
</fieldset><button class="primary">Apply</button></form>`
  )

const endpointSection = ({ world }: ConsoleState): Html => {
  const endpoints = rows(world, "endpoints")
  return section(
    "endpoints",
    "Webhook endpoints",
    endpoints.length === 0
      ? html`<p class="empty">Nobody listens. An app adds its endpoint through the API, or with <code>addEndpoint</code>.</p>`
      : table("endpoints", ["Address", "State", "Events", "Actions"], endpoints.map(endpointRow))
  )
}

const endpointRow = (endpoint: WebhookEndpoint): Html => html`<tr><th scope="row"><code>${endpoint.url}</code></th>
<td>${endpoint.enabled ? badge("good", "Enabled") : badge("bad", "Disabled")}</td>
<td>${endpoint.events.length} types</td>
<td><form method="post" action="/console/endpoints/${endpoint.id}">
${
  endpoint.enabled
    ? html`<button name="enabled" value="no">Disable</button>`
    : html`<button name="enabled" value="yes">Enable</button>`
}</form></td></tr>`

const shownEvents = 40

const deliverySection = ({ world, now }: ConsoleState): Html => {
  const events = rows(world, "events")
  const shown = [...events].sort((one, other) => other.position - one.position).slice(0, shownEvents)
  const answers = new Map(rows(world, "deliveries").map((delivery) => [delivery.event_id, delivery.response]))
  return section(
    "deliveries",
    "Deliveries",
    events.length === 0
      ? html`<p class="empty">Nothing has been delivered yet. Every change shows up here, with what the endpoint answered.</p>`
      : html`<p class="muted">${
          events.length > shownEvents ? `The newest ${shownEvents} of ${events.length} events.` : "The newest first."
        } <a href="/#deliveries">Refresh</a></p>
${table(
  "deliveries",
  ["Event", "When", "State", "Answer", "Actions"],
  shown.map((event) => deliveryRow(event, now, answers.get(event.id) ?? null))
)}`
  )
}

const deliveryRow = (event: WebhookEvent, now: EpochMicros, answer: string | null): Html => html`<tr>
<th scope="row"><code>${event.type}</code></th><td>${time(dateOf(event.created_at))}</td>
<td>${deliveryState(event, now)}</td>
<td>${
  event.attempts === 0
    ? html`<span class="muted">Not sent yet</span>`
    : html`${event.last_http_code ?? "No answer"}${event.attempts > 1 && html` <span class="muted">after ${event.attempts} attempts</span>`}${
        answer !== null && html` <code class="small">${answer.slice(0, 40)}</code>`
      }`
}</td>
<td><form method="post" action="/console/events/${event.id}/redeliver"><button>Redeliver</button></form></td></tr>`

const deliveryState = (event: WebhookEvent, now: EpochMicros): Html => {
  if (event.succeeded === true) return badge("good", "Delivered")
  if (event.skipped) return badge("plain", "Skipped")
  if (event.succeeded === false || event.due_at === null) return badge("bad", "Given up")
  if (event.due_at <= now) return badge("plain", "On its way")
  const wait = `in ${Math.max(1, Math.round((event.due_at - now) / 1_000_000))} s`
  return event.attempts === 0 ? badge("plain", `Late: ${wait}`) : badge("warn", `Again ${wait}`)
}

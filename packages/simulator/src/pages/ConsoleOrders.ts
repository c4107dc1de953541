/** The part of the console about money: what was ordered, what of it went back, and ways to send it back. */
import { isPaid } from "../Money.ts"
import type { Order, Refund, World } from "../Records.ts"
import { left, ofOrder } from "../Refunds.ts"
import { rows } from "../Step.ts"
import { type ConsoleState, section, table } from "./ConsoleParts.ts"
import { badge, money, orderBadge, type Tone, time } from "./Format.ts"
import { type Html, html } from "./Html.ts"
import { dateOf } from "./Visit.ts"

const shownOrders = 40

export const orderSection = (state: ConsoleState): Html => {
  const { world } = state
  const orders = rows(world, "orders")
  return section(
    state,
    "orders",
    "Orders and refunds",
    orders.length === 0
      ? html`<p class="empty">Nothing has been ordered yet. Every purchase and every renewal makes an order.</p>`
      : html`<p class="muted" id="refund-hint">${
          orders.length > shownOrders ? `The newest ${shownOrders} of ${orders.length} orders. ` : ""
        }An amount to refund is without tax, which goes back with it; leave it empty for all that is left.</p>
${table(
  "orders",
  ["Order", "Customer", "Amount", "State", "Actions"],
  orders
    .slice(-shownOrders)
    .reverse()
    .flatMap((order) => [
      orderRow(world, order),
      ...ofOrder(world, order.id).map((refund) => refundRow(world, order, refund))
    ])
)}`
  )
}

const customerOf = (world: World, id: string): string | undefined => {
  const customer = rows(world, "customers").find((one) => one.id === id)
  return customer?.name ?? customer?.email
}

const orderRow = (world: World, order: Order): Html => {
  const taxes = order.tax_amount === 0 ? [] : [`${money(order.tax_amount, order.currency)} of it tax`]
  const back = order.refunded_amount + order.refunded_tax_amount
  const notes = back === 0 ? taxes : [...taxes, `${money(back, order.currency)} went back`]
  return html`<tr><th scope="row"><code>${order.invoice_number}</code><br><span class="small muted">${order.items[0]?.label}, ${time(dateOf(order.created_at))}</span></th>
<td>${customerOf(world, order.customer_id)}</td>
<td>${money(order.amount + order.tax_amount, order.currency)}${notes.length > 0 && html`<br><span class="small muted">${notes.join(", ")}</span>`}</td>
<td>${orderBadge(order.status)}</td>
<td class="actions">${refundForm(world, order)}</td></tr>`
}

const refundForm = (world: World, order: Order): Html | false => {
  const rest = left(world, order).amount
  return (
    isPaid(order) &&
    rest > 0 &&
    html`<form method="post" action="/console/orders/${order.id}/refund" class="row" aria-label="Refund of ${order.invoice_number}">
<label for="amount-${order.id}">Amount</label>
<input class="amount" type="text" inputmode="decimal" autocomplete="off" id="amount-${order.id}" name="amount" aria-describedby="refund-hint">
${
  // Of a subscription Polar takes none back: they end with it.
  order.subscription_id === null &&
  html`<label class="check"><input type="checkbox" name="revoke_benefits" value="on"><span>Take benefits back</span></label>`
}
<button name="outcome" value="succeeded">Refund</button><button name="outcome" value="pending">Refund as pending</button></form>`
  )
}

const states: Readonly<Record<Refund["status"], readonly [Tone, string]>> = {
  pending: ["warn", "Pending"],
  succeeded: ["good", "Succeeded"],
  failed: ["bad", "Failed"],
  canceled: ["plain", "Canceled"]
}

const refundRow = (
  world: World,
  order: Order,
  refund: Refund
): Html => html`<tr><th scope="row">Refund of <code>${order.invoice_number}</code><br><span class="small muted">${refund.reason.replaceAll("_", " ")}, ${time(dateOf(refund.created_at))}</span></th>
<td>${customerOf(world, refund.customer_id)}</td>
<td>${money(-(refund.amount + refund.tax_amount), refund.currency)}</td>
<td>${badge(...states[refund.status])}</td>
<td class="actions">${outcomes(order, refund)}</td></tr>`

const outcomes = (order: Order, { id, status }: Refund): Html | false => {
  const buttons =
    status === "pending"
      ? html`<button name="status" value="succeeded">Let it succeed</button><button class="danger" name="status" value="failed">Let it fail</button>`
      : status === "succeeded" &&
        html`<button class="danger" name="status" value="failed">Let it fail after all</button>`
  return (
    buttons !== false &&
    html`<form method="post" action="/console/refunds/${id}" class="row" aria-label="Refund of ${order.invoice_number}">${buttons}</form>`
  )
}

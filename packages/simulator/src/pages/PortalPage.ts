/** The customer portal: what the customer has, and the ways to end it or to keep it. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Due from "../Due.ts"
import { isFree, labelOf } from "../Prices.ts"
import type { Customer, CustomerSession, Order, Product, Subscription } from "../Records.ts"
import { type Refusal, refused } from "../Refusal.ts"
import type { Step } from "../Step.ts"
import * as Subscriptions from "../Subscriptions.ts"
import { date, money, orderBadge, statusBadge, subscriptionPrice } from "./Format.ts"
import { type Html, html } from "./Html.ts"
import { seeOther } from "./Page.ts"
import type { Route } from "./Router.ts"
import { appLinks, buyerPage, dateOf, explanation, type Handler, sentence, type Visit, waysBack } from "./Visit.ts"

interface Portal {
  readonly session: CustomerSession
  readonly customer: Customer
  readonly now: EpochMicros
  readonly subscriptions: ReadonlyArray<Subscribed>
  readonly orders: ReadonlyArray<Order>
}

interface Subscribed {
  readonly subscription: Subscription
  readonly product: Product
  /** What is still owed for it. */
  readonly owed: Order | undefined
}

const noAccess = refused(401, "Unauthorized", "This session has ended.")

const tokenParameter = "customer_session_token"

/** The session that the address names, as long as it lasts. */
const sessionOf = (step: Step, visit: Visit): Either.Either<CustomerSession, Refusal> => {
  const token = visit.url.searchParams.get(tokenParameter)
  const session = step.all("sessions").find((one) => one.token === token)
  const isHere = visit.params["organization"] === step.world.organization.slug
  return session === undefined || !isHere || session.expires_at <= step.now()
    ? Either.left(noAccess)
    : Either.right(session)
}

const portalOf = (visit: Visit): Effect.Effect<Portal, Refusal> =>
  visit.simulator.run((step) =>
    Either.map(sessionOf(step, visit), (session) => {
      const own = ({ customer_id }: { readonly customer_id: string }) => customer_id === session.customer_id
      return {
        session,
        customer: step.get("customers", session.customer_id),
        now: step.now(),
        subscriptions: step
          .all("subscriptions")
          .filter(own)
          .map((subscription) => ({
            subscription,
            product: step.get("products", subscription.product_id),
            owed: owedFor(step, subscription.id)
          }))
          .reverse(),
        orders: step.all("orders").filter(own).reverse()
      }
    })
  )

const closed = ({ simulator }: Visit): Effect.Effect<Response> =>
  Effect.map(simulator.read(appLinks), (apps) =>
    explanation(
      401,
      "Your access to this page has ended",
      html`<p>A link to the portal works for an hour. Go back to the shop and open it again.</p>${waysBack(apps)}`
    )
  )

const show: Handler = (visit) =>
  Effect.matchEffect(portalOf(visit), {
    onFailure: () => closed(visit),
    onSuccess: (portal) => Effect.succeed(page(portal, visit))
  })

/** Who keeps what costs something has a card for it: Polar's portal asks for one, and its API for apps does not. */
const keep =
  (id: string) =>
  (step: Step): Subscriptions.Answer =>
    Either.flatMap(Subscriptions.find(step, id), ({ customer_id, product_id }) =>
      isFree(step.get("products", product_id)) || step.get("customers", customer_id).default_payment_method_id !== null
        ? Subscriptions.uncancel(id)(step)
        : Either.left(refused(409, "PaymentMethodRequired", "Add a payment method before you keep this subscription."))
    )

/** Pays what is open with a card that is good, unless the console says that the next payment fails. */
const pay =
  (id: string) =>
  (step: Step): Either.Either<"paid" | "declined", Refusal> => {
    const owed = owedFor(step, id)
    return owed === undefined
      ? Either.left(refused(409, "NothingOpen", "Nothing is open any more."))
      : Either.right(Due.payNow(step, owed) ? "paid" : "declined")
  }

const declined = refused(402, "PaymentFailed", "The card was declined, and nothing was charged. Try again.")

const owedFor = (step: Step, id: string): Order | undefined =>
  step.all("orders").find(({ status, subscription_id }) => status === "pending" && subscription_id === id)

const changeOf = (
  action: string | null,
  id: string
): ((step: Step) => Either.Either<Subscription | "paid" | "declined", Refusal>) => {
  switch (action) {
    case "uncancel":
      return keep(id)
    case "pay":
      return pay(id)
    default:
      return Subscriptions.cancel(id, {})
  }
}

const act: Handler = (visit) => {
  const id = visit.form.get("subscription") ?? ""
  const change = changeOf(visit.form.get("action"), id)
  return visit.simulator
    .run((step) =>
      Either.flatMap(sessionOf(step, visit), ({ customer_id }) =>
        // Somebody else's is as good as none.
        step.find("subscriptions", id)?.customer_id === customer_id ? change(step) : Subscriptions.find(step, "")
      )
    )
    .pipe(
      // Here, because what is refused leaves nothing behind: the card was asked.
      Effect.filterOrFail(
        (outcome) => outcome !== "declined",
        () => declined
      ),
      Effect.as(seeOther(`${visit.url.pathname}${visit.url.search}`)),
      Effect.catchAll((refusal) =>
        refusal.status === 401
          ? closed(visit)
          : Effect.matchEffect(portalOf(visit), {
              onFailure: () => closed(visit),
              onSuccess: (portal) => Effect.succeed(page(portal, visit, refusal))
            })
      )
    )
}

const page = ({ customer, now, orders, session, subscriptions }: Portal, { url }: Visit, refusal?: Refusal): Response =>
  buyerPage({
    title: "Your subscription",
    status: refusal?.status ?? 200,
    main: html`<h1>Your subscription</h1>
<p class="lead">${customer.name ?? customer.email}</p>
${refusal !== undefined && html`<p class="message bad" role="alert">${sentence(refusal)}</p>`}
${
  subscriptions.length === 0
    ? html`<p class="empty">You have not subscribed to anything yet.</p>`
    : subscriptions.map((subscribed) => card(subscribed, now, url))
}
<section aria-labelledby="orders"><h2 id="orders">Invoices</h2>
${
  orders.length === 0
    ? html`<p class="empty">There is no invoice yet.</p>`
    : html`<div class="scroll" role="region" aria-labelledby="orders" tabindex="0"><table>
<thead><tr><th scope="col">Number</th><th scope="col">Date</th><th scope="col">Amount</th><th scope="col">State</th></tr></thead>
<tbody>${orders.map(orderRow)}</tbody></table></div>`
}</section>
${session.return_url !== null && html`<p class="gap"><a href="${session.return_url}">Back to the shop</a></p>`}`
  })

const card = (
  { owed, product, subscription }: Subscribed,
  now: EpochMicros,
  url: URL
): Html => html`<section class="card">
<div class="head"><h2>${labelOf(product, subscription)}</h2>${statusBadge(subscription.status, subscription.cancel_at_period_end)}</div>
<p>${subscriptionPrice(product, subscription)}. ${future(subscription, owed, now)}</p>
${
  subscription.ended_at === null &&
  html`<form method="post" action="${url.pathname}${url.search}"><input type="hidden" name="subscription" value="${subscription.id}"><div class="row">
${
  owed !== undefined &&
  html`<button class="primary" name="action" value="pay">Pay ${money(owed.amount + owed.tax_amount, owed.currency)} now</button>`
}
${
  subscription.cancel_at_period_end
    ? html`<button class="primary" name="action" value="uncancel">Keep the subscription</button>`
    : html`<button class="danger" name="action" value="cancel">Cancel the subscription</button>`
}</div></form>`
}
</section>`

const future = (subscription: Subscription, owed: Order | undefined, now: EpochMicros): Html => {
  const end = date(dateOf(subscription.current_period_end))
  if (subscription.ended_at !== null) return html`It ended on ${date(dateOf(subscription.ended_at))}.`
  if (subscription.status === "past_due") return overdue(subscription, owed, now)
  if (subscription.cancel_at_period_end) return html`It ends on ${end}, and will not be charged again.`
  if (subscription.status === "paused") return html`It is paused, and nothing is charged.`
  if (subscription.pause_at_period_end) return html`It pauses on ${end}.`
  return html`It renews on ${end}.`
}

/** What is owed for the period that runs is owed, whether another one follows or not. */
const overdue = (subscription: Subscription, owed: Order | undefined, now: EpochMicros): Html => {
  if (owed?.declined_for_good === true && owed.next_payment_attempt_at !== null) {
    const givenUp = date(dateOf(owed.next_payment_attempt_at))
    return html`The last charge was declined for good. It will not be tried again, and the subscription ends on ${givenUp}.`
  }
  const again = html`The last charge was declined. It will be tried again.`
  if (!subscription.cancel_at_period_end) return again
  const end = subscription.current_period_end
  // Polar ends nothing that is overdue, so a short period may be over before it is paid.
  const whenPaid = end > now ? html`ends on ${date(dateOf(end))}` : html`ends at once,`
  return html`${again} Once it is paid, the subscription ${whenPaid} without another charge.`
}

const orderRow = (
  order: Order
): Html => html`<tr><td>${order.invoice_number}</td><td>${date(dateOf(order.created_at))}</td>
<td>${money(order.amount + order.tax_amount, order.currency)}</td><td>${orderBadge(order.status)}</td></tr>`

export const routes: ReadonlyArray<Route<Handler>> = [
  { method: "GET", path: "/{organization}/portal", handler: show },
  { method: "POST", path: "/{organization}/portal", handler: act }
]

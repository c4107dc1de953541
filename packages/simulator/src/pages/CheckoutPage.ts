/** The hosted checkout page: what is bought, for how much, and the buyer's decision. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Schema from "effect/Schema"
import { Email, Name } from "../api/Input.ts"
import { periodEnd } from "../Calendar.ts"
import * as Checkouts from "../Checkouts.ts"
import * as Customers from "../Customers.ts"
import type { Payment } from "../Payments.ts"
import { labelOf, priceAmount } from "../Prices.ts"
import { isRecurring, type Trial, trialOf } from "../Products.ts"
import { cardFor, isDiscountable, type Quote, quoteOf } from "../Quote.ts"
import type { Checkout, Product, World } from "../Records.ts"
import type { Refusal } from "../Refusal.ts"
import type * as Simulator from "../Simulator.ts"
import * as Wire from "../Wire.ts"
import { date, money, price, span } from "./Format.ts"
import { type Html, html } from "./Html.ts"
import { type Link, seeOther } from "./Page.ts"
import type { Route } from "./Router.ts"
import { appLinks, buyerPage, dateOf, explanation, type Handler, sentence, type Visit, waysBack } from "./Visit.ts"

interface Offer {
  readonly checkout: Checkout
  readonly product: Product
  /** All that the buyer can choose from. */
  readonly products: ReadonlyArray<Product>
  /** Whether there are discounts that have one. */
  readonly codes: boolean
  readonly trial: Trial | null
  readonly quote: Quote
  readonly seller: string
  readonly now: EpochMicros
}

const offerOf = ({ params, simulator }: Visit): Effect.Effect<Offer, Refusal> =>
  simulator.run((step) =>
    Either.map(Checkouts.findBySecret(step, params["secret"] ?? ""), (checkout) => {
      const product = step.get("products", checkout.product_id)
      const trial = trialOf(product, checkout)
      const quote = quoteOf(step.world, product, checkout)
      const products = checkout.product_ids.map((id) => step.get("products", id))
      const codes = step.all("discounts").some(({ code }) => code !== null)
      return { checkout, product, products, codes, trial, quote, seller: step.world.organization.name, now: step.now() }
    })
  )

/** Instead of the page, for a checkout that is over or never was. */
const unavailable = (refusal: Refusal, apps: ReadonlyArray<Link>): Response =>
  refusal.status === 410
    ? explanation(
        410,
        "This checkout has expired",
        html`<p>It was open for a day and nobody paid, so nothing was charged.</p><p>Go back to the shop and start again: it opens a new one.</p>${waysBack(apps)}`
      )
    : explanation(
        404,
        "There is no such checkout",
        html`<p>The address may be incomplete, or the simulator was started again since: it keeps checkouts in memory only.</p><p>Go back to the shop and start again.</p>${waysBack(apps)}`
      )

const gone =
  ({ simulator }: Visit) =>
  (refusal: Refusal): Effect.Effect<Response> =>
    Effect.map(simulator.read(appLinks), (apps) => unavailable(refusal, apps))

const show: Handler = (visit) =>
  Effect.matchEffect(offerOf(visit), {
    onFailure: gone(visit),
    onSuccess: (offer) =>
      Effect.sync(() =>
        offer.checkout.status === "open"
          ? openPage(offer, visit.url.searchParams.get("declined") === null ? undefined : declined)
          : finishedPage(offer)
      )
  })

const declined = "The card was declined, and nothing was charged. Try again, or pay with another card."

const act: Handler = (visit) =>
  offerOf(visit).pipe(
    Effect.flatMap((offer) => {
      const { simulator, form } = visit
      const buyer = buyerOf(form)
      if (typeof buyer === "string") return Effect.succeed(openPage(offer, buyer, 422, form))
      if (form.get("card") === null) {
        return simulator.run(Checkouts.update(offer.checkout.id, { ...buyer, ...chosenOf(form) })).pipe(
          Effect.as(seeOther(visit.url.pathname)),
          Effect.catchAll((refusal) => Effect.succeed(openPage(offer, sentence(refusal), refusal.status, form)))
        )
      }
      const pay = form.get("card") === "declined" ? simulator.decline : simulator.pay
      return pay(offer.checkout.id, buyer).pipe(
        Effect.flatMap((payment) =>
          payment.outcome === "declined"
            ? Effect.succeed(seeOther(`${visit.url.pathname}?declined=yes`))
            : Effect.map(returnAddress(simulator, payment), (to) => seeOther(to))
        ),
        Effect.catchAll((refusal) => Effect.succeed(openPage(offer, sentence(refusal), refusal.status, form)))
      )
    }),
    Effect.catchAll(gone(visit))
  )

/** What the buyer typed, or what is wrong with it. */
const buyerOf = (form: URLSearchParams): Checkouts.CheckoutChange | string => {
  const email = form.get("email")?.trim() ?? ""
  const name = form.get("name")?.trim() ?? ""
  if (email !== "" && !Schema.is(Email)(email)) return "This is no e-mail address that mail could be delivered to."
  if (!Schema.is(Name)(name)) return "The name is too long."
  return { customer_email: email === "" ? null : email, customer_name: name === "" ? null : name }
}

/** What the buyer chose: a product, how much of it, what to pay for it, a discount. What was left as it is, is not said. */
const chosenOf = (form: URLSearchParams): Checkouts.CheckoutChange => {
  const code = form.get("discount")?.trim()
  const product = form.get("product")
  // What is no number is none that could be sold.
  const number = (name: string, times = 1) => {
    const text = form.get(name)
    const value = Math.round(Number(text) * times)
    return text === null ? undefined : Number.isSafeInteger(value) ? value : 0
  }
  const isOther = product !== null && product !== form.get("shown")
  if (isOther) return { product_id: product }
  return {
    seats: number("seats"),
    units: number("units"),
    amount: number("amount", 100),
    ...(code === undefined ? {} : { discount_code: code === "" ? null : code })
  }
}

const longestWaitMillis = 15_000

/**
 * Where the buyer goes next. As at Polar the shop's own page waits until the shop has answered a webhook about the
 * checkout, if it listens to any, and after 15 seconds it is Polar's page instead.
 */
const returnAddress = (simulator: Simulator.Service, payment: Payment): Effect.Effect<string, Refusal> =>
  Effect.gen(function* () {
    const { checkout } = payment
    const started = yield* Clock.currentTimeMillis
    const told = simulator.read((world) => isTold(world, checkout))
    let answered = yield* told
    while (!answered && (yield* Clock.currentTimeMillis) - started < longestWaitMillis) {
      yield* Effect.sleep("100 millis")
      answered = yield* told
    }
    const confirmation = yield* simulator.read(
      ({ origin }) => `${origin}/checkout/${checkout.client_secret}/confirmation`
    )
    if (!answered || checkout.success_url === null) return confirmation
    const success = yield* simulator.read((world) => Wire.checkout(world, checkout).success_url)
    const { customer_id } = payment.confirmed
    if (!payment.sessionAllowed || customer_id === null) return success
    const session = yield* simulator.run((step) => {
      // A team's is opened for one of its members: who bought is its owner.
      const [owner] = Customers.membersOf(step, customer_id)
      return Customers.openSession({ customer_id, member_id: owner?.id })(step)
    })
    const url = new URL(success)
    url.searchParams.set("customer_session_token", session.token)
    return url.href
  })

const isTold = ({ tables }: World, { id }: Checkout): boolean => {
  const events = Array.from(HashMap.values(tables.events)).filter(
    ({ payload, type }) =>
      type === "checkout.updated" && payload.includes(`"${id}"`) && payload.includes('"status":"succeeded"')
  )
  return events.length === 0 || events.some(({ succeeded }) => succeeded)
}

const priceOf = ({ product, trial }: Offer): Html =>
  trial === null
    ? html`<p class="price">${price(product)}</p>`
    : html`<p class="price">${span(trial.interval, trial.count)} free</p><p>Then ${price(product)}, unless you cancel before.</p>`

/** What is paid today, and when the next payment is. */
const due = ({ checkout, now, product, quote, trial }: Offer): Html => {
  const { price_currency: currency } = product
  const paid = trial === null ? quote.net + quote.tax : 0
  const first = isRecurring(product)
    ? trial === null
      ? periodEnd(now, product.recurring_interval, product.recurring_interval_count)
      : periodEnd(now, trial.interval, trial.count)
    : undefined
  const isFree = priceAmount(product, checkout, checkout.amount) === 0
  return html`<dl class="due"><dt>Due today</dt><dd><strong>${money(paid, currency)}</strong></dd>${
    first !== undefined &&
    !isFree &&
    html`<dt>${trial === null ? "Renews on" : "First payment"}</dt><dd>${date(dateOf(first))}, and every ${span(product.recurring_interval ?? "month", product.recurring_interval_count ?? 1)} after</dd>`
  }${product.recurring_interval === null && html`<dt>Renews</dt><dd>Never: you pay once</dd>`}</dl>`
}

/** What the buyer can still choose; nothing where there is no choice. */
const choices = ({ checkout, product, products, quote }: Offer): Html | false => {
  const { amount_type } = product.price
  const quantity = amount_type === "seat_based" ? "seats" : amount_type === "unit_based" ? "units" : undefined
  if (products.length === 1 && quantity === undefined && amount_type !== "custom") return false
  return html`<form class="card gap" method="post"><input type="hidden" name="shown" value="${product.id}">
${
  products.length > 1 &&
  html`<div class="field"><label for="product">Plan</label><select id="product" name="product">${products.map(
    (one) =>
      html`<option value="${one.id}"${one.id === product.id && html` selected`}>${one.name}: ${price(one)}</option>`
  )}</select></div>`
}
${
  quantity !== undefined &&
  html`<div class="field"><label for="quantity">${quantity === "seats" ? "Seats" : "Units"}</label>
<input id="quantity" name="${quantity}" type="number" min="1" step="1" required value="${checkout[quantity] ?? 1}"></div>`
}
${
  amount_type === "custom" &&
  html`<div class="field"><label for="amount">What you pay, in ${product.price_currency.toUpperCase()}</label>
<input id="amount" name="amount" type="number" min="0" step="0.01" required value="${quote.subtotal / 100}"></div>`
}
<button class="full">Update</button></form>`
}

/** Below the rest: few buyers have one. */
const discountForm = ({ checkout, codes, product, quote }: Offer): Html | false =>
  codes &&
  checkout.allow_discount_codes &&
  isDiscountable(product) &&
  html`<form class="card gap" method="post"><div class="field"><label for="discount">Discount code</label>
<input id="discount" name="discount" type="text" autocomplete="off" value="${quote.discount?.code ?? ""}"></div>
<button class="full">Apply the code</button></form>`

const openPage = (offer: Offer, problem?: string, status?: number, form = new URLSearchParams()): Response => {
  const { checkout, product, quote, seller } = offer
  const known = checkout.customer_id !== null
  const card = cardFor(product, quote, offer.trial !== null)
  const today =
    offer.trial === null && quote.net > 0
      ? `Pay ${money(quote.net + quote.tax, product.price_currency)}`
      : offer.trial === null
        ? isRecurring(product)
          ? "Subscribe for free"
          : "Get it for free"
        : "Start the trial"
  const targets = [checkout.success_url, checkout.return_url].flatMap((url) =>
    url === null ? [] : [new URL(url).origin]
  )
  return buyerPage({
    title: `Checkout: ${product.name}`,
    status: status ?? (problem === undefined ? 200 : 402),
    formTargets: [...new Set(targets)],
    main: html`<div class="narrow">
<p class="muted">${seller}</p>
<h1>${labelOf(product, checkout)}</h1>
${priceOf(offer)}
${quote.discount !== null && html`<p class="muted">${quote.discount.name}: ${money(quote.discounted, product.price_currency)} less.</p>`}
${quote.tax > 0 && html`<p class="muted">Plus ${money(quote.tax, product.price_currency)} of tax.</p>`}
${product.description !== null && html`<p class="muted">${product.description}</p>`}
${choices(offer)}
<form class="card gap" method="post">
${due(offer)}
${problem !== undefined && html`<p class="message bad" role="alert">${problem}</p>`}
<div class="field"><label for="email">E-mail</label>
<input id="email" name="email" type="email" autocomplete="email" required value="${form.get("email") ?? checkout.customer_email ?? ""}"${known && html` readonly aria-describedby="known"`}>
${known && html`<p class="small muted" id="known">The shop already told Polar who you are.</p>`}</div>
<div class="field"><label for="name">Name</label>
<input id="name" name="name" type="text" autocomplete="name" value="${form.get("name") ?? checkout.customer_name ?? ""}"></div>
<p class="small muted">No card number is asked for: choose what the simulated card does.</p>
<div class="field"><button class="primary full" name="card" value="good">${today}</button></div>
${(card.payment || card.setup) && html`<button class="full" name="card" value="declined">Pay with a card that is declined</button>`}
</form>
${discountForm(offer)}
${checkout.return_url !== null && html`<p class="gap"><a href="${checkout.return_url}">Cancel and go back to the shop</a></p>`}
<p class="small muted gap">This checkout is open until ${date(dateOf(checkout.expires_at))}.</p>
</div>`
  })
}

const finishedPage = ({ checkout, product, quote, trial }: Offer): Response => {
  const title = trial !== null ? "Your trial has started" : quote.net > 0 ? "Payment received" : "All done"
  return buyerPage({
    title,
    main: html`<div class="card narrow"><h1>${title}</h1>
<p>You have ${isRecurring(product) ? "subscribed to" : "bought"} ${product.name}.${(trial !== null || quote.net === 0) && " Nothing was charged."}</p>
${checkout.success_url !== null && html`<p><a class="button primary" href="${successUrlOf(checkout)}">Back to the shop</a></p>`}</div>`
  })
}

const successUrlOf = ({ id, success_url }: Checkout): string =>
  (success_url ?? "").replaceAll(/\{CHECKOUT_ID\}|%7BCHECKOUT_ID%7D/gi, id)

export const routes: ReadonlyArray<Route<Handler>> = [
  { method: "GET", path: "/checkout/{secret}", handler: show },
  { method: "POST", path: "/checkout/{secret}", handler: act },
  { method: "GET", path: "/checkout/{secret}/confirmation", handler: show }
]

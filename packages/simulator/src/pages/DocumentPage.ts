/** The invoice or the receipt of an order, where its address leads. */
import * as Effect from "effect/Effect"
import * as Orders from "../Orders.ts"
import type { Order } from "../Records.ts"
import { date, money } from "./Format.ts"
import { html } from "./Html.ts"
import type { Route } from "./Router.ts"
import { buyerPage, dateOf, explanation, type Handler } from "./Visit.ts"

interface Document {
  readonly title: string
  /** Its number; `undefined` while there is none to show. */
  readonly numberOf: (order: Order) => string | null | undefined
}

const show =
  ({ numberOf, title }: Document): Handler =>
  ({ params, simulator }) =>
    simulator
      .run((step) => Orders.find(step, params["order"] ?? ""))
      .pipe(
        Effect.map((order) => {
          const number = numberOf(order)
          return number == null ? nothing() : page(title, number, order)
        }),
        Effect.catchAll(() => Effect.succeed(nothing()))
      )

const nothing = (): Response =>
  explanation(404, "There is no such document", html`<p>Ask the shop for its address again.</p>`)

const page = (title: string, number: string, order: Order): Response =>
  buyerPage({
    title: `${title} ${number}`,
    main: html`<h1>${title} ${number}</h1>
<p class="lead">${order.billing_name ?? ""}</p>
<p>${date(dateOf(order.created_at))}: ${money(order.amount + order.tax_amount, order.currency)}</p>`
  })

const invoice: Document = {
  title: "Invoice",
  numberOf: ({ invoice_number, is_invoice_generated }) => (is_invoice_generated ? invoice_number : undefined)
}

const receipt: Document = { title: "Receipt", numberOf: ({ receipt_number }) => receipt_number }

export const routes: ReadonlyArray<Route<Handler>> = [
  { method: "GET", path: "/invoices/{order}", handler: show(invoice) },
  { method: "GET", path: "/receipts/{order}", handler: show(receipt) }
]

/** Invoices and receipts of orders: they are asked for, and are there a little later. */
import * as Either from "effect/Either"
import { plus, second } from "./Calendar.ts"
import * as Orders from "./Orders.ts"
import type { Order, World } from "./Records.ts"
import { notFound, type Refusal, refused } from "./Refusal.ts"
import type { Step } from "./Step.ts"

/** How long it takes to write one. */
const writing = second

const addressOf = (world: World, what: "invoice" | "receipt", { id }: Order): string => `${world.origin}/${what}s/${id}`

/** Asks for the invoice; again, and it is written again. It names the buyer, so it takes their name and address. */
export const requestInvoice =
  (orderId: string) =>
  (step: Step): Either.Either<void, Refusal> =>
    Either.flatMap(Orders.find(step, orderId), (order) => {
      if (order.status === "void") {
        return Either.left(
          refused(409, "OrderNotEligibleForInvoice", "Order is not eligible for invoice generation: it is void.")
        )
      }
      if (order.billing_name === null || order.billing_address === null) {
        return Either.left(
          refused(
            422,
            "MissingInvoiceBillingDetails",
            "Billing name and address are required to generate an invoice for this order."
          )
        )
      }
      step.update("orders", order.id, { invoice_due_at: plus(step.now(), writing) })
      return Either.void
    })

/** It is there, and everybody is told. */
export const writeInvoice = (step: Step, order: Order): void => {
  Orders.change(step, order, { invoice_due_at: null, is_invoice_generated: true })
}

export const invoice =
  (orderId: string) =>
  (step: Step): Either.Either<string, Refusal> =>
    Either.flatMap(Orders.find(step, orderId), (order) =>
      order.is_invoice_generated ? Either.right(addressOf(step.world, "invoice", order)) : Either.left(notFound)
    )

/** The receipt is written when it is asked for first: until then there is none to show. */
export const receipt =
  (orderId: string) =>
  (step: Step): Either.Either<string | "writing", Refusal> =>
    Either.flatMap(Orders.find(step, orderId), (order) => {
      if (order.receipt_number === null) return Either.left(notFound)
      const now = step.now()
      if (order.receipt_due_at === null) step.put("orders", { ...order, receipt_due_at: plus(now, writing) })
      return Either.right(
        order.receipt_due_at !== null && order.receipt_due_at <= now
          ? addressOf(step.world, "receipt", order)
          : "writing"
      )
    })

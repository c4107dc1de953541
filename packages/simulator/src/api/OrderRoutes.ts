/** Orders, to read, and their invoices and receipts. */
import * as Either from "effect/Either"
import { discountOf } from "../Discounts.ts"
import * as Documents from "../Documents.ts"
import * as Orders from "../Orders.ts"
import { isRecurring } from "../Products.ts"
import type { Order } from "../Records.ts"
import * as Wire from "../Wire.ts"
import { pathId } from "./Input.ts"
import * as Page from "./Page.ts"
import { accepted, ok, type Route, routesOf } from "./Route.ts"

// Here, unlike elsewhere at Polar, who may write may not read.
const orders = routesOf("orders", ["orders:read"])
const reads = routesOf("orders", ["orders:read"], ["orders:read"])

export const routes: ReadonlyArray<Route> = [
  orders.get("/v1/orders/", (step, { query }) => {
    const after = Page.time(query, "created_after")
    const before = Page.time(query, "created_before")
    const asked = Page.filters<Order>(query, {
      organization_id: () => step.world.organization.id,
      product_id: ({ product_id }) => product_id,
      product_billing_type: ({ product_id }) =>
        isRecurring(step.get("products", product_id)) ? "recurring" : "one_time",
      discount_id: ({ discount_id }) => discount_id,
      customer_id: ({ customer_id }) => customer_id,
      external_customer_id: ({ customer_id }) => step.get("customers", customer_id).external_id,
      checkout_id: ({ checkout_id }) => checkout_id,
      subscription_id: ({ subscription_id }) => subscription_id,
      status: ({ status }) => status
    })
    return Page.page({
      query,
      rows: step
        .all("orders")
        .filter(
          (order) =>
            asked(order) &&
            (after === undefined || order.created_at > after) &&
            (before === undefined || order.created_at < before) &&
            Page.hasMetadata(query, order.metadata)
        ),
      sorts: {
        created_at: ({ created_at }) => created_at,
        status: ({ status }) => status,
        invoice_number: ({ invoice_number }) => invoice_number,
        amount: ({ amount }) => amount,
        net_amount: ({ amount }) => amount,
        customer: ({ customer_id }) => step.get("customers", customer_id).email,
        product: ({ product_id }) => step.get("products", product_id).name,
        discount: ({ discount_id }) => discountOf(step.world, discount_id)?.name ?? null,
        subscription: ({ subscription_id }) => subscription_id
      },
      sorting: "-created_at",
      render: (order) => Wire.order(step.world, order)
    })
  }),

  orders.get("/v1/orders/{id}", (step, { params }) =>
    Either.gen(function* () {
      return ok(Wire.order(step.world, yield* Orders.find(step, yield* pathId(params))))
    })
  ),

  // To ask for an invoice is to read, as Polar sees it.
  reads.post("/v1/orders/{id}/invoice", (step, { params }) =>
    Either.gen(function* () {
      yield* Documents.requestInvoice(yield* pathId(params))(step)
      return accepted(null)
    })
  ),

  orders.get("/v1/orders/{id}/invoice", (step, { params }) =>
    Either.gen(function* () {
      return ok({ url: yield* Documents.invoice(yield* pathId(params))(step) })
    })
  ),

  orders.get("/v1/orders/{id}/receipt", (step, { params }) =>
    Either.gen(function* () {
      const url = yield* Documents.receipt(yield* pathId(params))(step)
      return url === "writing" ? accepted(undefined) : ok({ url })
    })
  )
]

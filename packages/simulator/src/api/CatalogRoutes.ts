/** Products and orders, to read. */
import * as Either from "effect/Either"
import type { Order } from "../Records.ts"
import { notFound } from "../Refusal.ts"
import * as Wire from "../Wire.ts"
import { pathId } from "./Input.ts"
import * as Page from "./Page.ts"
import { ok, type Route, routesOf } from "./Route.ts"

const products = routesOf("products")
const orders = routesOf("orders")

export const routes: ReadonlyArray<Route> = [
  products.get("/v1/products/", (step, { query }) => {
    const ids = Page.filter(query, "id")
    const text = query.get("query")?.toLowerCase()
    const archived = Page.flag(query, "is_archived")
    const recurring = Page.flag(query, "is_recurring")
    return Page.page({
      query,
      rows: step
        .all("products")
        .filter(
          (product) =>
            (ids === undefined || ids.has(product.id)) &&
            (text === undefined || product.name.toLowerCase().includes(text)) &&
            (archived === undefined || product.is_archived === archived) &&
            recurring !== false &&
            Page.hasMetadata(query, product.metadata)
        ),
      sorts: {
        created_at: ({ created_at }) => created_at,
        name: ({ name }) => name,
        price_amount: ({ price_amount }) => price_amount
      },
      sorting: "-created_at",
      render: (product) => Wire.product(step.world, product)
    })
  }),

  products.get("/v1/products/{id}", (step, { params }) =>
    Either.gen(function* () {
      const product = step.find("products", yield* pathId(params))
      if (product === undefined) return yield* Either.left(notFound)
      return ok(Wire.product(step.world, product))
    })
  ),

  orders.get("/v1/orders/", (step, { query }) => {
    const filters = [
      ["product_id", (order: Order) => order.product_id],
      ["customer_id", (order: Order) => order.customer_id],
      ["external_customer_id", (order: Order) => step.get("customers", order.customer_id).external_id ?? ""],
      ["checkout_id", (order: Order) => order.checkout_id ?? ""],
      ["subscription_id", (order: Order) => order.subscription_id ?? ""],
      ["status", (order: Order) => order.status]
    ] as const
    const asked = filters.flatMap(([name, of]) => {
      const values = Page.filter(query, name)
      return values === undefined ? [] : [(order: Order) => values.has(of(order))]
    })
    return Page.page({
      query,
      rows: step
        .all("orders")
        .filter((order) => asked.every((matches) => matches(order)) && Page.hasMetadata(query, order.metadata)),
      sorts: {
        created_at: ({ created_at }) => created_at,
        status: ({ status }) => status,
        amount: ({ amount }) => amount,
        net_amount: ({ amount }) => amount,
        invoice_number: ({ invoice_number }) => invoice_number
      },
      sorting: "-created_at",
      render: (order) => Wire.order(step.world, order)
    })
  }),

  orders.get("/v1/orders/{id}", (step, { params }) =>
    Either.gen(function* () {
      const order = step.find("orders", yield* pathId(params))
      if (order === undefined) return yield* Either.left(notFound)
      return ok(Wire.order(step.world, order))
    })
  )
]

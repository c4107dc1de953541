/** Products, to read. */
import * as Either from "effect/Either"
import { isRecurring } from "../Products.ts"
import { notFound } from "../Refusal.ts"
import * as Wire from "../Wire.ts"
import { pathId } from "./Input.ts"
import * as Page from "./Page.ts"
import { ok, type Route, routesOf } from "./Route.ts"

const products = routesOf("products")

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
            (recurring === undefined || isRecurring(product) === recurring) &&
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
  )
]

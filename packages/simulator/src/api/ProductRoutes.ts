/** Products: made with one fixed price, listed, and edited but for it. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { priceAmount, smallestOf } from "../Prices.ts"
import * as ProductEdits from "../ProductEdits.ts"
import { isRecurring } from "../Products.ts"
import * as Wire from "../Wire.ts"
import { Metadata, maybe, pathId, read, Uuid } from "./Input.ts"
import * as Page from "./Page.ts"
import { created, ok, type Route, routesOf } from "./Route.ts"

const Name = Schema.String.pipe(Schema.minLength(3), Schema.maxLength(64))

const Interval = Schema.Literal("day", "week", "month", "year")

const Price = Schema.Struct({
  amount_type: Schema.Literal("fixed"),
  price_amount: Schema.NonNegativeInt,
  price_currency: maybe(Schema.String.pipe(Schema.pattern(/^[a-z]{3}$/)))
})

const Create = Schema.Struct({
  name: Name,
  description: maybe(Schema.String),
  metadata: Schema.optional(Metadata),
  organization_id: maybe(Uuid),
  prices: Schema.Tuple(Price),
  recurring_interval: maybe(Interval),
  recurring_interval_count: maybe(Schema.Int.pipe(Schema.between(1, 999))),
  trial_interval: maybe(Interval),
  trial_interval_count: maybe(Schema.Int.pipe(Schema.between(1, 1000)))
})

const Edit = Schema.Struct({
  name: maybe(Name),
  description: maybe(Schema.String),
  metadata: Schema.optional(Metadata),
  is_archived: maybe(Schema.Boolean)
})

const GivenBenefits = Schema.Struct({ benefits: Schema.Array(Uuid) })

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
        price_amount: (product) => priceAmount(product, smallestOf(product), null)
      },
      sorting: "-created_at",
      render: (product) => Wire.product(step.world, product)
    })
  }),

  products.post("/v1/products/", (step, { body }) =>
    Either.gen(function* () {
      // Other kinds of prices are refused, and so is what there is not here: it is not left out without a word.
      const input = yield* read(Create, body, { exact: true })
      const [price] = input.prices
      const interval = input.recurring_interval ?? null
      const { trial_interval: unit, trial_interval_count: count } = input
      const product = yield* ProductEdits.create({
        id: step.uuid(),
        name: input.name,
        description: input.description ?? undefined,
        metadata: input.metadata,
        amount: price.price_amount,
        currency: price.price_currency ?? undefined,
        interval,
        count: input.recurring_interval_count ?? undefined,
        trial: interval === null || unit == null || count == null ? undefined : { interval: unit, count }
      })(step)
      return created(Wire.product(step.world, product))
    })
  ),

  products.get("/v1/products/{id}", (step, { params }) =>
    Either.gen(function* () {
      return ok(Wire.product(step.world, yield* ProductEdits.find(step, yield* pathId(params))))
    })
  ),

  products.patch("/v1/products/{id}", (step, { body, params }) =>
    Either.gen(function* () {
      // What cannot be edited here is refused, and not left as it is without a word.
      const input = yield* read(Edit, body, { exact: true })
      const product = yield* ProductEdits.update(yield* pathId(params), {
        name: input.name ?? undefined,
        description: input.description,
        metadata: input.metadata,
        archived: input.is_archived ?? undefined
      })(step)
      return ok(Wire.product(step.world, product))
    })
  ),

  products.post("/v1/products/{id}/benefits", (step, { body, params }) =>
    Either.gen(function* () {
      const { benefits } = yield* read(GivenBenefits, body)
      return ok(Wire.product(step.world, yield* ProductEdits.setBenefits(yield* pathId(params), benefits)(step)))
    })
  )
]

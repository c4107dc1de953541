/** Checkouts: those of the app, with a token, and those of the buyer's browser, with the client secret. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Checkouts from "../Checkouts.ts"
import * as Payments from "../Payments.ts"
import { malformed, refused } from "../Refusal.ts"
import type { Step } from "../Step.ts"
import * as Wire from "../Wire.ts"
import { Address, Email, Interval, Metadata, maybe, Name, pathId, read, Uuid, WebUrl } from "./Input.ts"
import * as Page from "./Page.ts"
import { created, ok, type Route, routesOf } from "./Route.ts"

const Seats = maybe(Schema.Int.pipe(Schema.between(1, 10_000)))
const Units = maybe(Schema.Int.pipe(Schema.between(1, 2 ** 31 - 1)))

const buyerFields = {
  product_id: maybe(Uuid),
  product_price_id: maybe(Uuid),
  customer_email: maybe(Email),
  customer_name: maybe(Name),
  customer_billing_address: maybe(Address),
  is_business_customer: maybe(Schema.Boolean),
  custom_field_data: maybe(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  allow_trial: maybe(Schema.Boolean),
  amount: maybe(Schema.NonNegativeInt),
  seats: Seats,
  units: Units
}

// Polar knows some 130 of them; here a product has one.
const Currency = Schema.String.pipe(Schema.pattern(/^[a-z]{3}$/))

const appFields = {
  ...buyerFields,
  currency: maybe(Currency),
  customer_ip_address: maybe(Schema.String),
  metadata: maybe(Metadata),
  customer_metadata: maybe(Metadata),
  discount_id: maybe(Uuid),
  allow_discount_codes: maybe(Schema.Boolean),
  require_billing_address: maybe(Schema.Boolean),
  trial_interval: maybe(Interval),
  trial_interval_count: maybe(Schema.Int.pipe(Schema.between(1, 1000))),
  success_url: maybe(WebUrl),
  return_url: maybe(WebUrl),
  embed_origin: maybe(Schema.String)
}

const inOrder = (...counts: ReadonlyArray<number | null | undefined>): boolean => {
  const known = counts.filter((count) => count != null)
  return known.every((count, index) => index === 0 || (known[index - 1] ?? count) <= count)
}

const Create = Schema.Struct({
  ...appFields,
  min_seats: Seats,
  max_seats: Seats,
  min_units: Units,
  max_units: Units,
  products: Schema.optional(Schema.NonEmptyArray(Uuid)),
  customer_id: maybe(Uuid),
  external_customer_id: maybe(Schema.String),
  customer_external_id: maybe(Schema.String),
  subscription_id: maybe(Uuid)
}).pipe(
  Schema.filter(
    ({ max_seats, max_units, min_seats, min_units, seats, units }) =>
      (inOrder(min_seats, seats, max_seats) && inOrder(min_units, units, max_units)) ||
      "the least, what is asked for and the most must be in order"
  )
)

const Update = Schema.Struct(appFields)
const Buyer = Schema.Struct({ ...buyerFields, discount_code: maybe(Schema.String) })

const checkouts = routesOf("checkouts")

const productsOf = (step: Step, body: typeof Create.Type) => {
  if (body.products !== undefined) return Either.right<ReadonlyArray<string>>(body.products)
  if (body.product_id != null) return Either.right<ReadonlyArray<string>>([body.product_id])
  const priced = step.all("products").find(({ price_id }) => price_id === body.product_price_id)
  return priced === undefined
    ? Either.left(malformed([{ type: "missing", loc: ["body", "products"], msg: "Field required", input: body }]))
    : Either.right<ReadonlyArray<string>>([priced.id])
}

const secretOf = (params: Readonly<Record<string, string>>): string => params["client_secret"] ?? ""

export const routes: ReadonlyArray<Route> = [
  checkouts.post("/v1/checkouts/", (step, { body }) =>
    Either.gen(function* () {
      const input = yield* read(Create, body)
      const products = yield* productsOf(step, input)
      const external_customer_id = input.external_customer_id ?? input.customer_external_id
      const checkout = yield* Checkouts.create({ ...input, products, external_customer_id })(step)
      return created(Wire.checkout(step.world, checkout))
    })
  ),

  checkouts.get("/v1/checkouts/", (step, { query }) => {
    const products = Page.filter(query, "product_id")
    const customers = Page.filter(query, "customer_id")
    const externalIds = Page.filter(query, "external_customer_id")
    const statuses = Page.filter(query, "status")
    const email = query.get("query")?.toLowerCase()
    return Page.page({
      query,
      rows: step
        .all("checkouts")
        .filter(
          (checkout) =>
            (products === undefined || products.has(checkout.product_id)) &&
            (customers === undefined || customers.has(checkout.customer_id ?? "")) &&
            (externalIds === undefined || externalIds.has(checkout.external_customer_id ?? "")) &&
            (statuses === undefined || statuses.has(checkout.status)) &&
            (email === undefined || (checkout.customer_email?.toLowerCase().includes(email) ?? false))
        ),
      sorts: {
        created_at: ({ created_at }) => created_at,
        expires_at: ({ expires_at }) => expires_at,
        status: ({ status }) => status
      },
      sorting: "-created_at",
      render: (checkout) => Wire.checkout(step.world, checkout)
    })
  }),

  checkouts.get("/v1/checkouts/{id}", (step, { params }) =>
    Either.gen(function* () {
      return ok(Wire.checkout(step.world, yield* Checkouts.find(step, yield* pathId(params))))
    })
  ),

  checkouts.patch("/v1/checkouts/{id}", (step, { body, params }) =>
    Either.gen(function* () {
      const id = yield* pathId(params)
      const checkout = yield* Checkouts.update(id, yield* read(Update, body))(step)
      return ok(Wire.checkout(step.world, checkout))
    })
  ),

  {
    method: "GET",
    path: "/v1/checkouts/client/{client_secret}",
    scopes: [],
    handle: (step, { params }) =>
      Either.map(Checkouts.findBySecret(step, secretOf(params)), (checkout) =>
        ok(Wire.checkoutPublic(step.world, checkout))
      )
  },

  {
    method: "PATCH",
    path: "/v1/checkouts/client/{client_secret}",
    scopes: [],
    handle: (step, { body, params }) =>
      Either.gen(function* () {
        const { id } = yield* Checkouts.findBySecret(step, secretOf(params))
        const checkout = yield* Checkouts.update(id, yield* read(Buyer, body))(step)
        return ok(Wire.checkoutPublic(step.world, checkout))
      })
  },

  {
    method: "POST",
    path: "/v1/checkouts/client/{client_secret}/confirm",
    scopes: [],
    handle: (step, { body, params }) =>
      Either.gen(function* () {
        const { id } = yield* Checkouts.findBySecret(step, secretOf(params))
        const payment = yield* Payments.confirm(id, yield* read(Buyer, body))(step)
        if (payment.outcome === "declined") {
          const { detail, error, status } = refused(400, "PaymentError", "Your card was declined.")
          return { status, body: { error, detail } }
        }
        return ok({
          ...Wire.checkoutPublic(step.world, payment.confirmed),
          customer_session_token: payment.sessionAllowed ? `polar_cst_${step.text(43)}` : null
        })
      })
  }
]

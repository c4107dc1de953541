/**
 * What is newer than Polar's OpenAPI document or left out of it: the addresses of the previews, whose schemas it has, and `units`,
 * which is sold and changed like `seats` (Polar's SDK 1.0.1 has their types).
 */
import { readFileSync } from "node:fs"
import type { Operation, Parameter } from "./polarDocument.ts"

const previews: { readonly components: { readonly schemas: Readonly<Record<string, object>> } } = JSON.parse(
  readFileSync(new URL("./fixtures/polar-openapi-2026-10-previews.json", import.meta.url), "utf8")
)

export const previewSchemas = previews.components.schemas

const json = (name: string) => ({
  content: { "application/json": { schema: { $ref: `#/components/schemas/${name}` } } }
})

const preview = (name: string, parts: Partial<Operation> = {}): Operation => ({
  parameters: [{ name: "id", in: "path", required: true, schema: { type: "string", format: "uuid4" } } as Parameter],
  responses: { 200: json(name) },
  ...parts
})

/** The paths that the document leaves out; the schemas are its own. */
export const previewPaths = {
  "/v1/subscriptions/{id}/change-preview": {
    post: preview("SubscriptionChargePreview", { requestBody: json("SubscriptionChangePreview") })
  },
  "/v1/subscriptions/{id}/charge-preview": { get: preview("SubscriptionChargePreview") },
  "/v1/subscriptions/{id}/cancel-preview": { get: preview("SubscriptionCancelPreview") }
}

type Properties = Readonly<Record<string, object>>

/** The same of units as of seats. */
const ofUnits = (schema: object): object => JSON.parse(JSON.stringify(schema).replaceAll("seats", "units"))

/** The price of a product that is sold by units. */
const unitPrice = (seatPrice: object): object => {
  const { properties, required = [] } = seatPrice as {
    readonly properties: Properties
    readonly required?: ReadonlyArray<string>
  }
  const { seat_tiers: _, ...common } = properties
  const count = { anyOf: [{ type: "integer" }, { type: "null" }] }
  const tier = {
    type: "object",
    properties: { bound: count, unit_amount: { type: "string", pattern: "^[0-9]+([.][0-9]+)?$" } },
    required: ["unit_amount"]
  }
  const type = { type: "string", enum: ["volume", "graduated"] }
  const tiers = { type: "array", minItems: 1, items: tier }
  return {
    type: "object",
    properties: {
      ...common,
      amount_type: { type: "string", const: "unit_based" },
      tiers: { type: "object", properties: { type, tiers }, required: ["type", "tiers"] },
      minimum_units: count,
      maximum_units: count,
      unit_label: { type: ["object", "null"] }
    },
    required: [
      ...required.filter((name) => name !== "seat_tiers"),
      "tiers",
      "minimum_units",
      "maximum_units",
      "unit_label"
    ]
  }
}

export const withUnits = (schemas: Readonly<Record<string, object>>): Readonly<Record<string, object>> => {
  const { CheckoutProductsCreate, ProductPrice, SubscriptionChangePreview, SubscriptionUpdate } = schemas as Readonly<
    Record<
      string,
      {
        readonly properties: Properties
        readonly anyOf: ReadonlyArray<object>
        readonly oneOf: ReadonlyArray<object>
      }
    >
  >
  const variant = (union: typeof SubscriptionUpdate, name: string) => ({
    ...union,
    anyOf: [...(union?.anyOf ?? []), ofUnits(schemas[name] ?? {})]
  })
  const { max_seats, min_seats, seats } = CheckoutProductsCreate?.properties ?? {}
  return {
    ...schemas,
    ProductPrice: {
      ...ProductPrice,
      oneOf: [...(ProductPrice?.oneOf ?? []), unitPrice(schemas["ProductPriceSeatBased"] ?? {})]
    },
    SubscriptionUpdate: variant(SubscriptionUpdate, "SubscriptionUpdateSeats"),
    SubscriptionChangePreview: variant(SubscriptionChangePreview, "SubscriptionChangePreviewSeats"),
    CheckoutProductsCreate: {
      ...CheckoutProductsCreate,
      properties: { ...CheckoutProductsCreate?.properties, units: seats, min_units: min_seats, max_units: max_seats }
    }
  }
}

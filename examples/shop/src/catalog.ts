/** What the shop sells: the organization's products, as Polar's API lists them. */
import * as Schema from "effect/Schema"

const Product = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  is_archived: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  description: Schema.NullOr(Schema.String),
  recurring_interval: Schema.NullOr(Schema.String),
  recurring_interval_count: Schema.optionalWith(Schema.NullOr(Schema.Number), { default: () => null }),
  trial_interval: Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => null }),
  trial_interval_count: Schema.optionalWith(Schema.NullOr(Schema.Number), { default: () => null }),
  prices: Schema.Array(
    Schema.Struct({
      amount_type: Schema.String,
      price_amount: Schema.optional(Schema.Number),
      price_currency: Schema.optional(Schema.String)
    })
  )
})

const Products = Schema.Struct({ items: Schema.Array(Product) })

export interface Plan {
  readonly id: string
  readonly name: string
  readonly description: string | null
  /** Who has a plan that is not sold any more keeps it. */
  readonly isForSale: boolean
  /** Cents; `null` for a price that Polar works out, such as one by use. */
  readonly amount: number | null
  readonly currency: string
  /** `null` for what is bought once. */
  readonly interval: string | null
  readonly intervalCount: number
  /** Such as `14` and `day`. */
  readonly trial: { readonly interval: string; readonly count: number } | null
}

/** Polar does not list the products, and the sentence says why. */
export class CatalogUnavailable extends Error {
  override readonly name = "CatalogUnavailable"
}

export interface CatalogOptions {
  readonly apiBaseUrl: string
  readonly accessToken: string
}

const timeoutMillis = 10_000

/** What is on sale, or was, the cheapest first. Rejects with `CatalogUnavailable`. */
export const readPlans = async ({ accessToken, apiBaseUrl }: CatalogOptions): Promise<ReadonlyArray<Plan>> => {
  const response = await fetch(new URL("/v1/products/?limit=100", apiBaseUrl), {
    headers: { authorization: `Bearer ${accessToken}`, accept: "application/json" },
    signal: AbortSignal.timeout(timeoutMillis)
  }).catch(() => {
    throw new CatalogUnavailable(`Nothing answers at ${apiBaseUrl}. Is this machine online?`)
  })
  if (response.status === 401) {
    throw new CatalogUnavailable(
      "Polar does not accept POLAR_ACCESS_TOKEN. The sandbox has tokens of its own: make one in its organization settings."
    )
  }
  if (response.status === 403) {
    throw new CatalogUnavailable(
      "POLAR_ACCESS_TOKEN may not list products. Give it the scope products:read, beside those in the README."
    )
  }
  if (!response.ok) {
    throw new CatalogUnavailable(`Polar answered ${response.status} when it was asked for the products.`)
  }
  const body = await response.json().catch(() => undefined)
  const products = Schema.decodeUnknownOption(Products)(body)
  if (products._tag === "None") {
    throw new CatalogUnavailable(`What answers at ${apiBaseUrl} is not Polar's API.`)
  }
  return products.value.items.flatMap(planOf).sort((one, other) => (one.amount ?? 0) - (other.amount ?? 0))
}

const planOf = (product: typeof Product.Type): ReadonlyArray<Plan> => {
  const [price] = product.prices
  if (price === undefined) return []
  return [
    {
      id: product.id,
      name: product.name,
      description: product.description,
      isForSale: !product.is_archived,
      amount: price.amount_type === "free" ? 0 : (price.price_amount ?? null),
      currency: price.price_currency ?? "usd",
      interval: product.recurring_interval,
      intervalCount: product.recurring_interval_count ?? 1,
      trial:
        product.trial_interval === null || product.trial_interval_count === null
          ? null
          : { interval: product.trial_interval, count: product.trial_interval_count }
    }
  ]
}

const rememberedMillis = 60_000

/** The plans as they were within the last minute, or for as long as Polar does not list them. A failure is not remembered. */
export const rememberPlans = (options: CatalogOptions): (() => Promise<ReadonlyArray<Plan>>) => {
  let last: { readonly at: number; readonly plans: ReadonlyArray<Plan> } | undefined
  return async () => {
    const now = Date.now()
    if (last === undefined || now - last.at >= rememberedMillis) {
      const before = last
      const plans = await readPlans(options).catch((error: unknown) => {
        if (before === undefined) throw error
        return before.plans
      })
      last = { at: now, plans }
    }
    return last.plans
  }
}

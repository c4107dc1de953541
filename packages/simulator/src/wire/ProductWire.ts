/** Products and their prices, and how other objects show them. */
import { iso } from "../Calendar.ts"
import { isRecurring } from "../Products.ts"
import type { Product, World } from "../Records.ts"
import { benefit, publicBenefit } from "./BenefitWire.ts"
import { get, stamped } from "./Fields.ts"

export const price = (product: Product) => ({
  id: product.price_id,
  created_at: iso(product.created_at),
  modified_at: null,
  source: "catalog",
  amount_type: "fixed",
  price_currency: product.price_currency,
  tax_behavior: null,
  is_archived: false,
  product_id: product.id,
  type: product.recurring_interval === null ? "one_time" : "recurring",
  recurring_interval: product.recurring_interval,
  price_amount: product.price_amount
})

/** What it gives, in order; benefits that were deleted are gone from it. */
const benefitsOf = (world: World, { benefit_ids }: Product) =>
  benefit_ids.map((id) => get(world, "benefits", id)).filter(({ is_deleted }) => !is_deleted)

export const productFields = (world: World, product: Product) => ({
  ...stamped(product),
  trial_interval: product.trial_interval,
  trial_interval_count: product.trial_interval_count,
  name: product.name,
  description: product.description,
  visibility: "public",
  recurring_interval: product.recurring_interval,
  recurring_interval_count: product.recurring_interval_count,
  meter_interval: null,
  meter_interval_count: null,
  is_recurring: isRecurring(product),
  is_archived: product.is_archived,
  organization_id: world.organization.id
})

export const product = (world: World, product: Product) => ({
  ...productFields(world, product),
  metadata: product.metadata,
  is_deletable: false,
  prices: [price(product)],
  benefits: benefitsOf(world, product).map((one) => benefit(world, one)),
  medias: [],
  attached_custom_fields: []
})

export const checkoutProduct = (world: World, product: Product) => ({
  ...productFields(world, product),
  prices: [price(product)],
  benefits: benefitsOf(world, product)
    .filter(({ visibility }) => visibility === "public")
    .map((one) => publicBenefit(world, one)),
  medias: []
})

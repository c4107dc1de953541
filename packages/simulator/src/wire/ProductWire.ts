/** Products and their prices, and how other objects show them. */
import { iso } from "../Calendar.ts"
import { maximumOf } from "../Prices.ts"
import { isRecurring } from "../Products.ts"
import type { Product, World } from "../Records.ts"
import { benefit, publicBenefit } from "./BenefitWire.ts"
import { get, stamped } from "./Fields.ts"

const amounts = ({ price }: Product) => {
  switch (price.amount_type) {
    case "fixed":
    case "custom":
      return price
    case "seat_based": {
      const { minimum, tiers, type } = price.tiers
      return {
        amount_type: price.amount_type,
        price_per_seat: tiers[0]?.unit_amount ?? 0,
        seat_tiers: {
          seat_tier_type: type,
          tiers: tiers.map(({ bound, unit_amount }, index) => ({
            min_seats: index === 0 ? minimum : (tiers[index - 1]?.bound ?? 0) + 1,
            max_seats: bound,
            price_per_seat: unit_amount
          })),
          minimum_seats: minimum,
          maximum_seats: maximumOf(price.tiers)
        }
      }
    }
    case "unit_based": {
      const { minimum, tiers, type } = price.tiers
      return {
        amount_type: price.amount_type,
        // Decimals, which Polar writes as text.
        tiers: { type, tiers: tiers.map(({ bound, unit_amount }) => ({ bound, unit_amount: String(unit_amount) })) },
        minimum_units: minimum,
        maximum_units: maximumOf(price.tiers),
        unit_label: null
      }
    }
  }
}

export const price = (product: Product) => ({
  id: product.price_id,
  created_at: iso(product.created_at),
  modified_at: null,
  source: "catalog",
  price_currency: product.price_currency,
  tax_behavior: null,
  is_archived: false,
  product_id: product.id,
  type: product.recurring_interval === null ? "one_time" : "recurring",
  recurring_interval: product.recurring_interval,
  ...amounts(product)
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

/** Discounts, as checkouts and as orders show them. */
import { isoOrNull } from "../Calendar.ts"
import { redemptionsOf } from "../Discounts.ts"
import type { Discount, World } from "../Records.ts"
import { get, stamped } from "./Fields.ts"
import { productFields } from "./ProductWire.ts"

const amounts = (discount: Discount) => {
  if (discount.type === "percentage") return { type: discount.type, basis_points: discount.basis_points }
  const [[currency, amount] = ["usd", 0]] = Object.entries(discount.amounts)
  return { type: discount.type, amounts: discount.amounts, amount, currency }
}

export const checkoutDiscount = (discount: Discount | null) =>
  discount === null
    ? null
    : {
        duration: discount.duration,
        ...(discount.duration === "repeating" ? { duration_in_months: discount.duration_in_months } : {}),
        ...amounts(discount),
        id: discount.id,
        name: discount.name,
        code: discount.code
      }

/** As orders and subscriptions show it. */
export const orderDiscount = (world: World, discount: Discount | null) =>
  discount === null ? null : discountFields(world, discount)

const discountFields = (world: World, discount: Discount) => ({
  ...checkoutDiscount(discount),
  ...stamped(discount),
  metadata: discount.metadata,
  starts_at: isoOrNull(discount.starts_at),
  ends_at: isoOrNull(discount.ends_at),
  max_redemptions: discount.max_redemptions,
  max_redemptions_per_customer: discount.max_redemptions_per_customer,
  redemptions_count: redemptionsOf(world, discount),
  organization_id: world.organization.id
})

/** With the products that it is for. */
export const discount = (world: World, discount: Discount) => ({
  ...discountFields(world, discount),
  products: discount.product_ids.map((id) => {
    const product = get(world, "products", id)
    return { ...productFields(world, product), metadata: product.metadata }
  })
})

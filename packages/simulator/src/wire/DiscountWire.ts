/** Discounts, as checkouts and as orders show them. */
import * as HashMap from "effect/HashMap"
import type { Discount, World } from "../Records.ts"
import { stamped } from "./Fields.ts"

export const checkoutDiscount = (discount: Discount | null) =>
  discount === null
    ? null
    : {
        duration: "once",
        type: "percentage",
        basis_points: discount.basis_points,
        id: discount.id,
        name: discount.name,
        code: discount.code
      }

export const orderDiscount = (world: World, discount: Discount | null) =>
  discount === null ? null : discountFields(world, discount)

/** With the products that it is for, which none here is limited to. */
export const discount = (world: World, discount: Discount) => ({ ...discountFields(world, discount), products: [] })

const discountFields = (world: World, discount: Discount) => ({
  ...checkoutDiscount(discount),
  ...stamped(discount),
  metadata: discount.metadata,
  starts_at: null,
  ends_at: null,
  max_redemptions: null,
  max_redemptions_per_customer: null,
  redemptions_count: HashMap.reduce(
    world.tables.orders,
    0,
    (count, { discount_id }) => count + (discount_id === discount.id ? 1 : 0)
  ),
  organization_id: world.organization.id
})

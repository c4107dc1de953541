/** What a checkout comes to: the price, what a discount takes off it, and the tax on what is left. */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { taxOf } from "./Money.ts"
import { isRecurring } from "./Products.ts"
import type { Checkout, Discount, Product, World } from "./Records.ts"

export interface Quote {
  readonly discount: Discount | null
  readonly subtotal: number
  readonly discounted: number
  readonly net: number
  readonly tax: number
}

const wholeInBasisPoints = 10_000

export const quoteOf = (world: World, product: Product, checkout: Checkout): Quote => {
  const discount = isDiscountable(product) ? discountOf(world, checkout.discount_id) : null
  const subtotal = product.price_amount
  const discounted = Math.round((subtotal * (discount?.basis_points ?? 0)) / wholeInBasisPoints)
  const net = subtotal - discounted
  return { discount, subtotal, discounted, net, tax: taxOf(world, net) }
}

export const discountOf = ({ tables }: World, id: string | null): Discount | null =>
  id === null ? null : Option.getOrNull(HashMap.get(tables.discounts, id))

/** Discounts here are for what is bought once: Polar, too, has discounts that only some products take. */
export const isDiscountable = (product: Product): boolean => !isRecurring(product)

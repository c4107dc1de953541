/** What a checkout comes to: the price, what a discount takes off it, and the tax on what is left. */
import { discountOf, isFor, takenOff } from "./Discounts.ts"
import { taxOf } from "./Money.ts"
import { isFree, priceAmount } from "./Prices.ts"
import type { Checkout, Discount, Product, World } from "./Records.ts"

export interface Quote {
  readonly discount: Discount | null
  readonly subtotal: number
  readonly discounted: number
  readonly net: number
  readonly tax: number
}

export const quoteOf = (world: World, product: Product, checkout: Checkout): Quote => {
  const chosen = discountOf(world, checkout.discount_id)
  const discount = chosen !== null && isDiscountable(product) && isFor(chosen, product) ? chosen : null
  const subtotal = priceAmount(product, checkout, checkout.amount)
  const discounted = takenOff(discount, subtotal, product.price_currency)
  const net = subtotal - discounted
  return { discount, subtotal, discounted, net, tax: taxOf(world, net) }
}

/** There is nothing to take off what is free. */
export const isDiscountable = (product: Product): boolean => !isFree(product)

/** What a checkout comes to: the price, what a discount takes off it, and the tax on what is left. */
import { discountOf, isFor, takenOff, wholeInBasisPoints } from "./Discounts.ts"
import { taxOf } from "./Money.ts"
import { isFree, priceAmount } from "./Prices.ts"
import { isRecurring } from "./Products.ts"
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

/** What a card is asked for: to pay now, or to be kept for what comes later, such as after a trial or a discount. */
export const cardFor = (
  product: Product,
  { discount, net, subtotal }: Quote,
  hasTrial: boolean
): { readonly payment: boolean; readonly setup: boolean } => {
  const freeForGood =
    discount?.type === "percentage" && discount.duration === "forever" && discount.basis_points === wholeInBasisPoints
  return { payment: net > 0 && !hasTrial, setup: isRecurring(product) && subtotal > 0 && !freeForGood }
}

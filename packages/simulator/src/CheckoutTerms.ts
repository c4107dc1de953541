/** What a checkout asks for of its product: an amount where the buyer chooses it, and a number of seats or units. */
import { maximumOf } from "./Prices.ts"
import type { Checkout, PriceTiers, Product } from "./Records.ts"
import { type Issue, issue } from "./Refusal.ts"

/** How much is bought, and of what. */
export type Terms = Pick<Checkout, "amount" | "max_seats" | "max_units" | "min_seats" | "min_units" | "seats" | "units">

export type Asked = { readonly [Key in keyof Terms]?: number | null | undefined }

/** What there is when nothing else is asked for. */
export const termsOf = (product: Product, asked: Asked): Terms => {
  const { amount_type } = product.price
  const smallest = "tiers" in product.price ? product.price.tiers.minimum : null
  const { amount = null, max_seats = null, max_units = null, min_seats = null, min_units = null } = asked
  return {
    // Where the buyer does not choose it, Polar takes no notice of it.
    amount: amount_type === "custom" ? amount : null,
    min_seats,
    max_seats,
    min_units,
    max_units,
    seats: amount_type === "seat_based" ? (asked.seats ?? min_seats ?? smallest) : null,
    units: amount_type === "unit_based" ? (asked.units ?? min_units ?? smallest) : null
  }
}

/** What is wrong with it. */
export const issuesOf = (product: Product, asked: Asked): ReadonlyArray<Issue> => [
  ...amountIssues(product, asked.amount),
  ...quantityIssues(product, "seats", { asked: asked.seats, least: asked.min_seats, most: asked.max_seats }),
  ...quantityIssues(product, "units", { asked: asked.units, least: asked.min_units, most: asked.max_units })
]

/** What Polar's payment processor takes of a currency. */
const chargeable = { least: 50, most: 99_999_999 } as const

const amountIssues = ({ price }: Product, amount: number | null | undefined): ReadonlyArray<Issue> => {
  if (amount == null || price.amount_type !== "custom") return []
  const { maximum_amount, minimum_amount } = price
  if (amount < minimum_amount) return [issue("amount", "Amount is below minimum.", amount)]
  if (amount > 0 && amount < chargeable.least) return [issue("amount", "Amount must be 0 or at least $0.50.", amount)]
  return amount > Math.min(maximum_amount ?? chargeable.most, chargeable.most)
    ? [issue("amount", "Amount is above maximum.", amount)]
    : []
}

interface AskedQuantity {
  readonly asked: number | null | undefined
  readonly least: number | null | undefined
  readonly most: number | null | undefined
}

const quantityIssues = (
  { price }: Product,
  noun: "seats" | "units",
  { asked, least, most }: AskedQuantity
): ReadonlyArray<Issue> => {
  const kind = noun === "seats" ? "seat_based" : "unit_based"
  const words = noun === "seats" ? "seat-based" : "unit-based"
  if (price.amount_type !== kind) {
    return Object.entries({ [noun]: asked, [`min_${noun}`]: least, [`max_${noun}`]: most }).flatMap(([field, value]) =>
      value == null ? [] : [issue(field, `${capitalized(field)} can only be set for ${words} pricing.`, value)]
    )
  }
  const { tiers } = price as { readonly tiers: PriceTiers }
  const { minimum } = tiers
  const maximum = maximumOf(tiers) ?? Number.POSITIVE_INFINITY
  if (least != null && least < minimum) return [issue(`min_${noun}`, `min_${noun} must be at least ${minimum}.`, least)]
  if (most != null && most > maximum) return [issue(`max_${noun}`, `max_${noun} must be at most ${maximum}.`, most)]
  const lowest = Math.max(minimum, least ?? minimum)
  const highest = Math.min(maximum, most ?? maximum)
  const wanted = asked ?? least ?? minimum
  if (wanted < lowest) return [issue(noun, `Minimum ${lowest} ${noun} required.`, wanted)]
  return wanted > highest ? [issue(noun, `Maximum ${highest} ${noun} allowed.`, wanted)] : []
}

const capitalized = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`

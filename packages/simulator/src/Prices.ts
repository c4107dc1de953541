/** What a product's price comes to: fixed, chosen by the buyer, or by the number of seats or units. */
import type { Price, PriceTiers, Product, Quantity } from "./Records.ts"

export const oneOf: Quantity = { seats: null, units: null }

/** What is charged for each period, or once. `chosen` is what the buyer pays where they choose it. */
export const priceAmount = ({ price }: Product, { seats, units }: Quantity, chosen: number | null): number => {
  switch (price.amount_type) {
    case "fixed":
      return price.price_amount
    case "custom":
      return chosen ?? price.preset_amount ?? price.minimum_amount
    case "seat_based":
      return tieredAmount(price.tiers, seats ?? price.tiers.minimum)
    case "unit_based":
      return tieredAmount(price.tiers, units ?? price.tiers.minimum)
  }
}

/** What so many of it cost. */
export const tieredAmount = ({ tiers, type }: PriceTiers, count: number): number => {
  if (type === "volume") return count * (tiers.find(({ bound }) => bound === null || count <= bound)?.unit_amount ?? 0)
  let amount = 0
  let from = 0
  for (const { bound, unit_amount } of tiers) {
    amount += Math.max(0, Math.min(count, bound ?? count) - from) * unit_amount
    from = bound ?? count
  }
  return amount
}

export const maximumOf = ({ tiers }: PriceTiers): number | null => tiers.at(-1)?.bound ?? null

/** A price that never charges anything. One that the buyer chooses is none, even where they may choose nothing. */
export const isFree = ({ price }: { readonly price: Price }): boolean => {
  switch (price.amount_type) {
    case "fixed":
      return price.price_amount === 0
    case "custom":
      return false
    default:
      return price.tiers.tiers.every(({ unit_amount }) => unit_amount === 0)
  }
}

/** The smallest quantity that is sold of it. */
export const smallestOf = ({ price }: Product): Quantity => ({
  seats: price.amount_type === "seat_based" ? price.tiers.minimum : null,
  units: price.amount_type === "unit_based" ? price.tiers.minimum : null
})

/** The product's name as invoices have it: `Workspace (3 seats)`. */
export const labelOf = (product: Product, { seats, units }: Quantity): string => {
  const { amount_type } = product.price
  if (amount_type === "seat_based" && seats !== null) return `${product.name} (${counted(seats, "seat")})`
  if (amount_type === "unit_based" && units !== null) return `${product.name} (${counted(units, "unit")})`
  return product.name
}

export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

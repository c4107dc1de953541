/** What an order's numbers add up to. */
import type { Order, OrderItem, World } from "./Records.ts"

export const total = (items: ReadonlyArray<OrderItem>): number => items.reduce((sum, { amount }) => sum + amount, 0)

/** The tax on top of a price. */
export const taxOf = ({ organization }: World, amount: number): number => Math.round(amount * organization.taxRate)

/** A part of an order's money: the price, and the tax on it. */
export interface Part {
  readonly amount: number
  readonly tax_amount: number
}

const paidStatuses: ReadonlySet<Order["status"]> = new Set(["paid", "partially_refunded", "refunded"])

/** Whether the money came, wherever it is now. */
export const isPaid = ({ status }: Order): boolean => paidStatuses.has(status)

/** What has not gone back. Polar says so of an order that nobody has paid yet, too. */
export const refundable = (order: Order): Part => ({
  amount: Math.max(0, order.amount - order.refunded_amount),
  tax_amount: Math.max(0, order.tax_amount - order.refunded_tax_amount)
})

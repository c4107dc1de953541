/** The step that remembers that a checkout was made for a user. */
import type { CheckoutRow } from "../records/rows.ts"
import { noChanges, noKeys, type Step } from "./Step.ts"

export const recordCheckout = (checkout: CheckoutRow): Step<void> => ({
  keys: noKeys,
  decide: () => ({ changes: { ...noChanges, checkouts: [checkout] }, answer: undefined })
})

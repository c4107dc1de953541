/** The step that looks for whom this app made a checkout. It changes nothing. */
import type { CheckoutRow } from "../records/rows.ts"
import { noChanges, noKeys, type Step } from "./Step.ts"

export const findCheckout = (id: string): Step<CheckoutRow | undefined> => ({
  keys: { ...noKeys, checkoutIds: [id] },
  decide: ({ checkouts }) => ({ changes: noChanges, answer: checkouts.find((checkout) => checkout.id === id) })
})

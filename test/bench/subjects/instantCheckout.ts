/** Polar's answer to a new checkout, without Polar. */
import { randomUUID } from "node:crypto"

export const instantCheckout = (): { readonly id: string; readonly url: string; readonly expiresAt: Date } => {
  const id = randomUUID()
  return { id, url: `https://sandbox.polar.sh/checkout/${id}`, expiresAt: new Date(Date.now() + 3_600_000) }
}

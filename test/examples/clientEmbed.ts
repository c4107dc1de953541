import { createPolarClient } from "@kavach-polar/client"

const polar = createPolarClient()

/** Polar's checkout over the page. The buyer stays, and has it when they close it. */
export const buyHere = async (): Promise<boolean> => {
  const { id, outcome } = await polar.checkout({ productId: "pro", embed: true, redirect: false, theme: "dark" })
  if (outcome !== "succeeded") return false
  const { access } = await polar.completeCheckout(id)
  return access.entitlement !== "denied"
}

import { createPolarClient, PolarClientError } from "@kavach-polar/client"

// Where the routes are not at the root of the page's own origin: baseUrl: "/api/kavach", "https://api.example.com".
const polar = createPolarClient()

/** "Buy": the page goes to Polar, and comes back to successUrl. */
export const buy = () => polar.checkout({ productId: "pro", successUrl: "/welcome?checkout={CHECKOUT_ID}" })

/** The page that the buyer comes back to: no waiting for a webhook. */
export const welcome = async (checkoutId: string) => {
  const { access, status } = await polar.completeCheckout(checkoutId)
  return status === "succeeded" && access.entitlement !== "denied"
}

/** "Cancel": says what the user is to read. */
export const cancel = async (): Promise<string> => {
  try {
    const { currentPeriodEnd } = await polar.subscription.cancel({ reason: "unused" })
    return currentPeriodEnd === null
      ? "Canceled"
      : `You have it until ${new Date(currentPeriodEnd).toLocaleDateString()}`
  } catch (error) {
    if (error instanceof PolarClientError && error.code === "conflict") return error.message
    throw error
  }
}

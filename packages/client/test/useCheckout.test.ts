/** What the hook for a button says when the app's own code fails. React is played here: what it keeps is all that matters. */
import { createPolarClient, PolarClientError } from "@kavach-polar/client"
import { useCheckout } from "@kavach-polar/client/react"
import { expect, test, vi } from "vitest"

const played = vi.hoisted(() => ({ client: undefined as unknown, state: undefined as unknown }))

vi.mock("react", () => ({
  createContext: () => ({}),
  createElement: () => undefined,
  useCallback: (callback: unknown) => callback,
  useContext: () => played.client,
  useState: (initial: unknown) => [
    played.state ?? initial,
    (next: unknown) => {
      played.state = next
    }
  ],
  useSyncExternalStore: (_: unknown, current: () => unknown) => current()
}))

test("a button is not left pending, and its click rejects nothing, when there is no token to send", async () => {
  const cause = new TypeError("no token")
  played.client = createPolarClient({ headers: () => Promise.reject(cause) })
  const clicked = useCheckout().checkout({ productId: "pro" })
  expect(useCheckout()).toMatchObject({ isPending: true, error: undefined })
  expect(await clicked).toBeUndefined()
  const { error, isPending } = useCheckout()
  expect(isPending).toBe(false)
  expect(error).toBeInstanceOf(PolarClientError)
  expect(error).toMatchObject({ code: "network", message: "The request could not be sent", cause })
})

import { createPolarClient } from "@kavach-polar/client"
import { PolarProvider, useAccess, useCheckout } from "@kavach-polar/client/react"
import { createElement, type ReactNode } from "react"

const client = createPolarClient()

/** Once, around the app. In JSX: <PolarProvider client={client}> */
export const Billing = ({ children }: { children: ReactNode }) => createElement(PolarProvider, { client }, children)

export const Archive = ({ children }: { children: ReactNode }) => {
  const { hasAccess, isLoading } = useAccess({ product: ["pro", "team"] })
  const { checkout, error, isPending } = useCheckout()
  if (hasAccess) return children
  if (isLoading) return "…"
  const onClick = () => checkout({ productId: "pro", embed: true })
  return [
    createElement("button", { key: "buy", type: "button", disabled: isPending, onClick }, "Subscribe"),
    error?.message
  ]
}

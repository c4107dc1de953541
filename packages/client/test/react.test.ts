/** The hooks on a server: what they render, and that they ask nothing. In a browser: `test/browser/client.test.ts`. */
import { createPolarClient } from "@kavach-polar/client"
import {
  PolarProvider,
  useAccess,
  useBenefit,
  useCheckout,
  usePolar,
  useSubscription
} from "@kavach-polar/client/react"
import { createElement } from "react"
import { renderToString } from "react-dom/server"
import { expect, test } from "vitest"

const Account = () => {
  const { client } = usePolar()
  const { subscription, isLoading } = useSubscription()
  const { hasAccess, access } = useAccess({ product: ["pro", "team"] })
  const { benefit, hasBenefit } = useBenefit("max-projects")
  const { isPending } = useCheckout()
  return createElement(
    "p",
    null,
    JSON.stringify([typeof client.checkout, subscription ?? "none", isLoading, hasAccess, access ?? "none"]),
    JSON.stringify([benefit ?? "none", hasBenefit, isPending])
  )
}

test("render what is not loaded, and ask nothing", async () => {
  let asked = 0
  const client = createPolarClient({
    fetch: async () => {
      asked++
      return Response.json({})
    }
  })
  const render = () => renderToString(createElement(PolarProvider, { client }, createElement(Account)))
  const html = render()
  expect(html).toContain("[&quot;function&quot;,&quot;none&quot;,true,false,&quot;none&quot;]")
  expect(html).toContain("[&quot;none&quot;,false,false]")
  // What one request has learned is not shown to the next.
  expect(render()).toBe(html)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(asked).toBe(0)
})

test("need their provider, and say so", () => {
  expect(() => renderToString(createElement(Account))).toThrow("There is no PolarProvider around this component")
})

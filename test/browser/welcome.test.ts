/** The buyer is back before Polar can say anything, and no webhook ever comes. */
import { serve } from "@kavach-polar/http/NodeServer"
import { Seed, serve as serveSimulator } from "@kavach-polar/simulator"
import { afterAll, assert, test } from "vitest"
import { start } from "../../examples/shop/src/start.ts"
import { temporaryFolder } from "../e2e/serverProcess.ts"
import { inBrowser, read, signIn } from "./person.ts"

const cleanups: Array<() => Promise<unknown> | unknown> = []
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

/** A shop whose Polar sends it nothing, and does not answer what became of a checkout while `isSilent`. */
const forgottenShop = async () => {
  const simulator = await serveSimulator()
  cleanups.push(simulator.close)
  const state = { isSilent: true }
  const between = await serve({
    host: "127.0.0.1",
    port: 0,
    handle: async (request) =>
      state.isSilent && request.method === "GET" && new URL(request.url).pathname.startsWith("/v1/checkouts/")
        ? new Response("out of order", { status: 503 })
        : simulator.handle(request)
  })
  cleanups.push(between.close)
  const { path, remove } = temporaryFolder()
  cleanups.push(remove)
  const env = {
    POLAR_ACCESS_TOKEN: simulator.accessToken,
    POLAR_WEBHOOK_SECRET: "whsec_c2ltdWxhdG9yOiBhIHNlY3JldCBmb3IgYSB0ZXN0IDE=",
    POLAR_API_URL: between.url
  }
  const shop = await start({ env, data: path, port: 0, simulatorPort: 0 })
  cleanups.push(shop.close)
  return { shop: shop.url, simulator, state }
}

inBrowser("back from the checkout", (visit) => {
  for (const javaScriptEnabled of [true, false]) {
    test(`the page says what it waits for, and then that it is paid, ${javaScriptEnabled ? "with" : "without"} scripts`, async () => {
      const { page } = await visit({ javaScriptEnabled })
      const { shop, simulator, state } = await forgottenShop()
      await signIn({ page, shop, simulator })
      const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join("; ")
      await fetch(`${shop}/subscribe`, {
        method: "POST",
        redirect: "manual",
        headers: { cookie, origin: shop },
        body: new URLSearchParams({ product: Seed.products.pro.id })
      })
      const [checkout] = await simulator.read(({ tables }) => [...tables.checkouts].map(([id]) => id))
      await simulator.pay(checkout ?? "", { customer_email: "ada.martin@acme-mail.dev" })

      await page.goto(`${shop}/welcome?checkout=${checkout}`)
      assert.include(await read(page.getByRole("main")), "Polar does not answer just now.")
      state.isSilent = false
      await page.getByRole("heading", { name: "Welcome, Ada Martin" }).waitFor()
      assert.include(await read(page.getByRole("main")), "We have received $19. Pro (monthly) is yours.")
      assert.include(await page.title(), "Welcome")
    })
  }
})

/** `@kavach-polar/client` as built, in pages: as a script without a build, with the embedded checkout, and its hooks. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { createKavach, polar } from "@kavach-polar/http"
import { serve } from "@kavach-polar/http/NodeServer"
import { build } from "esbuild"
import { type Browser, chromium, type Page } from "playwright-core"
import { afterAll, afterEach, assert, beforeAll, describe, expect, test } from "vitest"
import { vary } from "../../packages/core/test/deliveries.ts"
import { deliveryOf, memoryPolar, product, secret } from "../../packages/http/test/host.ts"
import { chromiumFlags, chromiumPath } from "./chromium.ts"

/** Something that nobody in these tests has. */
const team = "b7e2c5d8-40f1-4a6b-8c93-9d0e1f2a3b61"

const built = join(import.meta.dirname, "../../packages/client/dist")

const html = (body: string, headers: Readonly<Record<string, string>> = {}) =>
  new Response(`<!doctype html><html lang="en"><title>App</title>${body}`, {
    headers: { "content-type": "text/html; charset=utf-8", ...headers }
  })

const script = (code: string) => new Response(code, { headers: { "content-type": "text/javascript; charset=utf-8" } })

type Handle = (request: Request, url: URL) => Promise<Response | null> | Response | null

describe.skipIf(chromiumPath === undefined)("in a page", () => {
  let browser: Browser
  const cleanups: Array<() => Promise<unknown>> = []

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath ?? "", args: chromiumFlags })
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(() => browser?.close())

  /** A site, which has the built files at `/client/`. */
  const site = async (handle: Handle): Promise<string> => {
    const server = await serve({
      host: "127.0.0.1",
      port: 0,
      handle: async (request) => {
        const url = new URL(request.url)
        const [, file] = /^\/client\/([\w.]+\.js)$/.exec(url.pathname) ?? []
        if (file !== undefined) return script(readFileSync(join(built, file), "utf8"))
        return (await handle(request, url)) ?? new Response("<h1>Not found</h1>", { status: 404 })
      }
    })
    cleanups.push(server.close)
    return server.url
  }

  const open = async (url: string): Promise<Page> => {
    const context = await browser.newContext()
    cleanups.push(() => context.close())
    const page = await context.newPage()
    page.setDefaultTimeout(15_000)
    page.on("pageerror", (error) => assert.fail(`a script of ${page.url()} failed: ${error.message}`))
    await page.goto(url)
    return page
  }

  const withClient = (options = "") =>
    `<script type="module">
      import { createPolarClient } from "/client/index.js"
      window.polar = createPolarClient(${options})
    </script>`

  describe("a script without a build", () => {
    /** The app's own server, whose session is a cookie. */
    const appServer = async (trustedOrigins?: ReadonlyArray<string>) => {
      const kavach = await createKavach({
        database: { provider: "sqlite", url: ":memory:" },
        plugins: [
          polar({
            webhookSecret: secret,
            client: memoryPolar().client,
            logLevel: "none",
            products: { pro: product, team },
            ...(trustedOrigins === undefined ? {} : { trustedOrigins })
          })
        ],
        getUser: async (request) => {
          const [, id] = /\bsession=(\w+)/.exec(request.headers.get("cookie") ?? "") ?? []
          return id === undefined ? null : { id, email: `${id}@acme-mail.dev`, emailVerified: true }
        }
      })
      cleanups.push(kavach.close)
      return kavach
    }

    const subscribes = async (kavach: Awaited<ReturnType<typeof appServer>>) => {
      const body = vary("subscription.active", { data: { current_period_end: "2999-01-01T00:00:00Z" } })
      assert.strictEqual((await kavach.plugins.handleRequest(deliveryOf(body)))?.status, 200)
    }

    test("asks with the page's cookie, and posts what the guard against other sites wants", async () => {
      const kavach = await appServer()
      const url = await site((request, { pathname }) =>
        pathname === "/"
          ? html(withClient(), { "set-cookie": "session=usr_1042; HttpOnly" })
          : kavach.plugins.handleRequest(request)
      )
      const page = await open(url)
      expect(await page.evaluate("polar.access()")).toMatchObject({ hasAccess: false })
      await subscribes(kavach)
      expect(await page.evaluate("polar.access({ product: 'pro' })")).toMatchObject({ hasAccess: true, until: null })
      expect(await page.evaluate("polar.subscription.get()")).toMatchObject({
        status: "active",
        currentPeriodEnd: "2999-01-01T00:00:00.000Z"
      })
      const refused = "polar.checkout({ productId: 'x' }).catch(({ name, status, code }) => [name, status, code])"
      expect(await page.evaluate(refused)).toEqual(["PolarClientError", 400, "invalid_request"])
      const made = "polar.checkout({ productId: 'team', successUrl: '/welcome', redirect: false })"
      expect(await page.evaluate(made)).toMatchObject({ outcome: "created", url: expect.stringMatching(/^https/) })
      expect(page.url()).toBe(`${url}/`)
    })

    test("asks an API of another origin, with its cookie, where that trusts the page", async () => {
      let api = ""
      const pageOf = () =>
        site(() => html(withClient(`{ baseUrl: "${api}" }`), { "set-cookie": "session=usr_1042; HttpOnly" }))
      const [own, foreign] = [await pageOf(), await pageOf()]
      const kavach = await appServer([own])
      // Which pages may read the answers is for the app's server to say, and says nothing of what a page may do.
      api = await site(async (request) => {
        const cors = {
          "access-control-allow-origin": request.headers.get("origin") ?? "",
          "access-control-allow-credentials": "true",
          "access-control-allow-headers": "content-type"
        }
        if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: cors })
        const response = await kavach.plugins.handleRequest(request)
        for (const [name, value] of Object.entries(cors)) response?.headers.set(name, value)
        return response
      })
      await subscribes(kavach)
      const made = "polar.checkout({ productId: 'team', redirect: false }).catch(({ status, code }) => [status, code])"
      const page = await open(own)
      expect(await page.evaluate("polar.access()")).toMatchObject({ hasAccess: true })
      expect(await page.evaluate(made)).toMatchObject({ outcome: "created" })
      const stranger = await open(foreign)
      expect(await stranger.evaluate(made)).toEqual([403, "forbidden"])
    })
  })

  describe("checkout", () => {
    /** An app whose checkouts are at a site that plays Polar's, and says what it is told to say. */
    const shop = async ({ silent = false } = {}) => {
      const bodies: Array<unknown> = []
      const polarSite = await site((_, { searchParams }) =>
        searchParams.has("embed")
          ? html(
              `<h1>Pay here</h1><button>Pay</button><script>
                window.say = (message) =>
                  parent.postMessage({ type: "POLAR_CHECKOUT", ...message }, ${JSON.stringify(searchParams.get("embed_origin"))})
                ${silent ? "" : 'addEventListener("load", () => say({ event: "loaded" }))'}
              </script>`
            )
          : html("<h1>Polar's own page</h1>")
      )
      const url = await site(async (request, { pathname }) => {
        if (pathname === "/auth/polar/checkout") {
          bodies.push(await request.json())
          return Response.json({ id: "c1", url: `${polarSite}/checkout/c1?locale=en` })
        }
        if (pathname === "/auth/polar/portal") return Response.json({ url: `${polarSite}/portal` })
        if (pathname === "/welcome") return html("<h1>Welcome</h1>")
        return html(
          `<button id="buy" onclick="window.ended = polar.checkout(window.options)">Buy</button>${withClient()}`
        )
      })
      const page = await open(url)
      const buy = async (options: object) => {
        await page.evaluate(`
          window.options = ${JSON.stringify({ productId: "pro", ...options })}
          window.changes = 0
          polar.onChange(() => window.changes++)`)
        await page.getByRole("button", { name: "Buy" }).press("Enter")
      }
      const dialog = page.getByRole("dialog", { name: "Checkout" })
      const frame = async () => {
        await dialog.getByTitle("Checkout").waitFor()
        const found = page.frames().find((one) => one.url().startsWith(polarSite))
        assert.isDefined(found)
        return found
      }
      const outcome = async () => (await page.evaluate("ended")) as { readonly outcome: string }
      const focused = () => page.evaluate("document.activeElement.id")
      return { page, url, polarSite, bodies, buy, dialog, frame, outcome, focused }
    }

    test("goes to Polar's page, and to the portal", async () => {
      const { bodies, buy, page, polarSite, url } = await shop()
      await buy({ successUrl: "/welcome" })
      await page.waitForURL(`${polarSite}/checkout/c1?locale=en`)
      expect(bodies).toEqual([{ productId: "pro", successUrl: "/welcome" }])
      await page.goto(url)
      await page.evaluate("polar.portal({ returnUrl: '/' })")
      await page.waitForURL(`${polarSite}/portal`)
    })

    test("opens over the page, and Escape closes it and gives the focus back", async () => {
      const { bodies, buy, dialog, focused, frame, outcome, page, url } = await shop()
      await buy({ embed: true, theme: "dark" })
      await dialog.waitFor()
      const { searchParams } = new URL((await frame()).url())
      expect(Object.fromEntries(searchParams)).toEqual({
        locale: "en",
        embed: "true",
        embed_origin: url,
        theme: "dark"
      })
      expect(bodies).toEqual([{ productId: "pro", embedOrigin: url }])
      await (await frame()).getByRole("button", { name: "Pay" }).waitFor()
      expect(await focused()).not.toBe("buy")
      // What is behind it is out of reach.
      for (let presses = 0; presses < 6; presses++) {
        await page.keyboard.press("Tab")
        expect(await focused()).not.toBe("buy")
      }
      await dialog.getByRole("button", { name: "Close" }).focus()
      await page.keyboard.press("Escape")
      expect(await outcome()).toMatchObject({ outcome: "closed", id: "c1" })
      expect(await dialog.count()).toBe(0)
      expect(await focused()).toBe("buy")
      await buy({ embed: true })
      await (await frame()).getByRole("button", { name: "Pay" }).waitFor()
      await dialog.getByRole("button", { name: "Close" }).click()
      expect(await outcome()).toMatchObject({ outcome: "closed" })
      expect(page.url()).toBe(`${url}/`)
    })

    test("is not closed while it is being paid, and goes where Polar says", async () => {
      const { buy, dialog, frame, page, url } = await shop()
      await buy({ embed: true, successUrl: "/welcome" })
      const inside = await frame()
      await inside.getByRole("button", { name: "Pay" }).waitFor()
      await inside.evaluate('say({ event: "confirmed" })')
      const close = dialog.getByRole("button", { name: "Close" })
      await expect.poll(() => close.getAttribute("aria-disabled")).toBe("true")
      for (let presses = 0; presses < 3; presses++) await page.keyboard.press("Escape")
      await close.click({ force: true })
      expect(await dialog.isVisible()).toBe(true)
      await inside.evaluate(
        `say({ event: "success", redirect: true, successURL: ${JSON.stringify(`${url}/welcome`)} })`
      )
      await page.waitForURL(`${url}/welcome`)
    })

    test("stays on the page where that is wanted, and is told as a change", async () => {
      const { buy, dialog, frame, outcome, page, url } = await shop()
      await buy({ embed: true, redirect: false })
      const inside = await frame()
      await inside.getByRole("button", { name: "Pay" }).waitFor()
      await inside.evaluate('say({ event: "confirmed" })')
      await inside.evaluate(`say({ event: "success", redirect: true, successURL: "${url}/welcome" })`)
      expect(await outcome()).toMatchObject({ outcome: "succeeded" })
      expect(await dialog.count()).toBe(0)
      expect(await page.evaluate("changes")).toBe(1)
      expect(page.url()).toBe(`${url}/`)
    })

    test("where Polar shows that it is paid, the buyer closes it", async () => {
      const { buy, frame, outcome, page } = await shop()
      await buy({ embed: true })
      const inside = await frame()
      await inside.getByRole("button", { name: "Pay" }).waitFor()
      await inside.evaluate('say({ event: "confirmed" })')
      await inside.evaluate('say({ event: "success", redirect: false, successURL: "https://polar.sh/confirmation" })')
      await inside.evaluate('say({ event: "close" })')
      expect(await outcome()).toMatchObject({ outcome: "succeeded" })
      expect(await page.getByRole("dialog").count()).toBe(0)
    })

    test("listens to nobody but its frame, and goes to no script", async () => {
      const { buy, dialog, frame, page, polarSite, url } = await shop()
      await buy({ embed: true })
      const inside = await frame()
      await inside.getByRole("button", { name: "Pay" }).waitFor()
      const evil = `{ type: "POLAR_CHECKOUT", event: "success", redirect: true, successURL: "${url}/welcome" }`
      // The page itself; another frame of the same origin as Polar's; what is no message of Polar's; a script as an address.
      await page.evaluate(`window.postMessage(${evil}, "*")`)
      await page.evaluate(`
        const other = document.createElement("iframe")
        other.src = "${polarSite}/checkout/c2?embed=true&embed_origin=${url}"
        document.body.append(other)
        new Promise((resolve) => other.addEventListener("load", resolve))`)
      const other = page.frames().find((one) => one.url().includes("/checkout/c2"))
      await other?.evaluate('say({ event: "close" })')
      for (const odd of ["null", "'close'", '{ event: "close" }', '{ type: "OTHER", event: "close" }']) {
        await inside.evaluate(`parent.postMessage(${odd}, "${url}")`)
      }
      for (const address of ["javascript:window.ran = true", "data:text/html,x", ""]) {
        await inside.evaluate(`say({ event: "success", redirect: true, successURL: ${JSON.stringify(address)} })`)
      }
      await inside.evaluate('say({ event: "loaded" })')
      await page.evaluate("new Promise((resolve) => setTimeout(resolve, 300))")
      expect(page.url()).toBe(`${url}/`)
      expect(await page.evaluate("window.ran")).toBeUndefined()
      expect(await dialog.isVisible()).toBe(true)
      // And it does listen to its frame.
      await inside.evaluate('say({ event: "close" })')
      await dialog.waitFor({ state: "detached" })
    })

    test("where the frame does not load, the buyer goes to Polar's page", async () => {
      const { buy, dialog, page, polarSite } = await shop({ silent: true })
      await buy({ embed: true, loadTimeoutSeconds: 1 })
      await dialog.waitFor()
      await page.waitForURL(`${polarSite}/checkout/c1?locale=en`)
    })

    test("is closed by who opened it", async () => {
      const { dialog, frame, page } = await shop()
      await page.evaluate(`
        window.leaving = new AbortController()
        window.ended = polar.checkout({ productId: "pro", embed: true }, { signal: leaving.signal }).catch(({ code }) => code)
        undefined`)
      await (await frame()).getByRole("button", { name: "Pay" }).waitFor()
      await page.evaluate("leaving.abort()")
      expect(await page.evaluate("ended")).toBe("aborted")
      expect(await dialog.count()).toBe(0)
    })
  })

  describe("hooks", () => {
    const code = `
      import { createElement as h, StrictMode, useState } from "react"
      import { createRoot, hydrateRoot } from "react-dom/client"
      import { renderToString } from "react-dom/server"
      import { createPolarClient } from "@kavach-polar/client"
      import { PolarProvider, useAccess, useBenefit, useCheckout, usePolar, useSubscription } from "@kavach-polar/client/react"
      const Plan = ({ id }) => {
        const { error, isLoading, refresh, subscription } = useSubscription()
        return h("p", { id, onClick: refresh }, isLoading ? "loading " : "", error ? error.code + " " : "",
          subscription === undefined ? "unknown" : subscription === null ? "none" : subscription.status + (subscription.cancelAtPeriodEnd ? " ends" : ""))
      }
      const Gate = () => {
        const pro = useAccess({ product: "pro" })
        const either = useAccess({ product: ["pro", "team"] })
        const same = useAccess({ product: ["pro"] })
        const limit = useBenefit("max-projects")
        const other = useBenefit("offline-maps")
        return h("p", { id: "gate" }, [pro, either, same].map(({ hasAccess }) => String(hasAccess)).join(" "),
          " limit ", String(limit.benefit?.metadata.limit), " maps ", String(other.hasBenefit))
      }
      const Actions = () => {
        const { client, refresh } = usePolar()
        const { checkout, error, isPending } = useCheckout()
        return h("p", null,
          h("button", { onClick: () => client.subscription.cancel() }, "Cancel"),
          h("button", { onClick: refresh }, "Refresh"),
          h("button", { onClick: () => checkout({ productId: "gone" }) }, "Buy"),
          h("output", null, isPending ? "pending" : error ? error.message : "ready"))
      }
      const App = () => {
        const [isOpen, open] = useState(true)
        return h("main", null, h("button", { onClick: () => open(!isOpen) }, "Toggle"), h(Actions),
          isOpen && h("div", null, h(Plan, { id: "one" }), h(Plan, { id: "two" }), h(Gate)))
      }
      const client = createPolarClient()
      const tree = h(StrictMode, null, h(PolarProvider, { client }, h(App)))
      const root = document.getElementById("root")
      if (location.search === "?hydrate") {
        root.innerHTML = renderToString(tree)
        window.rendered = root.textContent
        hydrateRoot(root, tree, { onRecoverableError: (error) => { window.mismatch = error.message } })
      } else createRoot(root).render(tree)
    `
    let bundle = ""

    beforeAll(async () => {
      const { outputFiles } = await build({
        stdin: { contents: code, resolveDir: join(import.meta.dirname, "../../packages/client"), loader: "js" },
        bundle: true,
        format: "esm",
        platform: "browser",
        define: { "process.env.NODE_ENV": '"development"' },
        write: false
      })
      bundle = outputFiles[0]?.text ?? ""
    })

    const app = async (search = "") => {
      const asked: Array<string> = []
      const state = { cancelAtPeriodEnd: false, status: 200 }
      const url = await site((request, { pathname, search }) => {
        if (pathname === "/") return html('<div id="root"></div><script type="module" src="/app.js"></script>')
        if (pathname === "/app.js") return script(bundle)
        if (!pathname.startsWith("/auth/polar/")) return null
        const route = pathname.replace("/auth/polar", "")
        asked.push(`${request.method} ${route}${search}`)
        if (state.status !== 200) return Response.json({ error: "Authentication required" }, { status: state.status })
        const subscription = {
          id: "s1",
          status: "active",
          productId: "pro",
          currentPeriodEnd: null,
          cancelAtPeriodEnd: state.cancelAtPeriodEnd
        }
        switch (route) {
          case "/subscription":
            return Response.json({ subscription })
          case "/subscription/cancel":
            state.cancelAtPeriodEnd = true
            return Response.json({ subscription: { ...subscription, cancelAtPeriodEnd: true } })
          case "/access":
            return Response.json({ hasAccess: true, entitlement: "granted", reason: "", until: null })
          case "/benefits":
            return Response.json({ benefits: [{ benefitId: "b1", key: "max-projects", metadata: { limit: 10 } }] })
          case "/checkout":
            return Response.json({ error: "Invalid productId: there is no such product" }, { status: 400 })
          default:
            return null
        }
      })
      const page = await open(url + search)
      const shows = (id: string, text: string) => expect.poll(() => page.locator(`#${id}`).textContent()).toBe(text)
      const press = (name: string) => page.getByRole("button", { name }).click()
      return { page, asked, state, shows, press }
    }

    const all = [
      "GET /access?product=pro",
      "GET /access?product=pro&product=team",
      "GET /benefits",
      "GET /subscription"
    ]

    test("many components ask once, and all show a change", async () => {
      const { asked, press, shows } = await app()
      await shows("one", "active")
      await shows("two", "active")
      await shows("gate", "true true true limit 10 maps false")
      // Strict mode mounts everything twice.
      expect(asked.splice(0).sort()).toEqual(all)
      await press("Cancel")
      await shows("one", "active ends")
      await shows("two", "active ends")
      expect(asked.sort()).toEqual([...all, "POST /subscription/cancel"])
    })

    test("ask again on demand, and when they are shown after a change", async () => {
      const { asked, page, press, shows, state } = await app()
      await shows("two", "active")
      await shows("gate", "true true true limit 10 maps false")
      asked.splice(0)
      state.cancelAtPeriodEnd = true
      await page.locator("#one").click()
      await shows("two", "active ends")
      expect(asked.splice(0)).toEqual(["GET /subscription"])
      // Shown again, nothing has changed.
      await press("Toggle")
      await press("Toggle")
      await shows("one", "active ends")
      expect(asked).toEqual([])
      // What nobody shows is asked for when somebody does.
      await press("Toggle")
      state.cancelAtPeriodEnd = false
      await press("Refresh")
      expect(asked).toEqual([])
      await press("Toggle")
      await shows("one", "active")
      await expect.poll(() => asked.toSorted()).toEqual(all)
    })

    test("an outage keeps what was there, a sign-out does not", async () => {
      const { press, shows, state } = await app()
      await shows("one", "active")
      state.status = 503
      await press("Refresh")
      await shows("one", "unavailable active")
      state.status = 401
      await press("Refresh")
      await shows("one", "not_signed_in unknown")
      await shows("gate", "false false false limit undefined maps false")
      state.status = 200
      await press("Refresh")
      await shows("one", "active")
    })

    test("a checkout that fails says why, and can be tried again", async () => {
      const { page, press } = await app()
      await press("Buy")
      await expect
        .poll(() => page.getByRole("status").textContent())
        .toBe("Invalid productId: there is no such product")
      expect(await page.getByRole("button", { name: "Buy" }).isEnabled()).toBe(true)
    })

    test("take over what a server has rendered", async () => {
      const { page, shows } = await app("/?hydrate")
      await shows("one", "active")
      await shows("gate", "true true true limit 10 maps false")
      expect(await page.evaluate("rendered")).toContain("loading unknown")
      expect(await page.evaluate("window.mismatch")).toBeUndefined()
    })
  })
})

/** `npm start` as a user types it: a shop on a simulator, or on Polar's sandbox, or a sentence why not. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { serve as serveSimulator } from "@kavach-polar/simulator"
import { afterAll, assert, describe, test } from "vitest"
import { beginning, steps } from "../../examples/shop/src/steps.ts"
import { eventually, startAndFail, startServer, statusForHost, temporaryFolder } from "./serverProcess.ts"

const cleanups: Array<() => unknown> = []
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

const folder = (): string => {
  const { path, remove } = temporaryFolder()
  cleanups.push(remove)
  return path
}

const start = async (options: Parameters<typeof startServer>[0]) => {
  const server = await startServer(options)
  cleanups.push(server.stop)
  return server
}

const simulator = async () => {
  const served = await serveSimulator()
  cleanups.push(served.close)
  return served
}

const post = (url: string, fields: Readonly<Record<string, string>>, cookie = "") =>
  fetch(url, {
    method: "POST",
    redirect: "manual",
    headers: { origin: new URL(url).origin, cookie },
    body: new URLSearchParams(fields)
  })

/** Signs in and buys, as forms do it. Gives the cookie. */
const subscribe = async (url: string): Promise<string> => {
  const signedIn = await post(`${url}/sign-in`, { user: "usr_1042" })
  const cookie = (signedIn.headers.get("set-cookie") ?? "").split(";")[0] ?? ""
  const checkout = await post(`${url}/subscribe`, { product: "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60" }, cookie)
  assert.strictEqual(checkout.status, 303)
  const paid = await post(checkout.headers.get("location") ?? "", { card: "good" })
  assert.strictEqual(paid.status, 303)
  assert.include(paid.headers.get("location") ?? "", `${url}/welcome?checkout=`)
  return cookie
}

const subscriptionOf = async (url: string, cookie: string): Promise<unknown> => {
  const response = await fetch(`${url}/auth/polar/subscription`, { headers: { cookie } })
  return ((await response.json()) as { readonly subscription: unknown }).subscription
}

describe("npm start", () => {
  test("keeps what it makes from other users, and answers to no other name, but for deliveries", async () => {
    const data = join(folder(), "data")
    const server = await start({ data, by: "node shop" })
    for (const file of [".", ...readdirSync(data)]) {
      assert.deepStrictEqual([file, statSync(join(data, file)).mode & 0o077], [file, 0])
    }
    const { port } = new URL(server.url)
    for (const path of ["/", "/account", "/auth/polar/subscription", "/style.css"]) {
      assert.strictEqual(await statusForHost(server.url, `evil.example:${port}`, path), 421, path)
    }
    assert.strictEqual(await statusForHost(server.url, `localhost:${port}`), 200)
    const simulatorUrl = server.simulatorUrl ?? ""
    const simulatorPort = new URL(simulatorUrl).port
    for (const path of ["/", "/v1/products/", "/style.css"]) {
      assert.strictEqual(await statusForHost(simulatorUrl, `evil.example:${simulatorPort}`, path), 421, path)
    }
    assert.strictEqual(await statusForHost(simulatorUrl, `localhost:${simulatorPort}`), 200)
    await server.stop()
  })

  test("the README has the steps that are printed, and that the pages have", () => {
    const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8")
    assert.include(readme, beginning)
    const list = /^(1\. [\s\S]*?)\n\n/m.exec(readme)?.[1] ?? ""
    const written = list.split(/^\d+\. /m).slice(1)
    assert.deepStrictEqual(
      written.map((step) => step.replaceAll("_", "").replace(/\s+/g, " ").trim()),
      [...steps]
    )
  })

  test("Check with Polar says what it found", { timeout: 30_000 }, async () => {
    const server = await start({ data: folder(), by: "node shop" })
    const cookie = await subscribe(server.url)
    const checked = await post(`${server.url}/activity/check`, {}, cookie)
    assert.strictEqual(checked.status, 303)
    const page = await fetch(new URL(checked.headers.get("location") ?? "", server.url), { headers: { cookie } })
    assert.include(await page.text(), "What the shop knows is what Polar says.")
    const plain = await fetch(`${server.url}/activity`, { headers: { cookie } })
    assert.notInclude(await plain.text(), "Checked with Polar.")
    await server.stop()
  })

  test("sells on a simulator, and starts afresh with it", { timeout: 300_000 }, async () => {
    const data = folder()
    const first = await start({ data, by: "npm start" })
    assert.isNotNull(first.simulatorUrl)
    assert.strictEqual((await fetch(first.simulatorUrl ?? "")).status, 200)
    const cookie = await subscribe(first.url)
    await eventually(() => first.notifications().includes("usr_1042 active"))
    assert.isNotNull(await subscriptionOf(first.url, cookie))
    await first.stop()

    const second = await start({ data, by: "node shop" })
    const again = await post(`${second.url}/sign-in`, { user: "usr_1042" })
    const fresh = (again.headers.get("set-cookie") ?? "").split(";")[0] ?? ""
    assert.isNull(await subscriptionOf(second.url, fresh))
    assert.include(await (await fetch(second.simulatorUrl ?? "")).text(), "Nobody has come yet")
    await subscribe(second.url)
    // A page that is open does not keep the shop from stopping.
    const stream = await fetch(`${second.url}/activity/stream`)
    assert.strictEqual(await second.stop(), 0)
    await stream.body?.cancel()
  })

  test("sells on Polar when it has a token and a secret, and keeps its database", { timeout: 120_000 }, async () => {
    const polar = await simulator()
    const secret = "polar_whs_InventedInventedInventedInvented0123AbCdEf"
    const env = { POLAR_ACCESS_TOKEN: polar.accessToken, POLAR_WEBHOOK_SECRET: secret, POLAR_API_URL: polar.url }
    const data = folder()
    const server = await start({ data, by: "node shop", env })
    assert.isNull(server.simulatorUrl)
    await polar.addEndpoint({ url: `${server.url}/auth/polar/webhook`, secret })
    await subscribe(server.url)
    await eventually(() => server.notifications().includes("usr_1042 active"))
    await server.stop()
    assert.isTrue(existsSync(join(data, "shop-sandbox.sqlite")))

    const restarted = await start({ data, by: "node shop", env })
    const signedIn = await post(`${restarted.url}/sign-in`, { user: "usr_1042" })
    const cookie = (signedIn.headers.get("set-cookie") ?? "").split(";")[0] ?? ""
    assert.isNotNull(await subscriptionOf(restarted.url, cookie))
    await restarted.stop()
  })

  test("says in a sentence why it cannot start, and exits with 1", { timeout: 120_000 }, async () => {
    const failing = (env: Readonly<Record<string, string>>, data = folder()) =>
      startAndFail({ data, by: "node shop", env })

    const noSecret = await failing({ POLAR_ACCESS_TOKEN: "polar_oat_x" })
    assert.deepInclude(noSecret, { code: 1 })
    assert.include(noSecret.stderr, "POLAR_ACCESS_TOKEN is set, but POLAR_WEBHOOK_SECRET is not")
    const noToken = await failing({ POLAR_WEBHOOK_SECRET: "whsec_x" })
    assert.deepInclude(noToken, { code: 1 })
    assert.include(noToken.stderr, "POLAR_WEBHOOK_SECRET is set, but POLAR_ACCESS_TOKEN is not")

    const polar = await simulator()
    const both = { POLAR_ACCESS_TOKEN: "polar_oat_expired", POLAR_WEBHOOK_SECRET: "polar_whs_x" }
    const refused = await failing({ ...both, POLAR_API_URL: polar.url })
    assert.deepInclude(refused, { code: 1 })
    assert.include(refused.stderr, "Polar does not accept POLAR_ACCESS_TOKEN")
    assert.notInclude(refused.stderr, "polar_oat_expired")
    const production = await failing({ ...both, POLAR_ENVIRONMENT: "production" })
    assert.deepInclude(production, { code: 1 })
    assert.include(production.stderr, "sandbox only")

    const occupied = createServer()
    await new Promise<void>((resolve) => occupied.listen(0, "127.0.0.1", resolve))
    const port = String((occupied.address() as AddressInfo).port)
    const taken = await failing({ PORT: port })
    occupied.close()
    assert.deepInclude(taken, { code: 1 })
    assert.include(taken.stderr, `Cannot listen on 127.0.0.1:${port}: another program uses it`)

    const file = join(folder(), "file")
    writeFileSync(file, "")
    const unwritable = await failing({}, join(file, "data"))
    assert.deepInclude(unwritable, { code: 1 })
    assert.include(unwritable.stderr, "cannot be written")
  })
})

/** The shop without a browser: who may see and do what, and how it fails. */
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, test } from "vitest"
import { makeActivity } from "../src/activity.ts"
import { readPlans } from "../src/catalog.ts"
import { nextOf } from "../src/pages/signIn.ts"
import { type Started, start } from "../src/start.ts"

let shop: Started
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "shop-"))
  shop = await start({ env: {}, data: folder, port: 0, simulatorPort: 0 })
})

afterAll(async () => {
  await shop?.close()
  rmSync(folder, { recursive: true, force: true })
})

const look = (path: string, cookie = "") =>
  fetch(`${shop.url}${path}`, { redirect: "manual", headers: cookie === "" ? {} : { cookie } })

const post = (
  path: string,
  fields: Readonly<Record<string, string>> = {},
  headers: Readonly<Record<string, string>> = {}
) =>
  fetch(`${shop.url}${path}`, {
    method: "POST",
    redirect: "manual",
    headers: { origin: shop.url, ...headers },
    body: new URLSearchParams(fields)
  })

const signIn = async (user: string): Promise<string> => {
  const response = await post("/sign-in", { user, next: "/account" })
  assert.strictEqual(response.status, 303)
  assert.strictEqual(response.headers.get("location"), "/account")
  return (response.headers.get("set-cookie") ?? "").split(";")[0] ?? ""
}

describe("pages", () => {
  test("ask strangers to sign in, and bring them back", async () => {
    for (const path of ["/account", "/archive", "/welcome"]) {
      const response = await look(path)
      assert.strictEqual(response.status, 303)
      assert.strictEqual(response.headers.get("location"), `/sign-in?next=${encodeURIComponent(path)}`)
    }
    for (const path of ["/", "/sign-in", "/activity"]) assert.strictEqual((await look(path)).status, 200)
  })

  test("explain themselves when there is nothing to see, or nothing to do", async () => {
    const missing = await look("/nowhere")
    assert.strictEqual(missing.status, 404)
    assert.include(await missing.text(), "There is no such page")
    const wrong = await look("/subscribe")
    assert.strictEqual(wrong.status, 405)
    assert.strictEqual(wrong.headers.get("allow"), "POST")
    const cookie = await signIn("usr_1042")
    const refused = await look("/archive", cookie)
    assert.strictEqual(refused.status, 403)
    assert.include(await refused.text(), "The user has no live subscription.")
    const portal = await post("/account/portal", {}, { cookie })
    assert.strictEqual(portal.status, 502)
    const product = await post("/subscribe", { product: "<b>" }, { cookie })
    assert.strictEqual(product.status, 502)
    assert.notInclude(await product.text(), "<b>")
  })

  test("carry a policy that allows no script but the shop's own", async () => {
    const response = await look("/")
    const policy = response.headers.get("content-security-policy") ?? ""
    assert.include(policy, "script-src 'self'")
    assert.include(policy, `form-action 'self' ${shop.simulator?.url}`)
    assert.notMatch(policy, /unsafe|\*/)
    const text = await response.text()
    assert.notMatch(text, /<script(?! src="\/)|\son\w+=|style=/)
  })

  test("take forms from themselves only", async () => {
    for (const origin of ["https://evil.example", "null", shop.url.replace("http:", "https:")]) {
      const response = await post("/sign-in", { user: "usr_1042" }, { origin })
      assert.strictEqual(response.status, 403)
      assert.isNull(response.headers.get("set-cookie"))
    }
    const stranger = await post("/sign-in", { user: "nobody" })
    assert.strictEqual(stranger.status, 422)
    const large = await post("/sign-in", { user: "x".repeat(20_000) })
    assert.strictEqual(large.status, 400)
  })

  test("lead to this shop only after signing in", () => {
    assert.strictEqual(nextOf("/account"), "/account")
    for (const text of [null, "", "//evil.example", "/\\evil.example", "https://evil.example", "/a?b", "/a\n"]) {
      assert.strictEqual(nextOf(text), "/", String(text))
    }
  })
})

test("the routes of kavach-polar know the shop's sessions", async () => {
  const cookie = await signIn("usr_1043")
  assert.strictEqual((await look("/auth/polar/subscription")).status, 401)
  const response = await look("/auth/polar/subscription", cookie)
  assert.deepStrictEqual(await response.json(), { subscription: null })
})

test("what is bought once is shown to its buyer, with its feature and its license key, until it is taken back", async () => {
  const simulator = shop.simulator ?? assert.fail("no simulator")
  const cookie = await signIn("usr_1042")
  const offer = await (await look("/", cookie)).text()
  const product = /name="product" value="([^"]+)">\s*<button class="primary" aria-label="Buy Field handbook"/.exec(
    offer
  )?.[1]
  const till = (await post("/subscribe", { product: product ?? "" }, { cookie })).headers.get("location") ?? ""
  const [found] = await simulator.read(({ tables }) => [...tables.checkouts].map(([, one]) => one))
  const checkout = found ?? assert.fail("no checkout")
  assert.include(till, checkout.client_secret)
  const { order } = await simulator.pay(checkout.id, { customer_email: "ada@acme-mail.dev" })
  await simulator.flush()
  const [granted] = await simulator.read(({ tables }) => [...tables.licenseKeys].map(([, one]) => one.key))
  const key = granted ?? assert.fail("no license key")
  assert.match(key, /^FIELD-/)
  for (const path of [`/welcome?checkout=${checkout.id}`, "/account"]) {
    const page = await (await look(path, cookie)).text()
    assert.include(page, "Offline maps")
    assert.include(page, "regions: 12")
    assert.include(page, key)
  }
  assert.include(await (await look("/", cookie)).text(), "Yours")
  const stranger = await (await look("/account", await signIn("usr_1043"))).text()
  assert.notInclude(stranger, "Offline maps")
  await simulator.refund(order?.id ?? "", { revoke_benefits: true })
  await simulator.flush()
  const after = await (await look("/account", cookie)).text()
  assert.notInclude(after, "Offline maps")
  assert.notInclude(after, key)
})

test("streams tell the version at once and whenever it grows, and end with the shop", async () => {
  const activity = makeActivity()
  const reader = activity.stream().body?.getReader()
  const read = async () => new TextDecoder().decode((await reader?.read())?.value)
  assert.strictEqual(await read(), "retry: 2000\n")
  assert.strictEqual(await read(), "data: 0\n\n")
  const notification = {
    at: new Date(0),
    userId: "usr_1",
    status: "active",
    productId: "p",
    currentPeriodEnd: null,
    cancelAtPeriodEnd: false
  }
  activity.add(notification)
  assert.strictEqual(await read(), "data: 1\n\n")
  activity.close()
  assert.isTrue((await reader?.read())?.done)
  assert.isTrue((await activity.stream().body?.getReader().read())?.done)
})

test("the catalog says what is wrong when Polar does not list the products", async () => {
  const answers: Array<readonly [number, string]> = [
    [401, "{}"],
    [403, "{}"],
    [500, "{}"],
    [200, "<html>"],
    [200, '{"items":[{}]}']
  ]
  const server = createServer((_, response) => {
    const [status, body] = answers.shift() ?? [500, ""]
    response.writeHead(status).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const apiBaseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const failure = () =>
    readPlans({ apiBaseUrl, accessToken: "polar_oat_secret" }).then(
      () => "it did not fail",
      (error: Error) => error.message
    )
  assert.include(await failure(), "does not accept POLAR_ACCESS_TOKEN")
  assert.include(await failure(), "products:read")
  assert.include(await failure(), "answered 500")
  assert.include(await failure(), "is not Polar's API")
  assert.include(await failure(), "is not Polar's API")
  await new Promise((resolve) => server.close(resolve))
  const silent = await failure()
  assert.include(silent, "Nothing answers")
  assert.notInclude(silent, "polar_oat_secret")
})

/** The shop without a browser: who may see and do what, and how it fails. */
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Seed, serve } from "@kavach-polar/simulator"
import { afterAll, assert, beforeAll, describe, test } from "vitest"
import { makeActivity } from "../src/activity.ts"
import { readPlans } from "../src/catalog.ts"
import { nextOf } from "../src/pages/signIn.ts"
import { periodEnd } from "../src/period.ts"
import { openShop } from "../src/Shop.ts"
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

/** Presses the button of a plan. Gives the checkout's id. */
const openCheckout = async (product: string, cookie: string): Promise<string> => {
  const simulator = shop.simulator ?? assert.fail("no simulator")
  const till = (await post("/subscribe", { product }, { cookie })).headers.get("location") ?? ""
  const checkouts = await simulator.read(({ tables }) => [...tables.checkouts].map(([, one]) => one))
  return checkouts.find(({ client_secret }) => till.includes(client_secret))?.id ?? assert.fail("no checkout")
}

describe("pages", () => {
  test("ask strangers to sign in, and bring them back", async () => {
    const paths = ["/account", "/account/cancel", "/archive", "/activity", "/welcome", "/choose?product=some-plan"]
    for (const path of paths) {
      const response = await look(path)
      assert.strictEqual(response.status, 303)
      assert.strictEqual(response.headers.get("location"), `/sign-in?next=${encodeURIComponent(path)}`)
    }
    for (const path of ["/", "/sign-in"]) assert.strictEqual((await look(path)).status, 200)
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
    assert.include(await refused.text(), "You have no subscription.")
    const portal = await post("/account/portal", {}, { cookie })
    assert.strictEqual(portal.status, 404)
    assert.include(await portal.text(), "You have bought nothing yet")
    const product = await post("/subscribe", { product: "<b>" }, { cookie })
    assert.strictEqual(product.status, 422)
    assert.include(await product.text(), "That is not for sale")
    assert.notInclude(await (await look("/choose?product=<b>", cookie)).text(), "<b>")
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
    assert.strictEqual(nextOf("/choose?product=a-1"), "/choose?product=a-1")
    const foreign = ["//evil.example", "/\\evil.example", "https://evil.example", "/?//evil.example", "/a\n", "/a?b\n"]
    for (const text of [null, "", ...foreign]) {
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

describe("what comes to nothing is a sentence with a next step", () => {
  const pro = Seed.products.pro.id
  const team = Seed.products.team.id

  test("someone else's checkout welcomes nobody, and an unknown one neither", async () => {
    const simulator = shop.simulator ?? assert.fail("no simulator")
    const lin = await signIn("usr_1043")
    const checkout = await openCheckout(Seed.products.trial.id, lin)
    const ada = await signIn("usr_1042")
    for (const id of [checkout, "7f8d1c2e-0000-4000-8000-000000000000", "x"]) {
      const page = await look(`/welcome?checkout=${id}`, ada)
      assert.strictEqual(page.status, 404, id)
      const text = await page.text()
      assert.include(text, "There is no such checkout of yours")
      assert.notInclude(text, "Welcome")
    }
    const own = await (await look(`/welcome?checkout=${checkout}`, lin)).text()
    assert.include(own, "You have not paid yet")
    assert.include(own, "Go back to the checkout")
    await simulator.pay(checkout, { customer_email: "lin.osei@acme-mail.dev" })
    await simulator.flush()
    const trial = await (await look(`/welcome?checkout=${checkout}`, lin)).text()
    assert.include(trial, "Your trial of Pro with a trial has started, and nothing was charged.")
    assert.notInclude(trial, "received")
    assert.strictEqual((await look("/welcome", ada)).status, 404)
  })

  test("a change that Polar is busy for, that is not paid, or that is nobody's", async () => {
    const simulator = shop.simulator ?? assert.fail("no simulator")
    const cookie = await signIn("usr_1042")
    const nothing = await post("/change", { product: team, subscription: "x" }, { cookie })
    assert.strictEqual(nothing.status, 404)
    assert.include(await nothing.text(), "There is no such subscription of yours")

    const checkout = await openCheckout(pro, cookie)
    const { subscription } = await simulator.pay(checkout, { customer_email: "ada.martin@acme-mail.dev" })
    await simulator.flush()
    const id = subscription?.id ?? assert.fail("no subscription")
    const change = { product: team, subscription: id }

    await simulator.failNextPayment()
    const unpaid = await post("/change", change, { cookie })
    assert.strictEqual(unpaid.status, 402)
    const unpaidText = await unpaid.text()
    assert.include(unpaidText, "The payment failed")
    assert.include(unpaidText, 'action="/account/portal"')
    assert.include(await (await look("/account", cookie)).text(), "Pro (monthly)")

    await simulator.lockSubscription(id, 50)
    const locked = await post("/change", change, { cookie })
    assert.strictEqual(locked.status, 409)
    assert.include(await locked.text(), "One moment, please")
    await simulator.lockSubscription(id, 0)

    const others = await post("/change", change, { cookie: await signIn("usr_1043") })
    assert.strictEqual(others.status, 404)
    const late = await post("/account/pause", { subscription: id, until: "2020-01-01" }, { cookie })
    assert.strictEqual(late.status, 422)
    assert.include(await late.text(), "Choose a day after")
    // A second checkout for who is subscribed is what a change costs.
    const second = await post("/subscribe", { product: team }, { cookie })
    assert.strictEqual(second.headers.get("location"), `/choose?product=${team}`)
    assert.include(await (await look(`/choose?product=${team}`, cookie)).text(), "Upgrade and pay $")
    for (const path of [
      "/change",
      "/account/cancel",
      "/account/keep",
      "/account/pause",
      "/account/resume",
      "/account/undo"
    ]) {
      const foreign = await post(path, change, { cookie, origin: "https://evil.example" })
      assert.strictEqual(foreign.status, 403, path)
    }
    assert.notInclude(await (await look("/account", cookie)).text(), "Cancellation scheduled")
  })
})

/** A shop without a server, on a simulator of its own, with Ada signed in. */
const ownShop = async (options: Parameters<typeof serve>[0] = {}) => {
  const simulator = await serve(options)
  const secret = "whsec_c2ltdWxhdG9yOiBhIHNlY3JldCBmb3IgYSB0ZXN0IDE="
  const origin = "http://127.0.0.1:3999"
  const { close, handle } = await openShop({
    database: join(mkdtempSync(join(folder, "own-")), "shop.sqlite"),
    accessToken: simulator.accessToken,
    webhookSecret: secret,
    apiBaseUrl: simulator.url,
    origins: [origin]
  })
  await simulator.connect((request) => handle(new Request(`${origin}/auth/polar/webhook`, request)), { secret })
  let cookie = ""
  const ask = (path: string, body?: Readonly<Record<string, string>>) =>
    handle(
      new Request(`${origin}${path}`, {
        headers: { cookie, origin },
        ...(body === undefined ? {} : { method: "POST", body: new URLSearchParams(body) })
      })
    )
  const signedIn = await ask("/sign-in", { user: "usr_1042" })
  cookie = (signedIn.headers.get("set-cookie") ?? "").split(";")[0] ?? ""
  return {
    ask,
    simulator,
    /** What a page says, without its markup. */
    read: async (path: string) => (await (await ask(path)).text()).replace(/<[^>]+>/g, "").replace(/\s+/g, " "),
    /** Gives what was bought, and what the buyer is told who comes back. */
    buy: async (product: string) => {
      const till = (await ask("/subscribe", { product })).headers.get("location") ?? ""
      const checkouts = await simulator.read(({ tables }) => [...tables.checkouts].map(([, one]) => one))
      const id = checkouts.find(({ client_secret }) => till.includes(client_secret))?.id ?? assert.fail("no checkout")
      const { subscription } = await simulator.pay(id, { customer_email: "ada.martin@acme-mail.dev" })
      const welcome = await (await ask(`/welcome?checkout=${id}`)).text()
      return { subscription: subscription?.id ?? "", welcome }
    },
    close: async () => {
      await close()
      await simulator.close()
    }
  }
}

test("where Polar previews no change, the page says so, and the change is made all the same", async () => {
  const { ask, buy, close, read } = await ownShop({ previews: false })
  const { subscription, welcome } = await buy(Seed.products.pro.id)
  assert.include(welcome, "We have received $19.")
  const product = Seed.products.team.id
  const page = await read(`/choose?product=${product}`)
  assert.include(page, "Polar does not say beforehand what you pay today.")
  assert.include(page, "UpgradeKeep Pro (monthly)")
  const changed = await ask("/change", { product, subscription })
  assert.strictEqual(changed.headers.get("location"), "/account?done=changed")
  assert.include(await read("/account"), "Team (yearly)")
  await close()
})

test("what is left over of a plan that cost more is credited, and the page says so", async () => {
  const { ask, buy, close, read } = await ownShop()
  const { subscription } = await buy(Seed.products.team.id)
  const product = Seed.products.pro.id
  const page = await read(`/choose?product=${product}`)
  assert.include(page, "Switch to Pro (monthly)")
  assert.include(page, "Nothing today")
  assert.match(page, /\$471 of what you paid for Team \(yearly\) is left over\. It is credited to you/)
  assert.match(page, /You pay \$19 a month, next on \d+ \w+ 20\d\d\./)
  const changed = await ask("/change", { product, subscription })
  assert.strictEqual(changed.headers.get("location"), "/account?done=changed")
  const account = await read("/account")
  assert.include(account, "Pro (monthly)")
  // When it is charged next is what the page had said.
  const [, next] = /next on (\d+ \w+ 20\d\d)/.exec(page) ?? []
  assert.include(account, `It renews on ${next}`)
  await close()
})

test("a plan that costs less can begin with the next period, and that can be taken back", async () => {
  const { ask, buy, close, read, simulator } = await ownShop()
  const { subscription } = await buy(Seed.products.team.id)
  const product = Seed.products.pro.id
  const page = await read(`/choose?product=${product}`)
  const [, day = ""] = /Switch on (\d+ \w+ 20\d\d)/.exec(page) ?? []
  assert.notEqual(day, "")
  const scheduled = await ask("/change", { product, subscription, when: "period" })
  assert.strictEqual(scheduled.headers.get("location"), "/account?done=scheduled")
  const waits = await read("/account")
  assert.include(waits, `You switch to Pro (monthly) on ${day}.`)
  assert.include(waits, "From then on you pay $19 a month, and nothing before.")
  assert.include(waits, "Keep Team (yearly)")
  assert.notInclude(waits, "It renews on")

  const undone = await ask("/account/undo", { subscription })
  assert.strictEqual(undone.headers.get("location"), "/account?done=undone")
  assert.include(await read("/account"), `It renews on`)
  await ask("/change", { product, subscription, when: "period" })
  await simulator.advance("366 days")
  await simulator.flush()
  assert.match(await read("/account"), /It renews on .+ for \$19 a month\./)
  await close()
})

test("a plan without a trial ends the one that runs, and the page says so", async () => {
  const { buy, close, read } = await ownShop()
  await buy(Seed.products.trial.id)
  assert.include(await read("/account"), "Your trial has started. It is free until")
  const page = await read(`/choose?product=${Seed.products.pro.id}`)
  assert.include(page, "$19 today")
  assert.include(page, "Your free trial ends today, and Pro (monthly) begins.")
  await close()
})

test("a period ends on the same day, or on the last one of a month that is too short", () => {
  const end = (start: string, interval: string | null, count = 1) =>
    periodEnd(new Date(`${start}T10:00:00Z`), interval, count)
      ?.toISOString()
      .slice(0, 10)
  assert.strictEqual(end("2026-11-30", "month"), "2026-12-30")
  assert.strictEqual(end("2027-01-31", "month"), "2027-02-28")
  assert.strictEqual(end("2028-02-29", "year"), "2029-02-28")
  assert.strictEqual(end("2026-12-30", "day", 14), "2027-01-13")
  assert.strictEqual(end("2026-12-30", "week", 2), "2027-01-13")
  assert.isUndefined(end("2026-12-30", null))
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
    subscriptionId: "sub_1",
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

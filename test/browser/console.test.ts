/** Billing's console in a browser, by somebody who uses no mouse, on a desk and on a phone. */
import { readFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { type ConsoleOptions, type Polar, polar } from "@kavach-polar/http"
import { toNodeListener } from "@kavach-polar/http/node"
import { Seed, type Served, serve } from "@kavach-polar/simulator"
import type { AxeResults } from "axe-core"
import Database from "better-sqlite3"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, test } from "vitest"
import { temporaryFolder } from "../e2e/serverProcess.ts"
import { chromiumFlags, chromiumPath } from "./chromium.ts"
import { cutAtEdge } from "./cutAtEdge.ts"
import { read } from "./person.ts"
import { tabTo } from "./tabTo.ts"

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

// To look at the pages: SCREENSHOTS=<folder> npx vitest run --project browser console
const screenshots = process.env["SCREENSHOTS"]

const webhookSecret = "whsec_c2ltdWxhdG9yOiBhIHNlY3JldCBmb3IgYSB0ZXN0IDE="
const ada = "ada@acme-mail.dev"

/** An app with the console at a path of its own, and something on every page of it. */
interface App {
  readonly url: string
  readonly billing: Polar
  readonly filename: string
  readonly simulator: Served
  /** Somebody more buys, and the app's handler cannot take it. */
  readonly failFor: (userId: string) => Promise<void>
  /** The server goes away. */
  readonly stop: () => Promise<void>
  readonly close: () => Promise<void>
}

const startApp = async (options: ConsoleOptions): Promise<App> => {
  const { path, remove } = temporaryFolder()
  const filename = join(path, "app.db")
  const simulator = await serve()
  let isDown = true
  const billing = polar({
    emailVerified: () => true,
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret,
    logLevel: "none",
    refreshWhenDenied: false,
    callback: { attempts: 1 },
    onSubscriptionChange: () => {
      if (isDown) throw new Error("the mail server is down")
    },
    store: SqliteStore.layer({ filename })
  })
  await billing.start()
  await simulator.connect((request) => billing.webhook(request), { secret: webhookSecret })
  const buy = async (userId: string, email: string) => {
    const { id } = await billing.createCheckout(userId, Seed.products.pro.id, { customerEmail: email })
    await simulator.pay(id, { customer_email: email })
    await simulator.flush()
    await billing.settled()
  }
  await buy("ada", ada)
  isDown = false
  await buy(
    "a user with a very long id, as some apps have them: 0123456789012345678901234567890123456789",
    "long@x.dev"
  )
  const server: Server = createServer(toNodeListener((request) => billing.console(request, options)))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const stop = async () => {
    if (!server.listening) return
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/internal/billing`,
    billing,
    filename,
    simulator,
    failFor: async (userId) => {
      isDown = true
      await buy(userId, `${userId}@x.dev`)
      isDown = false
    },
    stop,
    close: async () => {
      await stop()
      await billing.dispose()
      await simulator.close()
      remove()
    }
  }
}

const lin: ConsoleOptions = { authorize: () => ({ who: "Lin of support", may: "act" }) }

const actionsIn = (filename: string) => {
  const database = new Database(filename, { readonly: true })
  try {
    return database.prepare("SELECT who, action, subject, result FROM kavach_polar_actions ORDER BY at, id").all()
  } finally {
    database.close()
  }
}

describe.skipIf(chromiumPath === undefined)("billing's console", () => {
  let browser: Browser
  let app: App

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath ?? "", args: chromiumFlags })
  })
  afterAll(() => browser?.close())

  const visit = async (options: BrowserContextOptions = {}): Promise<Page> => {
    const context = await browser.newContext(options)
    const page = await context.newPage()
    page.setDefaultTimeout(15_000)
    page.on("pageerror", (error) => assert.fail(error.message))
    // What the policy of the page refuses, such as our own stylesheet.
    page.on("console", (message) => {
      // To be framed is refused as it should be.
      if (/Content Security Policy/i.test(message.text()) && !/frame-ancestors/.test(message.text())) {
        assert.fail(message.text())
      }
    })
    return page
  }

  beforeEach(async () => {
    app = await startApp(lin)
  }, 60_000)
  afterEach(() => app.close())

  const keyboard = (page: Page) => ({ tab: (name: string | RegExp) => tabTo({ page } as never, name) })

  test("a buyer is searched, their customer moved and moved back, with the keyboard only; the trail has both", {
    timeout: 180_000
  }, async () => {
    const page = await visit()
    const { tab } = keyboard(page)
    await page.goto(app.url)
    await page.keyboard.press("Tab")
    assert.strictEqual(await read(page.locator(":focus")), "Skip to the content")
    assert.include(await read(page.getByRole("main")), "The app did not take 1 notification")
    await tab("People")
    await page.keyboard.press("Enter")
    await page.waitForURL(/page=people$/)
    await tab(/^A user's id/)
    await page.keyboard.type(ada)
    await page.keyboard.press("Enter")
    await page.waitForURL(/page=person/)
    assert.notInclude(page.url(), "@")
    assert.include(await read(page.getByRole("main")), "User ada has access by a subscription.")

    await tab("Move to the user with this id")
    await page.keyboard.type("eve")
    await page.keyboard.press("Enter")
    await page.waitForURL(/page=confirm/)
    assert.include(await read(page.getByRole("main")), 'It belongs to user "ada";')
    assert.deepStrictEqual(actionsIn(app.filename), [])
    await tab("Yes, do it")
    await page.keyboard.press("Enter")
    await page.waitForURL(/page=audit/)
    assert.include(await read(page.getByRole("status")), 'customer.move: done: It belonged to user "ada";')
    assert.strictEqual((await app.billing.access("ada")).entitlement, "denied")
    assert.strictEqual((await app.billing.access("eve")).entitlement, "granted")

    // Again, and back again, does nothing twice.
    await page.reload()
    await page.goBack()
    await page.goForward()
    const kept = actionsIn(app.filename) as ReadonlyArray<{ readonly who: string; readonly action: string }>
    assert.deepStrictEqual(
      kept.map(({ action, who }) => [who, action]),
      [["Lin of support", "customer.move"]]
    )
  })

  test("what the app never took is told again from the page that lists it", { timeout: 180_000 }, async () => {
    const page = await visit()
    const { tab } = keyboard(page)
    await page.goto(`${app.url}?page=notifications`)
    assert.include(await read(page.getByRole("main")), "the mail server is down")
    await tab(/^Tell it again/)
    await page.keyboard.press("Enter")
    await page.waitForURL(/page=confirm/)
    await tab("Yes, do it")
    await page.keyboard.press("Enter")
    await page.getByRole("status").waitFor()
    await app.billing.settled()
    await page.goto(`${app.url}?page=notifications`)
    assert.include(await read(page.getByRole("main")), "Nothing was given up.")
  })

  test("a page keeps itself current: focus, scroll and what is selected stay, and it stops when told to", {
    timeout: 180_000
  }, async () => {
    const page = await visit({ viewport: { width: 1200, height: 300 } })
    await page.goto(`${app.url}?page=notifications`)
    const rows = page.getByRole("table", { name: "Notifications that were given up" }).locator("tbody tr")
    const live = page.locator("#live")
    assert.include(await read(live), "This page keeps itself current.")
    assert.strictEqual(await rows.count(), 1)
    await rows
      .first()
      .getByRole("link", { name: /^Put it aside/ })
      .focus()
    await page.evaluate("document.activeElement.isTheSame = true; scrollTo(0, 120)")
    const { id } = (await app.billing.notifications.dead())[0] ?? { id: "" }
    await app.failFor("eve")
    await rows.nth(1).waitFor()
    assert.strictEqual(await page.evaluate("document.activeElement.isTheSame"), true)
    assert.strictEqual(await page.evaluate("scrollY"), 120)
    assert.include(await page.evaluate("getComputedStyle(document.querySelector('.fresh')).animationName"), "fresh")
    await page.emulateMedia({ reducedMotion: "reduce" })
    assert.strictEqual(await page.evaluate("getComputedStyle(document.querySelector('.fresh')).animationName"), "none")

    // While somebody selects, nothing moves.
    await page.evaluate("getSelection().selectAllChildren(document.querySelector('tbody tr td code'))")
    await app.failFor("mia")
    await page.waitForTimeout(7000)
    assert.strictEqual(await rows.count(), 2)
    assert.strictEqual(await page.evaluate("String(getSelection())"), "onSubscriptionChange")
    await page.evaluate("getSelection().removeAllRanges()")
    await rows.nth(2).waitFor()

    // What is dealt with goes, and the others stay where they are.
    await app.billing.notifications.bury({ ids: [id] })
    await rows.nth(2).waitFor({ state: "detached" })
    assert.strictEqual(await rows.count(), 2)
    assert.strictEqual(await page.evaluate("document.activeElement.id"), "main")

    await page.getByRole("button", { name: "Pause" }).press("Enter")
    assert.match(await read(live), /^This page is as it was at \d\d:\d\d:\d\d UTC\. Go on$/)
    await app.failFor("zoe")
    await page.waitForTimeout(7000)
    assert.strictEqual(await rows.count(), 2)
    await page.getByRole("button", { name: "Go on" }).press("Enter")
    await rows.nth(2).waitFor()
    assert.include(await read(live), "This page keeps itself current.")

    await app.stop()
    await page.getByRole("button", { name: "Try again" }).waitFor()
    assert.match(await read(live), /^This page could not be updated, and is as it was at /)
  })

  test("without scripts a page says nothing of them, and is as good", { timeout: 60_000 }, async () => {
    const page = await visit({ javaScriptEnabled: false })
    await page.goto(`${app.url}?page=notifications`)
    assert.strictEqual(await page.locator("#live").isVisible(), false)
    assert.include(await read(page.getByRole("main")), "the mail server is down")
  })

  test("a form that another site sends does nothing", { timeout: 180_000 }, async () => {
    const page = await visit()
    await page.goto(`${app.url}?page=people`)
    const token = await page.locator('input[name="token"]').inputValue()
    const [customer] = (await app.billing.customers.of("ada")).customers
    const evil = createServer((_request, response) => {
      response.setHeader("content-type", "text/html")
      response.end(`<form method="post" action="${app.url}?page=act">
<input name="do" value="customer.unlink"><input name="id" value="${customer?.customerId}">
<input name="token" value="${token}"><button>Win</button></form>
<iframe src="${app.url}" width="500" height="300"></iframe>`)
    })
    await new Promise<void>((resolve) => evil.listen(0, "127.0.0.1", resolve))
    try {
      // Another name is another site.
      await page.goto(`http://localhost:${(evil.address() as AddressInfo).port}/`)
      const framed = page.frames()[1]
      await page.waitForTimeout(500)
      assert.notInclude((await framed?.content()) ?? "", "What needs somebody")
      await page.getByRole("button", { name: "Win" }).click()
      await page.getByRole("heading", { name: "Nothing was done" }).waitFor()
    } finally {
      evil.closeAllConnections()
      evil.close()
    }
    assert.deepStrictEqual(actionsIn(app.filename), [])
    assert.lengthOf((await app.billing.customers.of("ada")).customers, 1)
  })

  test("nobody is let in without a word of the app", { timeout: 180_000 }, async () => {
    const refusing = await startApp({ authorize: () => false })
    try {
      const page = await visit()
      const response = await page.goto(`${refusing.url}?page=person&id=ada`)
      assert.strictEqual(response?.status(), 403)
      assert.include(await read(page.getByRole("main")), "You may not do this")
      assert.notInclude(await page.content(), "ada")
    } finally {
      await refusing.close()
    }
  })

  const looks = [
    { name: "light", options: { colorScheme: "light", viewport: { width: 1200, height: 800 } } },
    { name: "dark", options: { colorScheme: "dark", viewport: { width: 1200, height: 800 } } },
    { name: "phone", options: { colorScheme: "light", viewport: { width: 390, height: 844 } } },
    { name: "phone-dark", options: { colorScheme: "dark", viewport: { width: 390, height: 844 } } }
  ] as const

  for (const { name, options } of looks) {
    test(`${name}: every page can be read, and nothing is cut at the edge`, { timeout: 300_000 }, async () => {
      const page = await visit(options)
      // The policy lets no script in but the console's own, also not the one that looks for faults.
      const looking = await visit({ ...options, bypassCSP: true })
      const problems: Array<string> = []
      const [customer] = (await app.billing.customers.of("ada")).customers
      const [delivery] = (() => {
        const database = new Database(app.filename, { readonly: true })
        try {
          return database.prepare("SELECT id FROM kavach_polar_deliveries WHERE type = 'order.paid'").pluck().all()
        } finally {
          database.close()
        }
      })()
      const stations: Readonly<Record<string, string>> = {
        overview: "",
        deliveries: "?page=deliveries",
        "deliveries-none": "?page=deliveries&state=failed",
        delivery: `?page=delivery&id=${delivery}`,
        notifications: "?page=notifications",
        jobs: "?page=jobs",
        people: "?page=people",
        person: "?page=person&id=ada",
        "person-polar": "?page=person&id=ada&polar=1",
        "person-unknown": "?page=person&id=nobody",
        confirm: `?page=confirm&do=customer.move&id=${customer?.customerId}&user=eve`,
        "confirm-refused": "?page=confirm&do=customer.unlink&id=6b1f3c52-8f0a-4a5e-8d1b-7c9e2f4a1042",
        audit: "?page=audit",
        settings: "?page=settings",
        "settings-checked": "?page=settings&check=1",
        "no-such-page": "?page=nowhere"
      }
      // So that the trail has something.
      await app.billing.reconcileAll()
      await page.goto(`${app.url}?page=confirm&do=user.reconcile&user=ada`)
      await page.getByRole("button", { name: "Yes, do it" }).click()
      await page.getByRole("status").waitFor()
      for (const [station, query] of Object.entries(stations)) {
        await page.goto(`${app.url}${query}`)
        if (screenshots !== undefined) {
          await page.screenshot({ path: join(screenshots, `console-${station}-${name}.png`), fullPage: true })
        }
        for (const problem of await cutAtEdge(page)) problems.push(`${station}: ${problem}`)
        await looking.goto(`${app.url}${query}`)
        await looking.evaluate(axeSource)
        const { passes, violations }: AxeResults = await looking.evaluate("axe.run()")
        assert.isNotEmpty(passes)
        for (const { id, impact, nodes } of violations) {
          if (impact !== "serious" && impact !== "critical") continue
          for (const { failureSummary, html } of nodes) problems.push(`${station}: ${id}: ${html}: ${failureSummary}`)
        }
      }
      assert.deepStrictEqual(problems, [])
    })
  }
})

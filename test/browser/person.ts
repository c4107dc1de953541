/** A person at a browser, and the shop and the simulator that they visit. */

import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe } from "vitest"
import { type Started, start } from "../../examples/shop/src/start.ts"
import { temporaryFolder } from "../e2e/serverProcess.ts"
import { chromiumFlags, chromiumPath } from "./chromium.ts"

/** A shop of one's own, on a simulator of one's own. */
export interface Visited {
  readonly shop: string
  readonly simulator: NonNullable<Started["simulator"]>
  readonly page: Page
}

export type Visiting = (options?: BrowserContextOptions) => Promise<Visited>

/** Tests with a browser; skipped where there is none, which `globalSetup` tells. */
export const inBrowser = (name: string, tests: (visit: Visiting) => void): void => {
  describe.skipIf(chromiumPath === undefined)(name, () => {
    let browser: Browser
    const cleanups: Array<() => Promise<unknown> | unknown> = []

    beforeAll(async () => {
      browser = await chromium.launch({ executablePath: chromiumPath ?? "", args: chromiumFlags })
    })

    afterAll(async () => {
      for (const cleanup of cleanups.reverse()) await cleanup()
      await browser?.close()
    })

    tests(async (options = {}) => {
      const { path, remove } = temporaryFolder()
      cleanups.push(remove)
      const started = await start({ env: {}, data: path, port: 0, simulatorPort: 0 })
      cleanups.push(started.close)
      const { simulator, url } = started
      assert(simulator !== undefined)
      const context = await browser.newContext(options)
      cleanups.push(() => context.close())
      const page = await context.newPage()
      page.setDefaultTimeout(15_000)
      page.on("pageerror", (error) => assert.fail(`a script of ${page.url()} failed: ${error.message}`))
      return { shop: url, simulator, page }
    })
  })
}

export const signIn = async ({ page, shop }: Visited, name = "Ada Martin"): Promise<void> => {
  await page.goto(`${shop}/sign-in`)
  await page.getByRole("button", { name: `Sign in as ${name}` }).click()
  await page.getByRole("button", { name: "Sign out" }).waitFor()
}

/** From the plans to the checkout page of the simulator. */
export const openCheckout = async ({ page, shop, simulator }: Visited, plan = "Pro (monthly)"): Promise<void> => {
  await page.goto(shop)
  await page.getByRole("button", { name: `Subscribe to ${plan}` }).click()
  await page.waitForURL(`${simulator.url}/checkout/**`)
}

export const pay = async ({ page, shop }: Visited): Promise<void> => {
  await page.getByRole("button", { name: /^Pay \$|^Start the trial/ }).click()
  await page.waitForURL(`${shop}/welcome**`)
  await page.getByRole("heading", { name: /^Welcome/ }).waitFor()
}

export const subscribe = async (visited: Visited, plan?: string): Promise<void> => {
  await openCheckout(visited, plan)
  await pay(visited)
}

/** Presses a button of the console. */
export const inConsole = async ({ page, simulator }: Visited, button: string | RegExp): Promise<void> => {
  await page.goto(simulator.url)
  await page.getByRole("button", { name: button }).first().click()
  await page.getByRole("status").waitFor()
}

/** What a part of a page says, as a person reads it. */
// biome-ignore lint/performance/useDomNodeTextContent: text that is hidden is not read
export const read = (part: Locator): Promise<string> => part.innerText()

/** What a page of the shop says. */
export const readPage = async ({ page, shop }: Visited, path: string): Promise<string> => {
  await page.goto(`${shop}${path}`)
  return read(page.getByRole("main"))
}

/** What the shop says has become of the subscriptions of whoever is signed in, the oldest first. */
export const activityOf = async ({ page, shop }: Visited): Promise<ReadonlyArray<string>> => {
  await page.goto(`${shop}/activity`)
  return (await page.locator("#activity li > strong").allInnerTexts()).reverse()
}

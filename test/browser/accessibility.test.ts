/** Every page in every state that looks different, light and dark, wide and narrow: axe finds nothing serious. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import type { AxeResults } from "axe-core"
import { assert, test } from "vitest"
import { cutAtEdge } from "./cutAtEdge.ts"
import { inBrowser, inConsole, openCheckout, signIn, type Visited } from "./person.ts"

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

// To look at the pages: SCREENSHOTS=<folder> npx vitest run --project browser accessibility
const screenshots = process.env["SCREENSHOTS"]

const problemsOf = async ({ page }: Visited): Promise<ReadonlyArray<string>> => {
  await page.evaluate(axeSource)
  const results: AxeResults = await page.evaluate("axe.run()")
  assert.isNotEmpty(results.passes)
  return results.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ failureSummary, html }) => `${id}: ${html}: ${failureSummary}`))
}

/** Looks at each page on the way from nothing to the end of a subscription. */
const walk = async (visited: Visited, look: (name: string) => Promise<void>): Promise<void> => {
  const { page, shop, simulator } = visited
  const at = async (name: string, url: string) => {
    await page.goto(url)
    await look(name)
  }
  await at("plans-stranger", shop)
  await at("sign-in", `${shop}/sign-in`)
  await at("console-empty", simulator.url)
  await at("checkout-unknown", `${simulator.url}/checkout/polar_c_nobody`)
  await at("portal-closed", `${simulator.url}/simulator/portal?customer_session_token=nobody`)

  await signIn(visited)
  await at("plans", shop)
  await at("account-empty", `${shop}/account`)
  await at("archive-refused", `${shop}/archive`)
  await at("activity-empty", `${shop}/activity`)
  await at("no-such-page", `${shop}/nowhere`)
  await at("welcome-nothing", `${shop}/welcome`)
  const [team] = await simulator.read(({ tables }) =>
    Array.from(tables.products).flatMap(([id, { name }]) => (name === "Team (yearly)" ? [id] : []))
  )
  await at("choose-first", `${shop}/choose?product=${team}`)

  await openCheckout(visited)
  await look("checkout")
  const checkout = page.url()
  const [open] = await simulator.read(({ tables }) => Array.from(tables.checkouts).map(([id]) => id))
  await at("welcome-open", `${shop}/welcome?checkout=${open}`)
  await page.goto(checkout)
  await page.getByRole("button", { name: "Pay with a card that is declined" }).click()
  await page.getByRole("alert").waitFor()
  await look("checkout-declined")
  await page.getByRole("button", { name: /^Pay \$/ }).click()
  await page.getByRole("heading", { name: /^Welcome/ }).waitFor()
  await look("welcome")
  await at("checkout-paid", checkout)
  await at("plans-subscribed", shop)
  await at("account", `${shop}/account`)
  await at("choose-upgrade", `${shop}/choose?product=${team}`)
  await at("console-filtered", `${simulator.url}/?events=subscription#deliveries`)
  await page.getByRole("checkbox", { name: /^Deliver twice/ }).check()
  await page.getByText("Not applied yet").waitFor()
  await look("console-not-applied")
  await at("cancel", `${shop}/account/cancel`)
  await at("pause", `${shop}/account/pause`)
  await at("archive", `${shop}/archive`)
  await at("activity", `${shop}/activity`)
  await page.goto(`${shop}/account`)
  await page.getByRole("button", { name: "Open the customer portal" }).click()
  await page.getByRole("button", { name: "Cancel the subscription" }).waitFor()
  await look("portal")
  await page.getByRole("button", { name: "Cancel the subscription" }).click()
  await page.getByRole("button", { name: "Keep the subscription" }).waitFor()
  await look("portal-canceled")
  await simulator.flush()
  await at("account-canceled", `${shop}/account`)
  await at("choose-canceled", `${shop}/choose?product=${team}`)
  await page.getByRole("button", { name: "Keep my subscription" }).click()
  await page.getByRole("button", { name: /^Upgrade and pay/ }).waitFor()
  await inConsole(visited, "Fail the next payment")
  await look("console")
  await inConsole(visited, "Advance to the next renewal")
  await look("console-overdue")
  await at("account-overdue", `${shop}/account`)
  await at("archive-grace", `${shop}/archive`)
  await at("activity-long", `${shop}/activity`)
  await page.getByRole("button", { name: "Check with Polar" }).click()
  await page.getByRole("status").waitFor()
  await look("activity-checked")
  await inConsole(visited, "Advance to the next attempt")
  await inConsole(visited, "Pause")
  await at("account-pausing", `${shop}/account`)
  await inConsole(visited, "Advance to the pause")
  await at("account-paused", `${shop}/account`)
  await page.goto(simulator.url)
  await page.getByRole("button", { name: "Revoke now" }).click()
  await page.getByRole("status").waitFor()
  await look("console-ended")
  await at("account-ended", `${shop}/account`)

  await openCheckout(visited, "Team (yearly)")
  await page.getByRole("button", { name: /^Pay \$/ }).click()
  await page.getByRole("heading", { name: /^Welcome/ }).waitFor()
  await page.goto(shop)
  await page.getByRole("link", { name: "Switch to Pro (monthly)" }).click()
  await page.getByRole("button", { name: /^Switch on / }).waitFor()
  await look("choose-less")
  await page.getByRole("button", { name: /^Switch on / }).click()
  await page.getByRole("button", { name: "Keep Team (yearly)" }).waitFor()
  await look("account-scheduled")
  await inConsole(visited, "Revoke now")

  await openCheckout(visited)
  const abandoned = page.url()
  await inConsole(visited, "Let it expire")
  await at("checkout-expired", abandoned)
}

const looks = [
  { name: "light", options: { colorScheme: "light", viewport: { width: 1100, height: 800 } } },
  { name: "dark", options: { colorScheme: "dark", viewport: { width: 1100, height: 800 } } },
  { name: "phone", options: { colorScheme: "light", viewport: { width: 390, height: 844 } } },
  { name: "phone-dark", options: { colorScheme: "dark", viewport: { width: 390, height: 844 } } }
] as const

inBrowser("every page", (visit) => {
  for (const { name, options } of looks) {
    test(`${name}: nothing serious or critical, and nothing is cut at the edge`, { timeout: 240_000 }, async () => {
      const visited = await visit(options)
      const problems: Array<string> = []
      await walk(visited, async (station) => {
        const { page } = visited
        if (screenshots !== undefined) {
          await page.screenshot({ path: join(screenshots, `${station}-${name}.png`), fullPage: true })
        }
        for (const problem of await problemsOf(visited)) problems.push(`${station}: ${problem}`)
        for (const problem of await cutAtEdge(page)) problems.push(`${station}: ${problem}`)
      })
      assert.deepStrictEqual(problems, [])
    })
  }
})

/** The purchase by somebody who uses no mouse. */
import { assert, test } from "vitest"
import { inBrowser, read, type Visited } from "./person.ts"

/** Presses Tab until something of this name has the focus, and sees that the focus can be seen. */
const tabTo = async ({ page }: Visited, name: string): Promise<void> => {
  for (let presses = 0; presses < 30; presses++) {
    await page.keyboard.press("Tab")
    const focused = page.locator(":focus")
    const label = (await focused.getAttribute("aria-label")) ?? (await read(focused))
    if (label !== name) continue
    const outline = await page.evaluate("getComputedStyle(document.activeElement).outline")
    assert.match(String(outline), /\b3px\b/, `the focus ring of "${name}"`)
    assert.match(String(outline), /\bsolid\b/)
    return
  }
  assert.fail(`"${name}" cannot be reached with the Tab key`)
}

inBrowser("with the keyboard only", (visit) => {
  test("signs in, subscribes, pays and reads", async () => {
    const visited = await visit()
    const { page, shop, simulator } = visited
    await page.goto(`${shop}/sign-in`)
    // The first stop leads past the navigation.
    await page.keyboard.press("Tab")
    assert.strictEqual(await read(page.locator(":focus")), "Skip to the content")
    await page.keyboard.press("Enter")
    await tabTo(visited, "Sign in as Ada Martin")
    await page.keyboard.press("Enter")
    await page.waitForURL(`${shop}/`)
    await tabTo(visited, "Subscribe to Pro (monthly)")
    await page.keyboard.press("Enter")
    await page.waitForURL(`${simulator.url}/checkout/**`)
    await tabTo(visited, "Pay $19")
    await page.keyboard.press("Space")
    await page.waitForURL(`${shop}/welcome**`)
    await page.getByRole("heading", { name: /^Welcome/ }).waitFor()
    await tabTo(visited, "Read the archive")
    await page.keyboard.press("Enter")
    await page.waitForURL(`${shop}/archive`)
    assert.include(await read(page.getByRole("main")), "On tides")
  })
})

/** The purchase by somebody who uses no mouse. */
import { assert, test } from "vitest"
import { inBrowser, read } from "./person.ts"
import { tabTo } from "./tabTo.ts"

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

  test("buys the handbook once, has its feature and its key, and loses both when the money goes back", async () => {
    const visited = await visit()
    const { page, shop, simulator } = visited
    await page.goto(`${shop}/sign-in`)
    await tabTo(visited, "Sign in as Ada Martin")
    await page.keyboard.press("Enter")
    await page.waitForURL(`${shop}/`)
    await tabTo(visited, "Buy Field handbook")
    await page.keyboard.press("Enter")
    await page.waitForURL(`${simulator.url}/checkout/**`)
    await tabTo(visited, "Pay $39")
    await page.keyboard.press("Space")
    await page.waitForURL(`${shop}/welcome**`)
    await page.getByRole("heading", { name: /^Welcome/ }).waitFor()
    await tabTo(visited, "Your subscription")
    await page.keyboard.press("Enter")
    await page.waitForURL(`${shop}/account`)
    const key = /FIELD-[0-9A-F-]{36}/
    const account = await read(page.getByRole("main"))
    assert.include(account, "Offline maps")
    assert.include(account, "regions: 12")
    assert.match(account, key)

    await page.goto(simulator.url)
    await tabTo(visited, "Take benefits back")
    await page.keyboard.press("Space")
    await tabTo(visited, "Refund")
    await page.keyboard.press("Enter")
    await page.getByRole("status").waitFor()
    assert.include(await read(page.getByRole("status")), "The money went back")
    const refunds = await simulator.read(({ tables }) => Array.from(tables.refunds).map(([, refund]) => refund))
    assert.deepStrictEqual(
      refunds.map(({ revoke_benefits, status }) => [revoke_benefits, status]),
      [[true, "succeeded"]]
    )
    await simulator.flush()

    await page.goto(`${shop}/account`)
    const after = await read(page.getByRole("main"))
    assert.notInclude(after, "Offline maps")
    assert.notMatch(after, key)
    await page.goto(shop)
    await tabTo(visited, "Buy Field handbook")
  })
})

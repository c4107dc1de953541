/** The four steps of the README, done as they are written. */
import { assert, test } from "vitest"
import { steps } from "../../examples/shop/src/steps.ts"
import { activityOf, inBrowser, inConsole, openCheckout, read, readPage, signIn, type Visited } from "./person.ts"

/** The buttons and switches of the console that a step names are there. */
const named = (step: number, ...words: ReadonlyArray<string>): void => {
  for (const word of words) assert.include(steps[step - 1] ?? "", word)
}

const subscribeAndPay = async (visited: Visited): Promise<void> => {
  await openCheckout(visited)
  await visited.page.getByRole("button", { name: "Pay $19" }).click()
  await visited.page.getByRole("heading", { name: "Welcome, Ada Martin" }).waitFor({ timeout: 30_000 })
}

const upgrade = async ({ page, shop }: Visited): Promise<void> => {
  await page.goto(shop)
  await page.getByRole("link", { name: "Upgrade to Team (yearly)" }).click()
  assert.match(await read(page.getByRole("main")), /\$471(\.\d\d)? today/)
  await page.getByRole("button", { name: /^Upgrade and pay/ }).click()
  await page.waitForURL(`${shop}/account**`)
}

const cancel = async ({ page, shop }: Visited): Promise<string> => {
  await page.goto(`${shop}/account`)
  await page.getByRole("link", { name: "Cancel" }).click()
  await page.getByRole("button", { name: "Cancel my subscription" }).click()
  await page.waitForURL(`${shop}/account**`)
  return read(page.getByRole("main"))
}

inBrowser("the four steps", (visit) => {
  test("come true, one after the other", { timeout: 180_000 }, async () => {
    const visited = await visit()
    const { page, shop, simulator } = visited
    await page.goto(shop)
    await page.getByText("Four things to try").click()
    assert.deepStrictEqual(await page.locator("footer li").allInnerTexts(), [...steps])

    await signIn(visited)
    await subscribeAndPay(visited)
    named(1, "upgrade to Team (yearly)")
    await upgrade(visited)

    named(2, "Cancel", "Advance to the end")
    assert.include(await cancel(visited), "Your access ends on")
    await inConsole(visited, "Advance to the end")
    assert.include(await readPage(visited, "/account"), "You have no subscription")

    named(3, "Fail the next payment", "Advance to the next renewal")
    await subscribeAndPay(visited)
    await inConsole(visited, "Fail the next payment")
    await inConsole(visited, "Advance to the next renewal")
    assert.include(await readPage(visited, "/account"), "Access for now")

    named(4, "Revoke now", "Deliver twice", "Deliver late", "Out of order", "Apply")
    await inConsole(visited, "Revoke now")
    const before = (await activityOf(visited)).length
    await page.goto(simulator.url)
    for (const name of ["Deliver twice", "Deliver late", "Out of order"]) {
      await page.getByRole("checkbox", { name: new RegExp(`^${name}`) }).check()
    }
    await page.getByRole("button", { name: "Apply" }).click()
    await page.getByRole("status").waitFor()
    await subscribeAndPay(visited)
    await upgrade(visited)
    assert.include(await cancel(visited), "Your access ends on")
    // Late by five seconds at most.
    await simulator.advance("1 minute")
    await simulator.flush()
    assert.include(await readPage(visited, "/account"), "Your access ends on")
    assert.deepStrictEqual((await activityOf(visited)).slice(before), [
      "Began",
      "Changed from Pro (monthly) to Team (yearly)",
      "Canceled"
    ])
  })
})

/** The same shop while deliveries come twice, late, in the wrong order, get lost and are altered. */
import { assert, test } from "vitest"
import { inBrowser, inConsole, openCheckout, readPage, signIn, type Visited } from "./person.ts"

/** Lets time pass until nothing is due any more, however late, and however often it must be sent again. */
const settled = async ({ simulator }: Visited): Promise<void> => {
  for (let minute = 0; minute < 60; minute++) {
    await simulator.flush()
    const waiting = await simulator.read(({ tables }) =>
      Array.from(tables.events).filter(([, { due_at }]) => due_at !== null)
    )
    if (waiting.length === 0) return
    await simulator.advance("1 minute")
  }
  assert.fail("deliveries were still waiting after an hour")
}

const eventually = async (visited: Visited, path: string, ...words: ReadonlyArray<string>): Promise<void> => {
  await settled(visited)
  const text = await readPage(visited, path)
  for (const word of words) assert.include(text, word)
}

inBrowser("chaos", (visit) => {
  test("the page ends in the right state, whatever happens on the way", { timeout: 240_000 }, async () => {
    const visited = await visit()
    const { page, simulator } = visited
    await page.goto(simulator.url)
    for (const name of ["Deliver twice", "Deliver late", "Out of order", "Lose some", "Alter some"]) {
      await page.getByRole("checkbox", { name: new RegExp(`^${name}`) }).check()
    }
    await page.getByRole("button", { name: "Apply" }).click()
    await page.getByRole("status").waitFor()
    assert.isTrue(await page.getByRole("checkbox", { name: /^Out of order/ }).isChecked())

    await signIn(visited)
    await openCheckout(visited)
    await page.getByRole("button", { name: /^Pay \$/ }).click()
    // Back in the shop, or on Polar's own page when the shop's answer took too long.
    await page.waitForURL(/\/welcome|\/confirmation/, { timeout: 30_000 })
    await eventually(visited, "/account", "Active", "It renews on")

    await inConsole(visited, "Cancel")
    await inConsole(visited, "Un-cancel")
    await inConsole(visited, "Fail the next payment")
    await inConsole(visited, "Advance to the next renewal")
    await eventually(visited, "/account", "Payment overdue", "Access for now")
    await inConsole(visited, "Advance to the next attempt")
    await eventually(visited, "/account", "Active", "It renews on")
    await inConsole(visited, "Cancel")
    await inConsole(visited, "Advance to the end")
    await eventually(visited, "/account", "You have no subscription", "Ended")

    // The switches did something.
    const attempts = await simulator.read(({ tables }) => Array.from(tables.deliveries).map(([, delivery]) => delivery))
    assert.isTrue(attempts.some(({ succeeded }) => !succeeded))
    assert.isTrue(attempts.every(({ http_code }) => http_code === 200 || http_code === 403 || http_code === null))
  })
})

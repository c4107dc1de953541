/** The same shop while deliveries come twice, late, in the wrong order, get lost and are altered. */
import { assert, test } from "vitest"
import { activityOf, inBrowser, inConsole, openCheckout, read, readPage, signIn, type Visited } from "./person.ts"

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

  test("whoever changes, leaves, comes back and pauses has each change once", { timeout: 240_000 }, async () => {
    const visited = await visit()
    const { page, shop, simulator } = visited
    await simulator.setChaos({ duplicates: 1, delays: 0.5, longestDelay: 5000, reorder: 0.5 })
    await signIn(visited)
    await openCheckout(visited)
    await page.getByRole("button", { name: "Pay $19" }).click()
    await page.getByRole("heading", { name: /^Welcome/ }).waitFor({ timeout: 30_000 })

    /** Presses what changes the subscription, and reads the answer: it waits for no webhook. */
    const press = async (name: string | RegExp, done: string): Promise<string> => {
      await page.getByRole("button", { name }).click()
      await page.waitForURL(`${shop}/account?done=${done}`)
      return read(page.getByRole("main"))
    }
    await page.goto(shop)
    await page.getByRole("link", { name: "Upgrade to Team (yearly)" }).click()
    assert.include(await press(/^Upgrade and pay \$471/, "changed"), "Team (yearly)")
    await page.getByRole("link", { name: "Cancel" }).click()
    assert.include(await press("Cancel my subscription", "canceled"), "Your access ends on")
    assert.include(await press("Keep my subscription", "kept"), "It renews on")
    await page.getByRole("link", { name: "Pause" }).click()
    assert.include(await press("Pause my subscription", "paused"), "It pauses on")
    await eventually(visited, "/account", "Team (yearly)", "It pauses on")
    await inConsole(visited, "Advance to the pause")
    await eventually(visited, "/account", "It is paused", "No access")
    assert.include(await press("Resume", "resumed"), "It renews on")
    await eventually(visited, "/account", "Team (yearly)", "It renews on", "Read every note")

    const sent = await simulator.read(({ tables }) => Array.from(tables.deliveries).length)
    assert.isAbove(sent, 20)
    assert.deepStrictEqual(await activityOf(visited), [
      "Began",
      "Changed from Pro (monthly) to Team (yearly)",
      "Canceled",
      "Kept after all",
      "Paused",
      "Resumed"
    ])
  })
})

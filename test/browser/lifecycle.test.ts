/** From plan to plan, to the end and back, with the keyboard only. */
import { assert, test } from "vitest"
import { activityOf, inBrowser, read, readPage, type Visited } from "./person.ts"
import { tabTo } from "./tabTo.ts"

/** Goes to something by its name, and presses Enter. */
const press = async (visited: Visited, name: string | RegExp): Promise<void> => {
  await tabTo(visited, name)
  await visited.page.keyboard.press("Enter")
}

/** Presses what leads to another page, and reads that one. */
const go = async (visited: Visited, name: string | RegExp, path: string): Promise<string> => {
  await press(visited, name)
  await visited.page.waitForURL(`${visited.shop}${path}`)
  return read(visited.page.getByRole("main"))
}

const signIn = async (visited: Visited): Promise<void> => {
  await visited.page.goto(`${visited.shop}/sign-in`)
  await go(visited, "Sign in as Ada Martin", "/")
}

/** At the simulator's checkout. */
const pay = async (visited: Visited, name: string): Promise<string> => {
  const { page, simulator } = visited
  await page.waitForURL(`${simulator.url}/checkout/**`)
  const main = await go(visited, name, "/welcome**")
  assert.include(main, "Welcome, Ada Martin")
  return main
}

const onlySubscription = async ({ simulator }: Visited) => {
  const all = await simulator.read(({ tables }) => Array.from(tables.subscriptions).map(([, one]) => one))
  assert.strictEqual(all.length, 1)
  return all[0] ?? assert.fail("no subscription")
}

inBrowser("with the keyboard only", (visit) => {
  test("upgrades when it is clear what that costs, cancels, stays, pauses and resumes", async () => {
    const visited = await visit({ locale: "en-US" })
    const { page, shop, simulator } = visited
    await signIn(visited)
    await press(visited, "Subscribe to Pro (monthly)")
    assert.include(await pay(visited, "Pay $19"), "We have received $19. Pro (monthly) is yours.")

    await page.goto(shop)
    const cost = await go(visited, "Upgrade to Team (yearly)", "/choose**")
    assert.match(cost, /\$471(\.\d\d)? today/)
    assert.match(cost, /Remaining time on Pro \(monthly\)[^\n]*\s-\$19/)
    assert.match(cost, /You pay \$490 a year, next on \d+ \w+ 20\d\d\./)
    const changed = await go(visited, /^Upgrade and pay \$471/, "/account**")
    assert.include(changed, "Done: your plan is changed.")
    assert.include(changed, "Team (yearly)")
    assert.match(changed, /It renews on [^,]+, for \$490 a year\./)

    const asked = await go(visited, "Cancel", "/account/cancel")
    assert.match(asked, /Your access lasts until \d+ \w+ 20\d\d, and nothing more is charged\./)
    await tabTo(visited, "It is too expensive")
    await page.keyboard.press("Space")
    await page.keyboard.press("ArrowDown")
    await tabTo(visited, /^Anything to add/)
    await page.keyboard.type("No tides on Mars")
    const canceled = await go(visited, "Cancel my subscription", "/account?done=canceled")
    assert.match(canceled, /Your access ends on \d+ \w+ 20\d\d, and nothing more is charged\./)
    const told = await onlySubscription(visited)
    assert.strictEqual(told.customer_cancellation_reason, "missing_features")
    assert.strictEqual(told.customer_cancellation_comment, "No tides on Mars")
    assert.include(await go(visited, "Keep my subscription", "/account?done=kept"), "It renews on")

    await go(visited, "Pause", "/account/pause")
    await tabTo(visited, /^Go on by itself on/)
    await page.keyboard.type("02012028")
    assert.include(await go(visited, "Pause my subscription", "/account?done=paused"), "goes on from 1 February 2028")
    assert.include(await go(visited, "Do not pause", "/account?done=resumed"), "It renews on")
    await go(visited, "Pause", "/account/pause")
    assert.include(await go(visited, "Pause my subscription", "/account?done=paused"), "until you resume it")
    await simulator.advance("366 days")
    const paused = await readPage(visited, "/account")
    assert.include(paused, "It is paused, and nothing is charged.")
    assert.include(paused, "No access")
    const resumed = await go(visited, "Resume", "/account?done=resumed")
    assert.include(resumed, "It renews on")
    assert.include(resumed, "Read every note, whenever you like.")

    assert.deepStrictEqual(await activityOf(visited), [
      "Began",
      "Changed from Pro (monthly) to Team (yearly)",
      "Canceled",
      "Kept after all",
      "Paused",
      "Resumed"
    ])
  })

  test("is free at first, and pays for the same subscription later", async () => {
    const visited = await visit()
    const { page, shop } = visited
    await signIn(visited)
    await press(visited, "Subscribe to Free")
    assert.include(await pay(visited, "Subscribe for free"), "Nothing was charged. Free is yours.")
    const { id } = await onlySubscription(visited)
    const archive = await page.goto(`${shop}/archive`)
    assert.strictEqual(archive?.status(), 403)
    assert.include(await read(page.getByRole("main")), "Free does not include the archive.")

    await page.goto(shop)
    assert.include(await go(visited, "Upgrade to Pro (monthly)", "/choose**"), "It takes the place of Free")
    await press(visited, "Go to the checkout")
    assert.include(await pay(visited, "Pay $19"), "We have received $19. Pro (monthly) is yours.")
    assert.strictEqual((await onlySubscription(visited)).id, id)
    assert.strictEqual((await page.goto(`${shop}/archive`))?.status(), 200)
    assert.deepStrictEqual(await activityOf(visited), ["Began", "Changed from Free to Pro (monthly)"])
  })

  test("signs in on the way to a plan, and is at that plan then", async () => {
    const visited = await visit()
    const { page, shop } = visited
    await page.goto(shop)
    await go(visited, "Sign in to subscribe: Team (yearly)", "/sign-in**")
    const chosen = await go(visited, "Sign in as Ada Martin", "/choose**")
    assert.include(chosen, "Subscribe to Team (yearly)")
    assert.include(chosen, "$490 a year")
    await press(visited, "Go to the checkout")
    await pay(visited, "Pay $490")
  })
})

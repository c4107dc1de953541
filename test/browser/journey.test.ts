/** What a person does in the demo shop, from the plans to the end of a subscription. */
import { assert, test } from "vitest"
import { inBrowser, inConsole, openCheckout, pay, read, readPage, signIn, subscribe } from "./person.ts"

const dayFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" })

/** `2 January 2027`. */
const dateAfter = (start: Date, days: number): string =>
  dayFormat.format(new Date(start.getTime() + days * 24 * 3600_000))

inBrowser("a person in the shop", (visit) => {
  test("signs in, subscribes, pays, and may read the archive", async () => {
    const visited = await visit()
    const { page, shop } = visited
    assert.include(await readPage(visited, "/"), "Sign in to subscribe")
    await signIn(visited)
    assert.include(await readPage(visited, "/account"), "You have no subscription")
    const before = await page.goto(`${shop}/archive`)
    assert.strictEqual(before?.status(), 403)
    assert.include(await read(page.getByRole("main")), "The archive is for subscribers")

    await openCheckout(visited)
    assert.include(await read(page.getByRole("main")), "$19 a month")
    assert.strictEqual(await page.getByLabel("E-mail").inputValue(), "ada.martin@acme-mail.dev")
    await pay(visited)
    // The key to the portal that Polar adds does not stay in the address.
    assert.match(page.url(), /\/welcome\?checkout=[0-9a-f-]{36}$/)

    const archive = await page.goto(`${shop}/archive`)
    assert.strictEqual(archive?.status(), 200)
    assert.include(await read(page.getByRole("main")), "On tides")
    const account = await readPage(visited, "/account")
    assert.include(account, "Active")
    assert.include(account, "It renews on")
    assert.include(await readPage(visited, "/activity"), "Began")

    // Nobody else has it.
    await page.getByRole("button", { name: "Sign out" }).click()
    await signIn(visited, "Lin Osei")
    assert.strictEqual((await page.goto(`${shop}/archive`))?.status(), 403)
    assert.include(await readPage(visited, "/activity"), "Nothing has happened yet.")
  })

  test("is declined once, is told so, and pays with another card", async () => {
    const visited = await visit()
    const { page } = visited
    await signIn(visited)
    await openCheckout(visited)
    await page.getByRole("button", { name: "Pay with a card that is declined" }).click()
    assert.include(await read(page.getByRole("alert")), "declined, and nothing was charged")
    await pay(visited)
    assert.include(await readPage(visited, "/account"), "Active")
  })

  test("goes back from a checkout, and has bought nothing", async () => {
    const visited = await visit()
    const { page, shop } = visited
    await signIn(visited)
    await openCheckout(visited)
    await page.getByRole("link", { name: "Cancel and go back to the shop" }).click()
    await page.waitForURL(`${shop}/`)
    assert.include(await readPage(visited, "/account"), "You have no subscription")
  })

  test("cancels in the portal, keeps it, cancels again, and loses it when the period is over", async () => {
    const visited = await visit()
    const { page, shop, simulator } = visited
    await signIn(visited)
    await subscribe(visited)

    const toPortal = async () => {
      await page.goto(`${shop}/account`)
      await page.getByRole("button", { name: "Open the customer portal" }).click()
      await page.waitForURL(`${simulator.url}/simulator/portal**`)
    }
    await toPortal()
    await page.getByRole("button", { name: "Cancel the subscription" }).click()
    await page.getByRole("button", { name: "Keep the subscription" }).click()
    await page.getByRole("button", { name: "Cancel the subscription" }).click()
    await page.getByRole("button", { name: "Keep the subscription" }).waitFor()
    await simulator.flush()
    await page.getByRole("link", { name: "Back to the shop" }).click()
    await page.waitForURL(`${shop}/account`)
    const canceled = await read(page.getByRole("main"))
    assert.include(canceled, "Cancellation scheduled")
    assert.include(canceled, "Your access ends on")
    assert.strictEqual((await page.goto(`${shop}/archive`))?.status(), 200)

    await inConsole(visited, "Advance to the end")
    assert.strictEqual((await page.goto(`${shop}/archive`))?.status(), 403)
    const gone = await readPage(visited, "/account")
    assert.include(gone, "You have no subscription")
    assert.include(gone, "Ended")
    assert.include(await read(page.getByRole("note")), "Simulated time")
  })

  test("a renewal is declined: there is grace, it runs out, and payments that go on failing end it", async () => {
    const visited = await visit()
    const { page, shop, simulator } = visited
    await signIn(visited)
    await subscribe(visited)
    await inConsole(visited, "Fail the next payment")
    await inConsole(visited, "Advance to the next renewal")
    const overdue = await readPage(visited, "/account")
    assert.include(overdue, "Payment overdue")
    assert.include(overdue, "Your last payment was declined: $19 is open.")
    assert.include(overdue, "Access for now")
    // The next attempt, the end of the grace period, and the last attempt.
    const declinedAt = await simulator.now()
    for (const days of [2, 7, 21]) assert.include(overdue, dateAfter(declinedAt, days))
    assert.strictEqual((await page.goto(`${shop}/archive`))?.status(), 200)
    assert.include(await read(page.getByRole("main")), "Your last payment was declined")

    // Paid in the portal, it goes on at once; the next renewal is declined again.
    await page.goto(`${shop}/account`)
    await page.getByRole("button", { name: "Pay now" }).click()
    await page.waitForURL(`${simulator.url}/simulator/portal**`)
    await page.getByRole("button", { name: "Pay $19 now" }).click()
    await page.getByRole("button", { name: "Pay $19 now" }).waitFor({ state: "detached" })
    await simulator.flush()
    assert.include(await readPage(visited, "/account"), "It renews on")
    await inConsole(visited, "Fail the next payment")
    await inConsole(visited, "Advance to the next renewal")

    for (let attempt = 1; attempt <= 3; attempt++) {
      await inConsole(visited, "Fail the next payment")
      await inConsole(visited, "Advance to the next attempt")
    }
    // Two, five and seven days later: more than the week of grace, and Polar still tries.
    assert.include(await readPage(visited, "/account"), "No access")
    assert.strictEqual((await page.goto(`${shop}/archive`))?.status(), 403)

    await inConsole(visited, "Fail the next payment")
    await inConsole(visited, "Advance to the next attempt")
    assert.include(await readPage(visited, "/account"), "You have no subscription")
  })

  test("the console that is open shows what happens by itself, and leads to the shop and back", async () => {
    const visited = await visit()
    const { page, shop, simulator } = visited
    await page.goto(simulator.url)
    await page.getByText("Nobody has come yet.").waitFor()
    const buyer = { shop, simulator, page: await page.context().newPage() }
    await signIn(buyer)
    await subscribe(buyer)
    await page.getByRole("button", { name: "Advance to the next renewal" }).waitFor()
    await page.getByRole("button", { name: "Revoke now" }).click()
    await page.getByRole("status").waitFor()
    // What is over is folded away.
    await page.getByText("One that has ended").click()
    await page.locator("#ended tbody tr").waitFor()
    assert.isTrue((await page.locator("#ended").getAttribute("open")) !== null)
    await page.getByRole("link", { name: "Demo shop" }).click()
    await page.waitForURL(`${shop}/`)
    await page.getByRole("link", { name: "simulator's console" }).click()
    await page.waitForURL(`${simulator.url}/`)
  })

  test("the console shows one kind of deliveries, says what is not applied, and that the simulator is gone", async () => {
    const visited = await visit()
    const { page, shop, simulator } = visited
    const buyer = { shop, simulator, page: await page.context().newPage() }
    await signIn(buyer)
    await subscribe(buyer)
    await page.goto(simulator.url)
    const causes = page.locator("#deliveries tr.group th")
    assert.match((await causes.allInnerTexts()).join("\n"), /^A new subscription /)
    await page.getByRole("link", { name: "order.*" }).click()
    await page.waitForURL(/\?events=order#deliveries$/)
    const types = () => page.locator("#deliveries tbody th code").allInnerTexts()
    const before = await types()
    assert.isTrue(before.length > 0 && before.every((type) => type.startsWith("order.")))
    // Still so when the table has kept itself current.
    await simulator.advance("40 days")
    await causes.filter({ hasText: "A renewal" }).waitFor()
    const after = await types()
    assert.isTrue(after.length > before.length && after.every((type) => type.startsWith("order.")))

    const twice = page.getByRole("checkbox", { name: /^Deliver twice/ })
    await twice.check()
    await page.getByText("Not applied yet").waitFor()
    await twice.uncheck()
    await page.getByText("Not applied yet").waitFor({ state: "detached" })
    // Applied by another: the form is as it is now.
    await simulator.setChaos({ duplicates: 1 })
    await page.locator("#chaos :checked").waitFor()
    assert.strictEqual(await page.getByText("Not applied yet").count(), 0)
    await page.route("**/*", (route) => route.abort())
    await page.getByText("The simulator does not answer.").waitFor()
    await page.unroute("**/*")
    await page.getByText("The simulator does not answer.").waitFor({ state: "detached" })
  })

  test("a page that is open hears of a change by itself", async () => {
    const visited = await visit()
    const { page, shop, simulator } = visited
    await signIn(visited)
    await subscribe(visited)
    await page.goto(`${shop}/account`)
    await page.getByText("It renews on").waitFor()
    // The time is moved, and nothing comes of it.
    await simulator.advance("3 days")
    await page.getByText("3 days ahead").waitFor()
    const [subscription] = await simulator.read(({ tables }) => Array.from(tables.subscriptions).map(([id]) => id))
    assert(subscription !== undefined)
    // A click in another tab.
    await fetch(`${simulator.url}/console/subscriptions/${subscription}`, {
      method: "POST",
      headers: { origin: simulator.url, "content-type": "application/x-www-form-urlencoded" },
      body: "action=revoke"
    })
    await page.getByText("You have no subscription").waitFor()
  })
})

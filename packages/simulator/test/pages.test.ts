/** The pages without a browser: what is escaped, who may post, and what addresses that lead nowhere say. */
import { assert, describe, it } from "@effect/vitest"
import { Pages, Seed, Simulator } from "@kavach-polar/simulator"
import { Effect, HashMap, Layer, Random } from "effect"
import { isLoopback, isSameOrigin, readForm } from "../src/pages/Form.ts"
import { html } from "../src/pages/Html.ts"
import { find } from "../src/pages/Router.ts"

describe("html", () => {
  it("writes every value as text, in elements and in attributes", () => {
    const text = `<script>"x" & 'y' \`z\`</script>`
    const escaped = "&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39; &#96;z&#96;&lt;/script&gt;"
    assert.strictEqual(String(html`<p title="${text}">${text}</p>`), `<p title="${escaped}">${escaped}</p>`)
  })

  it("writes templates, lists and numbers, and nothing for what is not there", () => {
    const items = ["<a>", "b"].map((item) => html`<li>${item}</li>`)
    assert.strictEqual(String(html`<ul>${items}</ul>${0}`), "<ul><li>&lt;a&gt;</li><li>b</li></ul>0")
    assert.strictEqual(String(html`${null}${undefined}${false}${[]}`), "")
  })

  it("takes nothing else for markup, whatever it says of itself", () => {
    const forged = JSON.parse('{"text":"<b>","toString":"<b>"}')
    assert.throws(() => String(html`${forged}`))
    assert.strictEqual(String(html`${String(html`<b>`)}`), "&lt;b&gt;")
  })
})

describe("routes", () => {
  const routes = [
    { method: "GET", path: "/a/{id}", handler: "show" },
    { method: "POST", path: "/a/{id}", handler: "act" },
    { method: "GET", path: "/", handler: "home" }
  ] as const

  it("finds the handler and what the address names", () => {
    assert.deepStrictEqual(find(routes, "GET", "/a/x%20y"), { _tag: "Found", handler: "show", params: { id: "x y" } })
    assert.deepStrictEqual(find(routes, "HEAD", "/"), { _tag: "Found", handler: "home", params: {} })
    assert.deepStrictEqual(find(routes, "DELETE", "/a/x"), { _tag: "WrongMethod", allow: "GET, POST" })
    for (const path of ["/b", "/a/", "/a/x/y", "/a/%zz", ""])
      assert.deepStrictEqual(find(routes, "GET", path), { _tag: "Unknown" })
  })
})

const post = (url: string, body: string, headers: Readonly<Record<string, string>> = {}) =>
  new Request(url, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    body
  })

describe("forms", () => {
  it("knows a post of the same origin from any other", () => {
    const to = (headers: Readonly<Record<string, string>>) => isSameOrigin(post("http://127.0.0.1:1/x", "", headers))
    assert.isTrue(to({ origin: "http://127.0.0.1:1" }))
    assert.isTrue(to({ "sec-fetch-site": "same-origin" }))
    for (const origin of ["http://127.0.0.1:2", "https://127.0.0.1:1", "http://localhost:1", "null", ""]) {
      assert.isFalse(to({ origin }), origin)
    }
    assert.isFalse(to({}))
    assert.isFalse(to({ "sec-fetch-site": "same-site" }))
    assert.isFalse(to({ origin: "http://evil.example", "sec-fetch-site": "same-origin" }))
  })

  it("knows this machine from a name that leads to it", () => {
    for (const host of ["127.0.0.1:1", "localhost", "[::1]:1"])
      assert.isTrue(isLoopback(new Request(`http://${host}/`)))
    for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example"]) {
      assert.isFalse(isLoopback(new Request(`http://${host}/`)))
    }
  })

  it("reads fields, and refuses what is too large or no form", async () => {
    assert.strictEqual((await readForm(post("http://x/", "a=%C3%A9&b")))?.get("a"), "é")
    assert.isUndefined(await readForm(post("http://x/", `a=${"x".repeat(17_000)}`)))
    assert.isUndefined(await readForm(post("http://x/", "{}", { "content-type": "application/json" })))
  })
})

const origin = "http://127.0.0.1:4010"
const TestSimulator = Simulator.layer({ origin }).pipe(Layer.provide(Simulator.layerNoNetwork))

const ask = (request: Request) =>
  Effect.flatMap(Simulator.Simulator, (simulator) =>
    Effect.flatMap(Pages.withApi(simulator)(request), (response) =>
      Effect.map(
        Effect.promise(() => response.text()),
        (text) => ({ status: response.status, headers: response.headers, text })
      )
    )
  )

const look = (path: string) => ask(new Request(`${origin}${path}`))
const submit = (path: string, body = "", from = origin) => ask(post(`${origin}${path}`, body, { origin: from }))

/** An open checkout, and the path of its page. */
const open = (extra: object = {}) =>
  Effect.gen(function* () {
    const { status, text } = yield* ask(
      new Request(`${origin}/v1/checkouts/`, {
        method: "POST",
        headers: { authorization: `Bearer ${Simulator.accessToken}` },
        body: JSON.stringify({ products: [Seed.products.pro.id], ...extra })
      })
    )
    assert.strictEqual(status, 201, text)
    const { id, url }: { readonly id: string; readonly url: string } = JSON.parse(text)
    return { id, path: new URL(url).pathname }
  })

const gift = { id: "1ebfedf4-5dba-4331-9bcd-3f3cf1793524", name: "Gift", percent: 100 }

describe("the checkout page", () => {
  it.effect("says what is sold, and lets forms lead to the shop and nowhere else", () =>
    Effect.gen(function* () {
      const { path } = yield* open({
        success_url: "https://shop.acme-mail.dev/done",
        return_url: "https://acme-mail.dev/"
      })
      const page = yield* look(path)
      assert.strictEqual(page.status, 200)
      assert.include(page.text, "$19 a month")
      assert.match(page.text, /Due today<\/dt><dd><strong>\$19<\/strong>/)
      assert.match(page.text, /Renews on<\/dt><dd><time [^>]+>1 February 1970<\/time>, and every month after/)
      const policy = page.headers.get("content-security-policy") ?? ""
      assert.include(policy, "form-action 'self' https://shop.acme-mail.dev https://acme-mail.dev;")
      assert.include(policy, "default-src 'none'")
      assert.notInclude(policy, "unsafe")
    }).pipe(Effect.provide(TestSimulator))
  )

  it.effect("lets no address of a shop's add to its policy", () =>
    Effect.gen(function* () {
      const { path } = yield* open({ success_url: "https://shop.acme-mail.dev;sandbox,x/done" })
      const policy = (yield* look(path)).headers.get("content-security-policy") ?? ""
      assert.include(policy, "form-action 'self';")
      assert.notInclude(policy, "sandbox")
      assert.notInclude(policy, ",")
    }).pipe(Effect.provide(TestSimulator))
  )

  it.effect("sells what is bought once, with its tax", () =>
    Effect.gen(function* () {
      const { path } = yield* open({ products: [Seed.products.lifetime.id] })
      const { text } = yield* look(path)
      for (const words of ["$49 once", "Plus $9.80 of tax.", "Due today", "<strong>$58.80</strong>", "Pay $58.80"])
        assert.include(text, words)
      assert.include(text, "Never: you pay once")
      yield* submit(path, "card=good&email=ada@acme-mail.dev")
      assert.include((yield* look(path)).text, "You have bought Lifetime.")
      const gifted = yield* open({ products: [Seed.products.lifetime.id], discount_id: gift.id })
      const free = yield* look(gifted.path)
      for (const words of ["Gift: $49 less.", "Get it for free"]) assert.include(free.text, words)
      assert.notInclude(free.text, "declined")
    }).pipe(
      Effect.provide(
        Simulator.layer({ origin, taxRate: 0.2, discounts: [gift] }).pipe(Layer.provide(Simulator.layerNoNetwork))
      )
    )
  )

  it.effect("lets the buyer choose the plan, the number, the amount and a discount", () =>
    Effect.gen(function* () {
      const { chosen, pro, seats } = Seed.products
      const { path } = yield* open({ products: [pro.id, seats.id, chosen.id] })
      assert.include((yield* look(path)).text, "Workspace: $10 a month for each seat")
      const choose = (form: string) => submit(path, form)
      yield* choose(`shown=${pro.id}&product=${seats.id}`)
      yield* choose(`shown=${seats.id}&product=${seats.id}&seats=3`)
      assert.include((yield* look(path)).text, "Workspace (3 seats)")
      for (const count of ["0", "-1", "1000", "x", ""]) {
        assert.strictEqual((yield* choose(`shown=${seats.id}&product=${seats.id}&seats=${count}`)).status, 422, count)
      }
      yield* choose("discount=half3")
      for (const words of ["Half off for three months: $15 less.", "Pay $15"])
        assert.include((yield* look(path)).text, words)
      assert.strictEqual((yield* choose("discount=NOPE")).status, 422)
      yield* choose(`shown=${seats.id}&product=${chosen.id}`)
      yield* choose(`shown=${chosen.id}&product=${chosen.id}&amount=7.50`)
      assert.include((yield* look(path)).text, "Pay $3.75")
      assert.strictEqual((yield* choose(`shown=${chosen.id}&product=${chosen.id}&amount=1`)).status, 422)
      yield* submit(path, "card=good&email=ada@acme-mail.dev")
      assert.include((yield* look("/")).text, "$3.75 a month")
    }).pipe(Effect.provide(TestSimulator))
  )

  it.effect("sells seats to a team, and takes its owner back", () =>
    Effect.gen(function* () {
      const { path } = yield* open({
        products: [Seed.products.seats.id],
        success_url: "http://shop.acme-mail.dev/done"
      })
      const paid = yield* submit(path, "card=good&email=ada@acme-mail.dev")
      assert.match(paid.headers.get("location") ?? "", /customer_session_token=polar_/)
    }).pipe(Effect.provide(TestSimulator))
  )

  it.effect("takes the buyer back with the checkout's id and the key to the portal", () =>
    Effect.gen(function* () {
      const { id, path } = yield* open({ success_url: "http://shop.acme-mail.dev/done?of={CHECKOUT_ID}" })
      const paid = yield* submit(path, "card=good&email=ada@acme-mail.dev")
      assert.strictEqual(paid.status, 303)
      const location = new URL(paid.headers.get("location") ?? "")
      assert.strictEqual(location.searchParams.get("of"), id)
      assert.match(location.searchParams.get("customer_session_token") ?? "", /^polar_/)
      assert.include((yield* look(path)).text, "Payment received")
      const again = yield* submit(path, "card=good&email=ada@acme-mail.dev")
      assert.strictEqual(again.status, 403)
    }).pipe(Effect.provide(TestSimulator))
  )

  it.effect("refuses an address that mail cannot reach, and keeps what was typed, as text", () =>
    Effect.gen(function* () {
      const { path } = yield* open()
      for (const email of ["nobody", "x@localhost", '"><script>@']) {
        const page = yield* submit(path, new URLSearchParams({ card: "good", email }).toString())
        assert.strictEqual(page.status, 422)
        assert.notInclude(page.text, "<script>@")
      }
      assert.strictEqual((yield* submit(path, "card=good&email=")).status, 422)
      const simulator = yield* Simulator.Simulator
      assert.strictEqual(yield* simulator.read(({ tables }) => HashMap.size(tables.subscriptions)), 0)
    }).pipe(Effect.provide(TestSimulator))
  )

  it.effect("explains itself when it is over, and when it never was", () =>
    Effect.gen(function* () {
      const { path } = yield* open()
      const simulator = yield* Simulator.Simulator
      yield* simulator.addEndpoint({ url: "http://127.0.0.1:9/hooks", name: "Field <Notes>" })
      const wayBack = '<a class="button" href="http://127.0.0.1:9">Back to Field &lt;Notes&gt;</a>'
      yield* simulator.advance("25 hours")
      for (const page of [yield* look(path), yield* submit(path, "card=good&email=ada@acme-mail.dev")]) {
        assert.strictEqual(page.status, 410)
        assert.include(page.text, "has expired")
        assert.include(page.text, wayBack)
      }
      const unknown = yield* look("/checkout/nobody")
      assert.strictEqual(unknown.status, 404)
      assert.include(unknown.text, "There is no such checkout")
      assert.include(unknown.text, wayBack)
      assert.include((yield* look("/simulator/portal")).text, wayBack)
    }).pipe(Effect.provide(TestSimulator))
  )

  it.effect("says of a trial that nothing was charged", () =>
    Effect.gen(function* () {
      const { path } = yield* open({ products: [Seed.products.trial.id] })
      yield* submit(path, "card=good&email=ada@acme-mail.dev")
      const { text } = yield* look(path)
      assert.include(text, "Your trial has started")
      assert.include(text, "Nothing was charged.")
      assert.notInclude(text, "Payment received")
    }).pipe(Effect.provide(TestSimulator))
  )
})

describe("the console", () => {
  it.effect("does nothing for other sites, and takes no other methods", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const before = yield* simulator.now
      for (const from of ["http://evil.example", "null", "http://127.0.0.1:4011"]) {
        assert.strictEqual((yield* submit("/console/advance", "days=30", from)).status, 403)
      }
      // A name of somebody else's that leads to this machine: the browser takes it for one origin.
      const rebound = post("http://evil.example/console/advance", "days=30", { origin: "http://evil.example" })
      assert.strictEqual((yield* ask(rebound)).status, 403)
      assert.isBelow((yield* simulator.now) - before, 60_000_000)
      const wrong = yield* look("/console/advance")
      assert.strictEqual(wrong.status, 405)
      assert.strictEqual(wrong.headers.get("allow"), "POST")
      assert.strictEqual((yield* look("/v1/nothing")).status, 404)
      assert.strictEqual((yield* look("/nothing")).status, 404)
    }).pipe(Effect.provide(TestSimulator))
  )

  it.effect("refuses in a sentence what cannot be done", () =>
    Effect.gen(function* () {
      for (const days of ["0", "-1", "1.5", "1000000", "", "x"]) {
        assert.strictEqual((yield* submit("/console/advance", `days=${days}`)).status, 422)
      }
      assert.strictEqual((yield* submit("/console/subscriptions/nobody", "action=cancel")).status, 404)
      assert.strictEqual((yield* submit("/console/subscriptions/nobody", "action=fly")).status, 422)
      assert.strictEqual((yield* submit("/console/events/nobody/redeliver")).status, 404)
      assert.strictEqual((yield* submit("/console/endpoints/nobody", "enabled=no")).status, 404)
      assert.strictEqual((yield* submit("/console/checkouts/nobody/expire")).status, 404)
    }).pipe(Effect.provide(TestSimulator))
  )

  it.effect("does to a subscription what its buttons say, and shows names as text", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id } = yield* open()
      const { subscription } = yield* simulator.pay(id, {
        customer_email: "ada@acme-mail.dev",
        customer_name: "<img src=x>"
      })
      const statusNow = simulator.read(({ tables }) => {
        const now = HashMap.unsafeGet(tables.subscriptions, subscription?.id ?? "")
        return [now.status, now.cancel_at_period_end, now.pause_at_period_end] as const
      })
      const press = (action: string) => submit(`/console/subscriptions/${subscription?.id}`, `action=${action}`)
      const page = yield* look("/")
      assert.include(page.text, "&lt;img src=x&gt;")
      assert.notInclude(page.text, "<img")

      yield* press("cancel")
      assert.deepStrictEqual(yield* statusNow, ["active", true, false])
      yield* press("uncancel")
      yield* press("pause")
      assert.deepStrictEqual(yield* statusNow, ["active", false, true])
      yield* press("advance")
      assert.deepStrictEqual(yield* statusNow, ["paused", false, false])
      yield* press("resume")
      yield* submit("/console/payments", "next=decline-for-good")
      assert.include((yield* look("/")).text, "The next payment will be declined")
      yield* submit("/console/payments", "next=no-decline")
      yield* press("advance")
      assert.deepStrictEqual(yield* statusNow, ["active", false, false])
      yield* press("revoke")
      assert.deepStrictEqual(yield* statusNow, ["canceled", false, false])
      const twice = yield* press("revoke")
      assert.strictEqual(twice.status, 403)
    }).pipe(Effect.provide(TestSimulator))
  )

  it.effect("shows orders, sends money back, and says for the bank what became of it", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      assert.include((yield* look("/")).text, "Nothing has been ordered yet.")
      const { id } = yield* open({ products: [Seed.products.lifetime.id] })
      const { order } = yield* simulator.pay(id, {
        customer_email: "ada@acme-mail.dev",
        customer_name: "<img src=x>"
      })
      const press = (body: string) => submit(`/console/orders/${order?.id}/refund`, body)
      const now = simulator.read(({ tables }) => HashMap.unsafeGet(tables.orders, order?.id ?? "").status)
      const bought = (yield* look("/")).text
      assert.include(bought, "$58.80")
      assert.include(bought, `<label for="amount-${order?.id}">Amount</label>`)
      assert.notInclude(bought, "<img")

      for (const amount of ["-1", "1.234", "x", "1e3", "49.01", "0"]) {
        assert.strictEqual((yield* press(`amount=${amount}&outcome=succeeded`)).status, 422, amount)
      }
      assert.strictEqual((yield* submit("/console/orders/nobody/refund")).status, 404)
      const partial = yield* press("amount=9.50&outcome=succeeded")
      assert.strictEqual(partial.headers.get("location"), "/?done=refund#orders")
      assert.strictEqual(yield* now, "partially_refunded")
      assert.include((yield* look("/")).text, "$11.40 went back")

      assert.strictEqual(
        (yield* press("amount=&outcome=pending")).headers.get("location"),
        "/?done=refund-later#orders"
      )
      const pending = yield* look("/?done=refund-later")
      assert.include(pending.text, "Let it succeed")
      assert.include(pending.text, "The refund is pending")
      assert.notInclude(pending.text, "Refund as pending", "nothing is left to refund")
      const last = yield* simulator.read(({ tables }) =>
        Array.from(HashMap.values(tables.refunds)).find(({ status }) => status === "pending")
      )
      const settle = (status: string) => submit(`/console/refunds/${last?.id}`, `status=${status}`)
      assert.strictEqual((yield* settle("lost")).status, 422)
      assert.strictEqual((yield* settle("succeeded")).status, 303)
      assert.strictEqual(yield* now, "refunded")
      assert.strictEqual((yield* settle("failed")).status, 303)
      assert.strictEqual(yield* now, "partially_refunded")
      assert.strictEqual((yield* settle("succeeded")).status, 409)
      assert.strictEqual((yield* press("amount=&outcome=succeeded")).status, 303)
      assert.strictEqual((yield* press("amount=&outcome=succeeded")).status, 403)
    }).pipe(Effect.provide(Simulator.layer({ origin, taxRate: 0.2 }).pipe(Layer.provide(Simulator.layerNoNetwork))))
  )

  it.effect("switches an endpoint off and on, and chaos too", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { id } = yield* simulator.addEndpoint({ url: "http://127.0.0.1:9/hooks" })
      yield* submit(`/console/endpoints/${id}`, "enabled=no")
      assert.include((yield* look("/")).text, "Disabled")
      yield* submit("/console/chaos", "duplicates=on")
      assert.strictEqual((yield* simulator.chaos).duplicates, 1)
      yield* submit("/console/chaos")
      assert.strictEqual((yield* simulator.chaos).duplicates, 0)
    }).pipe(Effect.provide(TestSimulator))
  )
})

describe("what chaos did", () => {
  it.effect("is said of each delivery: twice, late, and after how many that happened later", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const told: Array<string> = []
      yield* simulator.connect(({ body }) =>
        Effect.sync(() => {
          told.push(JSON.parse(new TextDecoder().decode(body)).type)
          return 200
        })
      )
      const { id } = yield* open({ products: [Seed.products.pro.id] })
      yield* simulator.flush
      const quiet = (yield* look("/")).text
      for (const word of [/Delivered twice/, /\d s late/, /After \d+ later one/]) assert.notMatch(quiet, word)

      yield* simulator.setChaos({ duplicates: 1, reorder: 0.5, delays: 0.5, longestDelay: 5000 })
      yield* simulator.pay(id, { customer_email: "ada@acme-mail.dev" })
      yield* simulator.advance("1 minute")
      const { text } = yield* look("/")
      assert.match(text, /Delivered twice/)
      assert.match(text, /\d s late/)
      assert.match(text, /After \d+ later ones?/)
      const [rows] = /<section id="deliveries"[\s\S]*<\/section>/.exec(text) ?? []
      const places = (rows ?? "").split('<th scope="row">').slice(1)
      const sentTwice = places.filter((row) => row.includes("Delivered twice")).length
      assert.strictEqual(sentTwice, told.length - places.length)
    }).pipe(Effect.provide(TestSimulator), Effect.withRandom(Random.make("chaos")))
  )
})

describe("deliveries", () => {
  it.effect("stand together by what caused them, and one kind can be looked at alone", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* simulator.connect(() => Effect.succeed(200))
      const { id } = yield* open({ products: [Seed.products.pro.id] })
      yield* simulator.pay(id, { customer_email: "ada@acme-mail.dev" })
      yield* simulator.advance("40 days")
      yield* simulator.flush
      const groupsOf = (text: string) => {
        const [part = ""] = /<section id="deliveries"[\s\S]*<\/section>/.exec(text) ?? []
        return part
          .split('<tr class="group">')
          .slice(1)
          .map((group) => ({
            cause: /scope="rowgroup">([^<]*?) </.exec(group)?.[1],
            types: Array.from(group.matchAll(/<th scope="row"><code>([^<]+)/g), ([, type]) => type)
          }))
      }
      const all = groupsOf((yield* look("/")).text)
      const causedBy = (name: string) => all.find(({ cause }) => cause === name)?.types ?? []
      assert.includeMembers(causedBy("A renewal"), ["subscription.cycled", "order.created"])
      assert.includeMembers(causedBy("A new subscription"), ["subscription.active", "order.paid", "checkout.updated"])
      assert.deepStrictEqual(causedBy("A checkout was opened"), ["checkout.created"])

      const page = (yield* look("/?events=subscription")).text
      assert.isTrue(groupsOf(page).every(({ types }) => types.every((type) => type?.startsWith("subscription."))))
      assert.match(page, /<a href="\/\?events=subscription#deliveries" aria-current="true">/)
      assert.deepStrictEqual(groupsOf((yield* look("/?events=%22%3E%3Cb%3E")).text), all)
      assert.include((yield* look("/?events=nonsense")).text, "There is none of this kind.")
      // What is done there comes back to the same kind.
      const [event] = yield* simulator.read(({ tables }) => Array.from(tables.events, ([one]) => one))
      const done = yield* submit(`/console/events/${event}/redeliver`, "events=subscription")
      assert.strictEqual(done.headers.get("location"), "/?done=redelivered&events=subscription#deliveries")
    }).pipe(Effect.provide(TestSimulator))
  )
})

describe("the portal", () => {
  it.effect("serves its own customer, for an hour", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const buy = (email: string) =>
        Effect.flatMap(open({ success_url: "http://shop.acme-mail.dev/" }), ({ path }) =>
          Effect.map(submit(path, new URLSearchParams({ card: "good", email }).toString()), ({ headers }) =>
            new URL(headers.get("location") ?? "").searchParams.get("customer_session_token")
          )
        )
      const token = yield* buy("ada@acme-mail.dev")
      yield* simulator.advance("1 minute")
      yield* buy("lin@acme-mail.dev")
      const [own, other] = yield* simulator.read(({ tables }) =>
        Array.from(HashMap.values(tables.subscriptions)).sort((one, two) => one.created_at - two.created_at)
      )
      const portal = `/simulator/portal?customer_session_token=${token}`
      assert.include((yield* look(portal)).text, "It renews on")
      assert.strictEqual((yield* submit(portal, `action=cancel&subscription=${other?.id}`)).status, 404)
      assert.strictEqual((yield* submit(portal, `action=cancel&subscription=${own?.id}`)).status, 303)
      assert.include((yield* look(portal)).text, "Keep the subscription")
      const canceled = yield* simulator.read(({ tables }) =>
        Array.from(HashMap.values(tables.subscriptions)).filter((one) => one.cancel_at_period_end)
      )
      assert.deepStrictEqual(
        canceled.map(({ id }) => id),
        [own?.id]
      )

      assert.strictEqual((yield* look(portal.replace("/simulator/", "/another/"))).status, 401)
      yield* simulator.advance("61 minutes")
      const closed = yield* look(portal)
      assert.strictEqual(closed.status, 401)
      assert.include(closed.text, "Your access to this page has ended")
      assert.strictEqual((yield* submit(portal, `action=uncancel&subscription=${own?.id}`)).status, 401)
    }).pipe(Effect.provide(TestSimulator))
  )

  it.effect("keeps nothing that will cost something for who has no card", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { path } = yield* open({ discount_id: friends.id, success_url: "http://shop.acme-mail.dev/" })
      assert.notInclude((yield* look(path)).text, "declined")
      const { headers } = yield* submit(path, "card=good&email=ada@acme-mail.dev")
      const token = new URL(headers.get("location") ?? "").searchParams.get("customer_session_token")
      const [id] = yield* simulator.read(({ tables }) => Array.from(HashMap.keys(tables.subscriptions)))
      const portal = `/simulator/portal?customer_session_token=${token}`
      assert.strictEqual((yield* submit(portal, `action=cancel&subscription=${id}`)).status, 303)
      const refused = yield* submit(portal, `action=uncancel&subscription=${id}`)
      assert.strictEqual(refused.status, 409)
      assert.include(refused.text, "Add a payment method")
    }).pipe(
      Effect.provide(Simulator.layer({ origin, discounts: [friends] }).pipe(Layer.provide(Simulator.layerNoNetwork)))
    )
  )

  describe("after a renewal that was declined", () => {
    const monthly: string = Seed.products.pro.id

    /** Overdue: as many charges as are given have failed, or the first one for good. */
    const overdue = (declines: ReadonlyArray<{ readonly forGood?: boolean }>, product = monthly) =>
      Effect.gen(function* () {
        const simulator = yield* Simulator.Simulator
        const { path } = yield* open({ products: [product], success_url: "http://shop.acme-mail.dev/" })
        yield* submit(path, "card=good&email=ada@acme-mail.dev")
        const [bought] = yield* simulator.read(({ tables }) => Array.from(HashMap.values(tables.subscriptions)))
        assert.isDefined(bought)
        for (const decline of declines) yield* simulator.failNextPayment(decline)
        const days = (bought.current_period_end - bought.current_period_start) / 86_400_000_000
        yield* simulator.advance(`${days} days`)
        yield* simulator.advance("1 hour")
        const subscription = simulator.read(({ tables }) => HashMap.unsafeGet(tables.subscriptions, bought.id))
        assert.strictEqual((yield* subscription).status, "past_due")
        const orders = simulator.read(({ tables }) =>
          Array.from(HashMap.values(tables.orders))
            .sort((one, other) => one.created_at - other.created_at)
            .map(({ status }) => status)
        )
        // A session of the portal lasts an hour.
        const portal = Effect.gen(function* () {
          const { text } = yield* ask(
            new Request(`${origin}/v1/customer-sessions/`, {
              method: "POST",
              headers: { authorization: `Bearer ${Simulator.accessToken}` },
              body: JSON.stringify({ customer_id: bought.customer_id })
            })
          )
          return `/simulator/portal?customer_session_token=${JSON.parse(text).token}`
        })
        const words = Effect.map(Effect.flatMap(portal, look), ({ text }) => text.replace(/<[^>]+>/g, ""))
        const cancel = Effect.gen(function* () {
          const canceled = yield* submit(yield* portal, `action=cancel&subscription=${bought.id}`)
          assert.strictEqual(canceled.status, 303)
        })
        const pay = Effect.gen(function* () {
          return yield* submit(yield* portal, `action=pay&subscription=${bought.id}`)
        })
        return { simulator, subscription, orders, words, cancel, pay }
      })

    const nothingMore = "will not be charged again"

    it.effect("a cancellation keeps what is owed: the portal promises no end of charges, and the charge comes", () =>
      Effect.gen(function* () {
        const { cancel, orders, simulator, subscription, words } = yield* overdue([{}])
        assert.include(yield* words, "The last charge was declined. It will be tried again.")
        yield* cancel
        const end = new Date((yield* subscription).current_period_end / 1000)
        const day = end.toLocaleDateString("en-GB", { dateStyle: "long", timeZone: "UTC" })
        const promised = yield* words
        assert.include(promised, "The last charge was declined. It will be tried again.")
        assert.include(promised, `Once it is paid, the subscription ends on ${day} without another charge.`)
        assert.notInclude(promised, nothingMore)
        assert.deepStrictEqual(yield* orders, ["paid", "pending"])

        yield* simulator.advance("2 days")
        assert.deepStrictEqual(yield* orders, ["paid", "paid"])
        assert.deepInclude(yield* subscription, { status: "active", cancel_at_period_end: true, ended_at: null })
        assert.include(yield* words, `It ends on ${day}, and ${nothingMore}.`)

        yield* simulator.advance("60 days")
        const over = yield* subscription
        assert.strictEqual(over.status, "canceled")
        assert.closeTo(over.ended_at ?? 0, over.current_period_end, 1000)
        assert.deepStrictEqual(yield* orders, ["paid", "paid"])
      }).pipe(Effect.provide(TestSimulator))
    )

    it.effect("the customer pays what is open at once, if the card is good", () =>
      Effect.gen(function* () {
        const { orders, pay, simulator, subscription, words } = yield* overdue([{}])
        assert.include(yield* words, "Pay $19 now")
        yield* simulator.failNextPayment()
        const declined = yield* pay
        assert.strictEqual(declined.status, 402)
        assert.include(declined.text, "The card was declined, and nothing was charged.")
        assert.strictEqual((yield* subscription).status, "past_due")

        assert.strictEqual((yield* pay).status, 303)
        assert.deepInclude(yield* subscription, { status: "active", past_due_at: null })
        assert.deepStrictEqual(yield* orders, ["paid", "paid"])
        assert.notInclude(yield* words, "Pay $19 now")
        assert.strictEqual((yield* pay).status, 409)
        // Nothing is left to be tried again.
        yield* simulator.advance("3 days")
        assert.deepStrictEqual(yield* orders, ["paid", "paid"])
      }).pipe(Effect.provide(TestSimulator))
    )

    it.effect("cancelled and never paid, it is over with the last attempt, and nothing is owed any more", () =>
      Effect.gen(function* () {
        const { cancel, orders, simulator, subscription, words } = yield* overdue([{}, {}, {}, {}, {}])
        yield* cancel
        yield* simulator.advance("20 days")
        assert.include(yield* words, "It will be tried again.")
        assert.deepStrictEqual(yield* orders, ["paid", "pending"])
        yield* simulator.advance("1 day")
        assert.strictEqual((yield* subscription).status, "canceled")
        assert.include(yield* words, "It ended on")
        assert.deepStrictEqual(yield* orders, ["paid", "void"])
      }).pipe(Effect.provide(TestSimulator))
    )

    it.effect("a decline for good is not tried again, and the portal says so, cancelled or not", () =>
      Effect.gen(function* () {
        const { cancel, orders, simulator, subscription, words } = yield* overdue([{ forGood: true }])
        const givenUp = "It will not be tried again, and the subscription ends on"
        assert.include(yield* words, givenUp)
        yield* cancel
        assert.include(yield* words, givenUp)
        assert.notInclude(yield* words, "It will be tried again")
        yield* simulator.advance("21 days")
        assert.strictEqual((yield* subscription).status, "canceled")
        assert.deepStrictEqual(yield* orders, ["paid", "void"])
      }).pipe(Effect.provide(TestSimulator))
    )

    it.effect(
      "a period that is over before it is paid ends as soon as it is, and the portal names no day that is past",
      () =>
        Effect.gen(function* () {
          const { cancel, orders, simulator, subscription, words } = yield* overdue([{}, {}, {}], weekly.id)
          yield* cancel
          assert.include(yield* words, "Once it is paid, the subscription ends on")
          yield* simulator.advance("8 days")
          assert.include(yield* words, "Once it is paid, the subscription ends at once, without another charge.")
          assert.strictEqual((yield* subscription).status, "past_due")
          yield* simulator.advance("6 days")
          assert.strictEqual((yield* subscription).status, "canceled")
          assert.deepStrictEqual(yield* orders, ["paid", "paid"])
        }).pipe(
          Effect.provide(Simulator.layer({ origin, products: [weekly] }).pipe(Layer.provide(Simulator.layerNoNetwork)))
        )
    )
  })
})

const weekly: Seed.ProductInput = {
  id: "5f4dcc3b-5aa7-4d61-9d83-27deb882cf99",
  name: "Weekly",
  amount: 500,
  interval: "week"
}

const friends: Seed.DiscountInput = {
  id: "7ad03f45-7d22-4d25-92b2-e967cb033483",
  name: "Friends",
  percent: 100,
  months: "forever"
}

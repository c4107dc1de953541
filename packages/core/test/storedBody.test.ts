import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as DeliveryContent from "../src/records/deliveryContent.ts"
import { polarEventTypes } from "../src/records/eventTypes.ts"
import { kinds } from "../src/records/kinds.ts"
import { storedBody, withheld } from "../src/records/storedBody.ts"

/** Every body that Polar is known to send. */
const bodies = ["polar-webhooks", "polar-webhooks-commerce"].flatMap((folder) => {
  const url = new URL(`../../../test/fixtures/${folder}/`, import.meta.url)
  return readdirSync(url).map((name) => ({ name, text: readFileSync(new URL(name, url), "utf8") }))
})

const keysIn = (value: unknown, found = new Set<string>()): ReadonlySet<string> => {
  if (typeof value !== "object" || value === null) return found
  for (const [key, inner] of Object.entries(value)) {
    if (!Array.isArray(value)) found.add(key)
    keysIn(inner, found)
  }
  return found
}

const bytes = (text: string) => new TextEncoder().encode(text)

describe("what is kept of a body", () => {
  it("holds nothing of what opens a door or says where somebody lives, of any event that Polar sends", () => {
    const seen = new Set<string>()
    for (const { name, text } of bodies) {
      for (const key of keysIn(JSON.parse(text))) seen.add(key)
      const stored = storedBody(text, JSON.parse(text))
      if (stored === null) throw new Error(`${name} cannot be stored`)
      const kept = keysIn(JSON.parse(stored))
      for (const key of Object.keys(withheld)) assert.isFalse(kept.has(key), `${name} keeps ${key}`)
      assert.notMatch(
        stored,
        /polar_(?:c|cst|mst|oat|pat)_|whsec_|\b\d{1,3}(?:\.\d{1,3}){3}\b|gravatar|"line1":"(?!disabled|required|optional)/,
        name
      )
    }
    // The list is of what Polar really sends: most of it is in the examples.
    for (const key of ["client_secret", "customer_ip_address", "billing_address", "guild_token", "tax_id"]) {
      assert.isTrue(seen.has(key), `no example has ${key}`)
    }
  })

  it("says the same when it is read again", () => {
    let kept = 0
    for (const { name, text } of bodies) {
      const { body, content } = DeliveryContent.readBytes(bytes(text), undefined)
      if (body === null) continue
      kept += 1
      assert.deepStrictEqual(DeliveryContent.read(body, undefined), content, name)
    }
    assert.isAbove(kept, 40)
  })

  const event = (type: string, data: unknown) =>
    bytes(JSON.stringify({ type, timestamp: "2026-10-05T14:22:08Z", data }))

  it("is nothing where no replay has a use for it, nor of other organizations", () => {
    for (const body of [
      bytes("no JSON, but words"),
      bytes('{"text":"a message in the format of a chat"}'),
      Uint8Array.of(0x7b, 0xff, 0x7d)
    ]) {
      assert.isNull(DeliveryContent.readBytes(body, undefined).body)
    }
    const paid = bodies.find(({ name }) => name === "order.paid.json")?.text ?? ""
    for (const body of [
      bytes(paid),
      // Neither of a type that is not known, nor where the data cannot be read.
      event("something.new", { id: "x", organization_id: "another" }),
      event("something.new", { id: "x" }),
      event("order.paid", { id: "o", organization_id: "another" }),
      event("order.paid", { id: "o", product: { organization_id: 7 } })
    ]) {
      const foreign = DeliveryContent.readBytes(body, "00000000-0000-4000-8000-000000000000")
      assert.isNull(foreign.body)
      assert.strictEqual(foreign.content._tag, "ForeignEvent")
    }
  })

  it("of a type that no version knows yet is kept as any other, and names whose it is", () => {
    const own = "00000000-0000-4000-8000-000000000000"
    const body = event("subscription.teleported", {
      id: "x",
      organization_id: own,
      client_secret: "polar_c_Invented",
      lines: [{ customer: { id: "second", ip_address: "192.0.2.7" } }],
      customer_id: "first"
    })
    for (const organizationId of [undefined, own]) {
      const { body: kept, content } = DeliveryContent.readBytes(body, organizationId)
      assert.deepInclude(content, { _tag: "OtherEvent", customerIds: ["first", "second"] })
      assert.deepStrictEqual(JSON.parse(kept ?? "").data, {
        id: "x",
        organization_id: own,
        lines: [{ customer: { id: "second" } }],
        customer_id: "first"
      })
    }
    const renamed = event("customer.merged", { id: "third", customer: null, customer_id: 7 })
    assert.deepInclude(DeliveryContent.readBytes(renamed, undefined).content, { customerIds: ["third"] })
    const many = event("a.b", { of: Array.from({ length: 5000 }, (_, at) => ({ customer_id: `c${at}` })) })
    const { content } = DeliveryContent.readBytes(many, undefined)
    assert.isAtMost(content._tag === "OtherEvent" ? content.customerIds.length : Number.NaN, 16)
  })

  it("knows every type that Polar's examples and the kinds have", () => {
    assert.strictEqual(polarEventTypes.length, 42)
    const types = bodies.map(({ text }) => String(JSON.parse(text).type))
    assert.sameMembers(
      kinds.flatMap((kind) => kind.eventTypes),
      [...polarEventTypes]
    )
    for (const type of types)
      assert.isTrue(
        polarEventTypes.some((one) => one === type),
        type
      )
  })

  it("names no visitor at a checkout who is no customer yet, and says the same for a replay", () => {
    const checkout = bodies.find(({ name }) => name === "checkout.created.json")?.text ?? ""
    const { data, ...envelope } = JSON.parse(checkout)
    const visits = (customerId: string | null) => {
      const person = { customer_email: "ada@acme-mail.dev", customer_name: "Ada", custom_field_data: { who: "Ada" } }
      return bytes(JSON.stringify({ ...envelope, data: { ...data, ...person, customer_id: customerId } }))
    }
    const visitor = DeliveryContent.readBytes(visits(null), undefined)
    assert.notMatch(visitor.body ?? "", /Ada|ada@/)
    assert.deepStrictEqual(DeliveryContent.read(visitor.body ?? "", undefined), visitor.content)
    assert.match(DeliveryContent.readBytes(visits("cus_1"), undefined).body ?? "", /"customer_email":"ada@/)
  })

  it("has no character that a database refuses, and is nothing where it cannot be written", () => {
    const text = String.raw`{"a":"\u0000","b":"\ud800x","c":"\ud83d\ude00","d":"\\u0000","e":"\\\ud800","f":"\udc00\ud800"}`
    assert.deepStrictEqual(JSON.parse(storedBody(text, JSON.parse(text)) ?? ""), {
      a: "\uFFFD",
      b: "\uFFFDx",
      c: "😀",
      d: "\\u0000",
      e: "\\\uFFFD",
      f: "\uFFFD\uFFFD"
    })
    const deep = `{"token":1,"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`
    assert.isNull(storedBody(deep, JSON.parse(deep)))
  })

  it("is the text as it came where nothing is withheld", () => {
    const text = '{"amount":0.0,"a":1,"a":2,"big":12345678901234567890}'
    assert.strictEqual(storedBody(text, JSON.parse(text)), text)
  })
})

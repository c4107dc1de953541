import { Either, FastCheck as fc } from "effect"
import { describe, expect, test } from "vitest"
import { checkRedirectUrl, originOf } from "../src/routes/redirectUrl.ts"

const trusted = ["https://app.example.com", "http://localhost:3000"]

const check = (text: string, origins?: ReadonlyArray<string>) => checkRedirectUrl("successUrl", text, origins)

const problemOf = (text: string, origins?: ReadonlyArray<string>): string | undefined =>
  Either.match(check(text, origins), { onLeft: (error) => error.message, onRight: () => undefined })

describe("without trusted origins", () => {
  test.each([
    "https://app.example.com",
    "https://app.example.com/thanks?checkout={CHECKOUT_ID}#done",
    "http://localhost:3000/thanks",
    "HTTPS://APP.example.com/",
    "https://app.example.com:8443/a",
    "https://[::1]:3000/",
    "https://app.example.com/@user",
    "https://app.example.com/?next=https://other.example",
    "https://app.example.com/%5C%09",
    "https://bücher.example/danke"
  ])("takes %j, as it is", (text) => {
    expect(check(text)).toEqual(Either.right(text))
  })

  test.each([
    ["", "start with https:// or http://"],
    ["/thanks", "start with"],
    ["thanks", "start with"],
    ["?a=b", "start with"],
    ["//evil.com", "start with"],
    ["///evil.com", "start with"],
    ["https:evil.com", "start with"],
    ["https:/evil.com", "start with"],
    ["https:///evil.com", "start with"],
    ["https://", "start with"],
    ["https://?a", "start with"],
    ["https://#a", "start with"],
    ["javascript:alert(1)", "start with"],
    ["JaVaScRiPt:alert(1)//https://app.example.com", "start with"],
    ["data:text/html,<script>alert(1)</script>", "start with"],
    ["vbscript:msgbox", "start with"],
    ["ftp://app.example.com/", "start with"],
    ["blob:https://app.example.com/1", "start with"],
    ["view-source:https://app.example.com", "start with"],
    ["app.example.com", "start with"],
    ["https://app.example.com@evil.com", "user name or password"],
    ["https://user:pw@app.example.com", "user name or password"],
    ["https://user@app.example.com", "user name or password"],
    ["https://@evil.com", "user name or password"],
    ["https://:@evil.com", "user name or password"],
    ["https://a@b@evil.com", "user name or password"],
    ["https://app.example.com\\@evil.com", "backslash"],
    ["https:\\\\evil.com", "backslash"],
    ["https://app.example.com\\.evil.com", "backslash"],
    ["/\\evil.com", "backslash"],
    ["https://app.example.com/a\\b", "backslash"],
    ["ht\ttps://evil.com", "control character"],
    ["https://app.example.com\t.evil.com", "control character"],
    ["https://app.example.com\n.evil.com", "control character"],
    ["https://app.example.com/\r\nLocation: https://evil.com", "control character"],
    ["java\nscript:alert(1)", "control character"],
    ["https://app.example.com/\u0000", "control character"],
    ["https://app.example.com/\u007f", "control character"],
    [" https://app.example.com", "space"],
    ["https://app.example.com ", "space"],
    ["https://app.example.com/a b", "space"],
    ["https://exa<mple.com", "not a URL"],
    ["https://app.example.com:port/", "not a URL"],
    ["https://app.example.com:99999/", "not a URL"],
    ["https://%00.example.com/", "not a URL"],
    ["https://app.example.com%2f@evil.com/", "user name or password"]
  ])("refuses %j", (text, why) => {
    expect(problemOf(text)).toMatch(/^Invalid successUrl: it /)
    expect(problemOf(text)).toContain(why)
    expect(problemOf(text, trusted)).toContain(why)
  })
})

describe("with trusted origins", () => {
  test.each([
    "https://app.example.com",
    "https://app.example.com/thanks?id={CHECKOUT_ID}",
    "https://app.example.com/{CHECKOUT_ID}#{CHECKOUT_ID}",
    "https://APP.EXAMPLE.COM/",
    "https://app.example.com:443/",
    "http://localhost:3000"
  ])("takes %j, as it is", (text) => {
    expect(check(text, trusted)).toEqual(Either.right(text))
  })

  test.each([
    "https://app.example.com.evil.com",
    "https://app-example.com",
    "https://appXexample.com",
    "https://example.com",
    "https://x.app.example.com",
    "https://app.example.com.",
    "https://app.example.com:8443/",
    "http://app.example.com/",
    "http://localhost/",
    "http://localhost:30000/",
    "https://localhost:3000/",
    "http://127.0.0.1:3000/",
    "https://аpp.example.com/",
    "https://xn--pp-6kc.example.com/",
    "https://app.examp\u200ble.com.evil.com/",
    "https://evil.com/https://app.example.com",
    "https://evil.com?https://app.example.com",
    "https://evil.com#https://app.example.com",
    "https://{CHECKOUT_ID}.evil.com/"
  ])("refuses %j", (text) => {
    expect(problemOf(text, trusted)).toBe("Invalid successUrl: its origin is not one of the trusted origins")
  })

  test("an empty list trusts nobody", () => {
    expect(problemOf("https://app.example.com", [])).toContain("trusted origins")
  })

  // Pieces of which deceptive addresses are made, joined at will.
  const piece = fc.constantFrom(
    ..."/ \\ : ? # @ . % %2f %5c %00 { } [ ] , ; & =".split(" "),
    ..." \t\n\r\u0000\u00a0\u200b\u2028\ufeff",
    "。",
    "／",
    "http",
    "https:",
    "https://",
    "//",
    "javascript:",
    "data:",
    "app.example.com",
    "example.com",
    "evil.com",
    "localhost:3000",
    ":443",
    "xn--",
    "{CHECKOUT_ID}",
    "а",
    "ß"
  )
  const address = fc.oneof(
    fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join("")),
    fc.array(piece, { maxLength: 6 }).map((pieces) => `https://${pieces.join("")}`),
    fc.array(piece, { maxLength: 4 }).map((pieces) => `https://app.example.com${pieces.join("")}`),
    fc.webUrl(),
    fc.string({ unit: "binary" })
  )

  test("whatever passes leads to exactly a trusted origin, with the text unchanged", () => {
    let passed = 0
    fc.assert(
      fc.property(address, (text) => {
        const result = check(text, trusted)
        if (Either.isLeft(result)) return
        passed += 1
        expect(result.right).toBe(text)
        // As a link in a page of another site, the way a browser follows a redirect.
        const url = new URL(text, "https://polar.example/checkout")
        expect(trusted).toContain(url.origin)
        expect([url.username, url.password]).toEqual(["", ""])
        // Polar puts the checkout's id in place of the literal text, which must not move the address elsewhere.
        const filled = new URL(text.replaceAll("{CHECKOUT_ID}", "4d5e6f7a-cf1e-4d3c-ab5a-6e7f8a9b0c68"))
        expect(trusted).toContain(filled.origin)
      }),
      { numRuns: 5000 }
    )
    expect(passed).toBeGreaterThan(50)
  })

  test("without them, whatever passes is http(s), absolute and without user info", () => {
    fc.assert(
      fc.property(address, (text) => {
        if (Either.isLeft(check(text))) return
        const url = new URL(text)
        expect(url.protocol).toMatch(/^https?:$/)
        expect(url.host).not.toBe("")
        expect(url.username + url.password).toBe("")
      }),
      { numRuns: 5000 }
    )
  })
})

test.each([
  ["https://app.example.com", "https://app.example.com"],
  ["https://APP.example.com:443/a?b#c", "https://app.example.com"],
  ["http://localhost:3000", "http://localhost:3000"],
  ["javascript:alert(1)", undefined],
  ["file:///etc/passwd", undefined],
  ["null", undefined],
  ["", undefined]
])("originOf(%j) is %j", (text, origin) => {
  expect(originOf(text)).toBe(origin)
})

import * as Options from "@kavach-polar/core/Options"
import { InvalidOption, optionProblem, optionsCheck } from "@kavach-polar/core/Options"
import { Redacted, Schema } from "effect"
import { describe, expect, test } from "vitest"
import { nearestName } from "../src/values/nearestName.ts"
import { damageOf, pastedText } from "../src/values/pastedText.ts"

describe("the name that was meant", () => {
  const names = ["successUrl", "returnUrl", "at", "dryRun", "since", "states", "maxConnections", "webhookSecret"]
  test.each([
    ["sucessUrl", "successUrl"],
    ["success_url", "successUrl"],
    ["SUCCESSURL", "successUrl"],
    ["retrunUrl", "returnUrl"],
    ["att", "at"],
    ["dryrun", "dryRun"],
    ["dry-run", "dryRun"],
    ["sinse", "since"],
    ["state", "states"],
    ["maxConection", "maxConnections"]
  ])("%s is %s", (written, meant) => expect(nearestName(written, names)).toBe(meant))

  test.each(["", "x", "everything", "onSubscriptionChange", "a".repeat(10_000)])("%s is none", (written) =>
    expect(nearestName(written, names)).toBeUndefined()
  )
})

describe("options", () => {
  const check = optionsCheck(
    "order()",
    Schema.Struct({
      at: Options.optional(Options.date),
      every: Options.optional(Options.duration),
      parts: Options.optional(Schema.Array(Schema.Struct({ productId: Options.anyText }))),
      nested: Options.optional(
        Options.group(
          Schema.Struct({ deeper: Options.optional(Options.group(Schema.Struct({ dryRun: Options.boolean }))) })
        )
      ),
      secret: Options.optional(Options.secretText)
    })
  )
  const faultOf = (options: unknown) => {
    try {
      check(options)
    } catch (error) {
      if (error instanceof InvalidOption) return error.message
      throw error
    }
    return undefined
  }

  test.each<[options: unknown, message: string]>([
    [{ att: new Date() }, "order(): att: there is no such option. Did you mean at?"],
    [
      { parts: [{ productId: "a" }, { productID: "b" }] },
      "order(): parts.1.productID: there is no such option. Did you mean productId?"
    ],
    [
      { nested: { deeper: { dryrun: true } } },
      "order(): nested.deeper.dryrun: there is no such option. Did you mean dryRun?"
    ],
    [{ completely: 1 }, "order(): completely: there is no such option. There is at, every, parts, nested, secret."],
    [{ at: "yesterday" }, "order(): at: it must be a Date, and a valid one"],
    [{ at: new Date(Number.NaN) }, "order(): at: it must be a Date, and a valid one"],
    [{ every: "often" }, 'order(): every: it must be a duration, such as "30 seconds"'],
    [{ secret: 7 }, "order(): secret: it must be text, or a Redacted with text"],
    [{ [Symbol("at")]: 1 }, "order(): Symbol(at): there is no such option. There is at, every, parts, nested, secret."],
    ["at", "order(): options: it must be an object"],
    [null, "order(): options: it must be an object"]
  ])("%j", (options, message) => expect(faultOf(options)).toBe(message))

  test.each<[options: unknown]>([
    [undefined],
    [{}],
    [{ at: undefined, nested: undefined }],
    [{ at: new Date(), every: "30 seconds", parts: [{ productId: "a" }], nested: { deeper: { dryRun: false } } }],
    [{ every: 500, secret: Redacted.make("s") }]
  ])("%j is taken", (options) => expect(faultOf(options)).toBeUndefined())

  test("no message repeats a value", () => {
    const problemOf = optionProblem(Schema.Struct({ url: Options.text("an address"), sandbox: Options.boolean }))
    for (const options of [{ url: 5, sandbox: "s3cret" }, { url: "a", sandbox: "s3cret" }, "s3cret", ["s3cret"]]) {
      expect(JSON.stringify(problemOf(options))).not.toContain("s3cret")
    }
  })
})

describe("text as environments hand it over", () => {
  test.each([
    ["whsec_abc", "whsec_abc"],
    [" whsec_abc\r\n", "whsec_abc"],
    ['"whsec_abc"', "whsec_abc"],
    ["' whsec_abc '", "whsec_abc"],
    ['""', ""],
    ['"', '"'],
    [undefined, ""],
    [null, ""]
  ])("%j is %j", (given, text) => expect(pastedText(given)).toBe(text))

  test.each(['"abc', "abc'", "abc\ndef", "abc\tdef", "\u201cabc", "\u201cabc\u201d"])("%j is damaged", (text) =>
    expect(damageOf(text)).toBeTypeOf("string")
  )
  test.each(["abc", "a b", 'a"b', "whsec_A+/="])("%j is whole", (text) => expect(damageOf(text)).toBeUndefined())
})

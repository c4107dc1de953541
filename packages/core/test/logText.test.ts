import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { causeLine, oneLine } from "../src/values/logText.ts"

describe("a text of others", () => {
  it("stays on its line, and moves no cursor", () => {
    assert.strictEqual(
      oneLine('Ada\ntimestamp=0 level=ERROR\r\u001b[2J\u009b\u2028\u202e\ud800 "ü 😀"'),
      'Ada\\ntimestamp=0 level=ERROR\\r\\u001b[2J\\u009b\\u2028\\u202e\\ud800 "ü 😀"'
    )
  })

  it("is cut", () => {
    assert.strictEqual(oneLine("x".repeat(3000)), `${"x".repeat(1000)}…`)
  })

  it("stays on its line in a cause as well, with the stack", () => {
    const line = causeLine(Cause.die(new Error("a\nlevel=ERROR\u001b[2J")))
    assert.notMatch(line, /\p{Cc}/u)
    assert.include(line, "a\\nlevel=ERROR\\u001b[2J")
    assert.include(line, "logText.test")
  })
})

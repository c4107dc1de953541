import { assert, describe, it } from "@effect/vitest"
import { Option, Redacted } from "effect"
import { makeSecretBox } from "../src/polar/secretBox.ts"

const box = (token: string) => makeSecretBox(Redacted.make(token))
const secret = "ACME-1C285B2D-6CE6-4BC7-B8BE-ADB6A7E304DA"
const opened = (sealed: string, token = "polar_oat_a", name = "one") =>
  Option.getOrNull(Option.map(box(token).open(name, sealed), Redacted.value))

describe("what is sealed with an access token", () => {
  const sealed = box("polar_oat_a").seal("one", Redacted.make(secret))

  it("is opened with the same one, also by another process, and says nothing by itself", () => {
    assert.strictEqual(opened(sealed), secret)
    assert.strictEqual(opened(sealed, ' "polar_oat_a"\n'), secret)
    assert.notInclude(Buffer.from(sealed, "base64url").toString("latin1"), secret.slice(0, 8))
    assert.notStrictEqual(box("polar_oat_a").seal("one", Redacted.make(secret)), sealed)
  })

  it("is not opened with another token, for another name, or when it was changed or is something else", () => {
    assert.isNull(opened(sealed, "polar_oat_b"))
    assert.isNull(opened(sealed, "polar_oat_a", "another"))
    const bytes = Buffer.from(sealed, "base64url")
    for (const place of [0, 20, bytes.length - 1]) {
      const changed = Buffer.from(bytes)
      changed[place] = (changed[place] ?? 0) ^ 1
      assert.isNull(opened(changed.toString("base64url")))
    }
    for (const text of ["", "sealed", secret, sealed.slice(0, 30)]) assert.isNull(opened(text))
  })
})

/** Values on their way into text that goes to the server together with other statements. */
import { expect, it } from "@effect/vitest"
import { places, rendered, statement } from "@kavach-polar/adapter-mysql/MysqlStatement"

const renderedAlone = (value: string | number | null) => rendered(statement("SELECT ?", value))

it("what means nothing between quotes goes as it is, all else as digits", () => {
  expect(renderedAlone("3f0e-user_1")).toBe("SELECT '3f0e-user_1'")
  expect(renderedAlone('{"id":"a","n":[1,2]}')).toBe(`SELECT '{"id":"a","n":[1,2]}'`)
  expect(renderedAlone("")).toBe("SELECT ''")
  expect(renderedAlone("a ? b; -- c /* d */")).toBe("SELECT 'a ? b; -- c /* d */'")
  expect(renderedAlone("it's")).toBe("SELECT _utf8mb4 x'69742773'")
  expect(renderedAlone("a\\")).toBe("SELECT _utf8mb4 x'615c'")
  expect(renderedAlone("é😀")).toBe("SELECT _utf8mb4 x'c3a9f09f9880'")
  expect(renderedAlone("\0\n")).toBe("SELECT _utf8mb4 x'000a'")
  expect(renderedAlone(null)).toBe("SELECT NULL")
  expect(renderedAlone(1_700_000_000_000_000)).toBe("SELECT 1700000000000000")
  expect(renderedAlone(-1)).toBe("SELECT -1")
})

it("no character leaves its quotes", () => {
  for (let code = 0; code < 0x3000; code++) {
    const text = renderedAlone(String.fromCharCode(code))
    expect(text).toMatch(/^SELECT (?:'[^'\\]'|_utf8mb4 x'(?:[0-9a-f]{2})+')$/)
    expect(/^[\x20-\x7e]+$/.test(text)).toBe(true)
  }
})

it("a value with a place in it is not taken for one, and each value has its own", () => {
  expect(rendered(statement("a = ? AND b IN (?, ?) AND c = ?", "?", 1, "x?", null))).toBe(
    "a = '?' AND b IN (1, 'x?') AND c = NULL"
  )
})

it("a number that no database knows is refused", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) expect(() => renderedAlone(value)).toThrow(TypeError)
})

it("as many places as values", () => {
  expect(places([])).toBe("")
  expect(places([1])).toBe("?")
  expect(places([1, 2, 3], "(?)")).toBe("(?), (?), (?)")
})

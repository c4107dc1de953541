/** Long texts in variables of the session. */
import { expect, it } from "@effect/vitest"
import * as MysqlVariables from "@kavach-polar/adapter-mysql/MysqlVariables"

const long = (letter: string, length = 1000) => letter.repeat(length)

it("short texts stay in the statement", () => {
  const variables = MysqlVariables.make(10_000)
  expect(variables.write("a")).toBe("'a'")
  expect(variables.assignments()).toEqual([])
})

it("every long text has a variable, and few assignments differ in their text", () => {
  const texts = new Set<string>()
  for (let count = 1; count <= 300; count++) {
    const variables = MysqlVariables.make(1_000_000)
    const written = Array.from({ length: count }, (_, index) => variables.write(long(String(index % 10))))
    expect(new Set(written).size).toBe(count)
    const held = new Map<string, unknown>()
    for (const { text, values } of variables.assignments()) {
      texts.add(text)
      const names = text.match(/@\w+/g) ?? []
      expect(values).toHaveLength(names.length)
      for (const [index, name] of names.entries()) held.set(name, values[index])
    }
    for (const [index, name] of written.entries()) expect(held.get(name)).toBe(long(String(index % 10)))
  }
  expect(texts.size).toBeLessThanOrEqual(6)
})

it("an assignment is no longer than it may be, but for a single text", () => {
  const variables = MysqlVariables.make(2500)
  for (const length of [1000, 1000, 1000, 9000, 500]) variables.write(long("x", length))
  const lengths = variables
    .assignments()
    .map(({ values }) => values.flatMap((value) => (typeof value === "string" ? [value.length] : [])))
  expect(lengths).toEqual([[1000, 1000], [1000], [9000], [500]])
})

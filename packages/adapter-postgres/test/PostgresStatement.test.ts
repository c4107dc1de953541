import { expect, it } from "@effect/vitest"
import { join, raw, type Statement, sql, type Value } from "@kavach-polar/adapter-postgres/PostgresStatement"
import { together, writes } from "@kavach-polar/adapter-postgres/PostgresStatements"
import { type Changes, noChanges } from "@kavach-polar/core/adapter/Step"

const written = ({ values, wording }: Statement) => ({ text: wording.text, values })

it("values get numbered places, in the order in which they stand", () => {
  const id = (value: Value) => sql`id = ${value}`
  expect(written(sql`SELECT ${raw("data")} FROM t WHERE ${id("a")} OR (${id(null)} AND b = ${"c"})`)).toEqual({
    text: "SELECT data FROM t WHERE id = $1 OR (id = $2 AND b = $3)",
    values: ["a", null, "c"]
  })
  expect(written(sql`${"a"}${sql`${"b"}`}`)).toEqual({ text: "$1$2", values: ["a", "b"] })
  expect(written(sql`SELECT 1`)).toEqual({ text: "SELECT 1", values: [] })
})

it("what looks like a place in a value stays a value", () => {
  const { text, values } = written(sql`SELECT ${"$1"}, ${"'; --"}`)
  expect(text).toBe("SELECT $1, $2")
  expect(values).toEqual(["$1", "'; --"])
})

it("lists have their separators between their parts alone", () => {
  const list = (...values: ReadonlyArray<Value>) =>
    written(
      sql`(${join(
        values.map((value) => sql`${value}`),
        ", "
      )})`
    )
  expect(list()).toEqual({ text: "()", values: [] })
  expect(list("a")).toEqual({ text: "($1)", values: ["a"] })
  expect(list("a", "b", "c")).toEqual({ text: "($1, $2, $3)", values: ["a", "b", "c"] })
})

it("a template is known again by its parts, whatever its values", () => {
  const template = (part: Statement | Value) => sql`a = ${part}`
  const text = (part: Statement | Value) => template(part).wording.text
  expect(template("x").wording).toBe(template(null).wording)
  expect(template(sql`b + ${"x"}`).wording).not.toBe(template("x").wording)
  expect([text("x"), text(raw("x")), text(raw("y")), text(sql`${"x"}`), text(raw("x"))]).toEqual([
    "a = $1",
    "a = x",
    "a = y",
    "a = $1",
    "a = x"
  ])
})

it("the name is of the text: the same wherever the text is", () => {
  const [one, other] = [sql`SELECT ${"x"}`, sql`SELECT ${"y"}`]
  expect(one.wording.name).toMatch(/^kavach_polar_[0-9a-f]{32}$/)
  expect(other.wording).not.toBe(one.wording)
  expect(other.wording.name).toBe(one.wording.name)
  expect(sql`SELECT ${"x"}::text`.wording.name).not.toBe(one.wording.name)
})

it("a step's write is known again by what it writes", () => {
  const delivery = (id: string): Changes["deliveries"][number] => ({
    id,
    type: "subscription.created",
    state: "applied",
    eventAt: 1,
    receivedAt: 1,
    updatedAt: 1,
    customerId: "customer",
    subscriptionId: "subscription",
    userId: "user",
    attempts: 1,
    lastError: null,
    body: `body of ${id}`
  })
  const write = (changes: Partial<Changes>) => together(writes({ ...noChanges, ...changes })).wording
  const releases = [{ by: "customerId", id: "customer", userId: "user", updatedAt: 1 }] as const
  const three = write({ deliveries: ["a", "b", "c"].map(delivery), releases })
  expect(write({ deliveries: ["d", "e", "f", "g"].map(delivery), releases })).toBe(three)
  expect(write({ deliveries: ["a", "b"].map(delivery), releases })).not.toBe(three)
  expect(write({ deliveries: ["a", "b", "c"].map(delivery) })).not.toBe(three)
})

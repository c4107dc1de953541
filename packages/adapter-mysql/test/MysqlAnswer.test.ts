/** How a statement that stands alone goes to the server. */
import { expect, it } from "@effect/vitest"
import { answerTo } from "@kavach-polar/adapter-mysql/MysqlAnswer"
import type { Connection } from "@kavach-polar/adapter-mysql/MysqlExchange"
import * as MysqlReads from "@kavach-polar/adapter-mysql/MysqlReads"
import { statement } from "@kavach-polar/adapter-mysql/MysqlStatement"

const fakeConnection = (answer: unknown) => {
  const events: Array<unknown> = []
  const sender =
    (name: string): Connection["query"] =>
    async ({ sql, values }) => {
      events.push([name, sql, values])
      return [answer]
    }
  return { connection: { query: sender("query"), execute: sender("execute") }, events }
}

const one = statement("SELECT a FROM t WHERE b = ?", "it's")

it("on a pool of its own it is prepared", async () => {
  const { connection, events } = fakeConnection([["a"]])
  expect(await answerTo(connection, { together: true }, one)).toEqual([["a"]])
  expect(events).toEqual([["execute", one.text, ["it's"]]])
})

it("on a database of the app's nothing is prepared, and the app's logger hears of it first", async () => {
  const { connection, events } = fakeConnection([["a"]])
  const log = (text: string, values: Array<unknown>) => void events.push(["log", text, values])
  expect(await answerTo(connection, { together: false, log }, one)).toEqual([["a"]])
  expect(events).toEqual([
    ["log", one.text, ["it's"]],
    ["query", one.text, ["it's"]]
  ])
})

it("what is read for a user has one text for everybody, and one place", () => {
  for (const select of [
    (userId: string) => MysqlReads.selectSubscriptionsOf(userId, "all"),
    (userId: string) => MysqlReads.selectSubscriptionsOf(userId, "live"),
    MysqlReads.selectLatestCustomerOf
  ]) {
    expect(select("a").text).toBe(select("it's ?").text)
    expect(select("it's ?").text.split("?")).toHaveLength(2)
    expect(select("it's ?").values).toEqual(["it's ?"])
  }
})

it("text is text, also where it comes as bytes", () => {
  expect(MysqlReads.subscriptionsIn([["s", Buffer.from('{"id":"é"}')]])).toEqual([{ id: "s", data: '{"id":"é"}' }])
  expect(MysqlReads.customerIn([[Buffer.from("c")], ["d"]])).toBe("c")
  expect(MysqlReads.customerIn([])).toBeUndefined()
})

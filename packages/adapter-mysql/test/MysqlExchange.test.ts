/** What goes to the server in which messages, and what becomes of the connection. */
import { expect, it } from "@effect/vitest"
import { type PooledConnection, transactOnPooled as transact } from "@kavach-polar/adapter-mysql/MysqlExchange"
import { places, statement } from "@kavach-polar/adapter-mysql/MysqlStatement"

const beginning = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;START TRANSACTION"

/** Answers each statement with a row that holds it; fails where `fails` says so. */
const fakeConnection = (fails: (sql: string) => boolean = () => false) => {
  const events: Array<string> = []
  const connection: PooledConnection = {
    query: async ({ sql }) => {
      events.push(sql)
      if (fails(sql)) throw new Error(`refused ${sql}`)
      const answers = sql.split(";").map((one) => (one.startsWith("SELECT") ? [[one]] : { affectedRows: 1 }))
      return [answers.length === 1 ? answers[0] : answers]
    },
    execute: async ({ sql, values }) => {
      events.push(`execute ${sql} with ${values?.length}`)
      return [{ affectedRows: 1 }]
    },
    release: () => void events.push("released"),
    destroy: () => void events.push("destroyed")
  }
  return { connection, events }
}

const together = { together: true }
const one = statement("SELECT ?", 1)
const two = statement("SELECT ?", 2)
const change = statement("UPDATE t SET a = ?", "b")

it("a step is two messages where several statements go in one", async () => {
  const { connection, events } = fakeConnection()
  const answers = await transact(connection, together, async ({ ask, commit }) => [
    await ask([one, two]),
    await commit([change])
  ])
  expect(answers).toEqual([[[["SELECT 1"]], [["SELECT 2"]]], [[]]])
  expect(events).toEqual([`${beginning};SELECT 1;SELECT 2`, "UPDATE t SET a = 'b';COMMIT", "released"])
})

it("and one when there is nothing to decide", async () => {
  const { connection, events } = fakeConnection()
  const [rows] = await transact(connection, together, ({ commit }) => commit([one, change]))
  expect(rows).toEqual([["SELECT 1"]])
  expect(events).toEqual([`${beginning};SELECT 1;UPDATE t SET a = 'b';COMMIT`, "released"])
})

it("on a pool of the app's each statement goes by itself, its values beside it", async () => {
  const { connection, events } = fakeConnection()
  const logged: Array<unknown> = []
  const manner = { together: false, log: (text: string, values: Array<unknown>) => void logged.push([text, values]) }
  const answers = await transact(connection, manner, async ({ ask, commit }) => [
    await ask([one]),
    await commit([change])
  ])
  expect(answers).toEqual([[[["SELECT ?"]]], [[]]])
  expect(events).toEqual([...beginning.split(";"), "SELECT ?", "UPDATE t SET a = ?", "COMMIT", "released"])
  expect(logged).toHaveLength(5)
  expect(logged[3]).toEqual(["UPDATE t SET a = ?", ["b"]])
})

it("what is not committed, and what fails, is rolled back", async () => {
  for (const manner of [together, { together: false }]) {
    const left = fakeConnection()
    await transact(left.connection, manner, ({ ask }) => ask([one]))
    expect(left.events.slice(-2)).toEqual(["ROLLBACK", "released"])

    const failed = fakeConnection((sql) => sql.includes("UPDATE"))
    const step = transact(failed.connection, manner, ({ commit }) => commit([change]))
    await expect(step).rejects.toThrow("refused")
    expect(failed.events.slice(-2)).toEqual(["ROLLBACK", "released"])
    expect(failed.events).not.toContain("COMMIT")

    const thrown = fakeConnection()
    const decided = transact(thrown.connection, manner, async ({ ask }) => {
      await ask([one])
      throw new Error("undecided")
    })
    await expect(decided).rejects.toThrow("undecided")
    expect(thrown.events.slice(-2)).toEqual(["ROLLBACK", "released"])
  }
})

it("a connection that cannot be rolled back is closed, and the first error is the one that is told", async () => {
  const { connection, events } = fakeConnection((sql) => sql.includes("UPDATE") || sql === "ROLLBACK")
  await expect(transact(connection, together, ({ commit }) => commit([change]))).rejects.toThrow("refused SET")
  expect(events.at(-1)).toBe("destroyed")
})

it("nothing asked for: nothing is sent", async () => {
  const { connection, events } = fakeConnection()
  await transact(connection, together, async () => {})
  expect(events).toEqual(["released"])
})

it("long texts go ahead of the message that names them, once there is much to send", async () => {
  const { connection, events } = fakeConnection()
  const long = (letter: string) => statement("INSERT INTO t VALUES (?, ?)", "id", letter.repeat(15_000))
  await transact(connection, together, ({ commit }) => commit([long("a"), long("b")]))
  expect(events).toEqual([
    expect.stringMatching(/^execute SET @kavach_polar_0 = \?, @kavach_polar_1 = \?, .* with 8$/),
    `${beginning};INSERT INTO t VALUES ('id', @kavach_polar_0);INSERT INTO t VALUES ('id', @kavach_polar_1);COMMIT`,
    "released"
  ])
})

it("a text that is compared with a column stays in the statement, however long", async () => {
  const { connection, events } = fakeConnection()
  const id = "a".repeat(30_000)
  await transact(connection, together, ({ commit }) => commit([statement("UPDATE t SET b = 1 WHERE id = ?", id)]))
  expect(events).toEqual([`${beginning};UPDATE t SET b = 1 WHERE id = '${id}';COMMIT`, "released"])
})

it("nothing runs that would name texts which did not arrive", async () => {
  const { connection, events } = fakeConnection()
  const broken: PooledConnection = { ...connection, execute: () => Promise.reject(new Error("refused")) }
  const long = statement("INSERT INTO t VALUES (?)", "a".repeat(30_000))
  await expect(transact(broken, together, ({ commit }) => commit([long]))).rejects.toThrow("refused")
  expect(events).toEqual(["ROLLBACK", "released"])
})

it("messages stay within what any server takes", async () => {
  const { connection, events } = fakeConnection()
  const short = statement(
    `INSERT INTO t VALUES (${places(Array.from({ length: 1000 }))})`,
    ...Array(1000).fill("é".repeat(150))
  )
  await transact(connection, together, ({ commit }) => commit(Array(8).fill(short)))
  expect(events.length).toBeGreaterThan(3)
  for (const event of events) expect(event.length).toBeLessThan(4 * 1024 * 1024)
  expect(events.at(-2)).toMatch(/;COMMIT$/)
})

it("a text that could be too long for the server is measured first", async () => {
  const { connection, events } = fakeConnection()
  const narrow: PooledConnection = {
    ...connection,
    query: ({ sql, ...options }) =>
      sql === "SELECT @@max_allowed_packet" ? Promise.resolve([[[4_194_304]]]) : connection.query({ sql, ...options })
  }
  const fits = statement("INSERT INTO t VALUES (?)", "a".repeat(3_000_000))
  await transact(narrow, together, ({ commit }) => commit([fits]))
  expect(events.at(-2)).toMatch(/;COMMIT$/)
  const large = statement("INSERT INTO t VALUES (?)", "a".repeat(5_000_000))
  await expect(transact(narrow, together, ({ commit }) => commit([large]))).rejects.toThrow("max_allowed_packet")
  expect(events.slice(-2)).toEqual(["ROLLBACK", "released"])
})

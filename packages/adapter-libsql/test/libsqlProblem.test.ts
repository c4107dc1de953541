import { type Client, createClient } from "@libsql/client"
import { afterEach, expect, test } from "vitest"
import { explain } from "../src/libsqlProblem.ts"

const clients: Array<Client> = []
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})

const memory = (): Client => {
  const client = createClient({ url: ":memory:" })
  clients.push(client)
  return client
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => explain(error)
  )

test("what the driver itself says of constraints, types and tables, without a value in it", async () => {
  const client = memory()
  await client.execute("CREATE TABLE t (a TEXT UNIQUE, b INTEGER CHECK (b > 0), c TEXT NOT NULL) STRICT")
  await client.execute("INSERT INTO t VALUES ('secret', 1, 'c')")
  const failures = await Promise.all(
    [
      "INSERT INTO t VALUES ('secret', 2, 'c')",
      "INSERT INTO t VALUES ('x', -1, 'secret')",
      "INSERT INTO t VALUES ('x', 'secret', 'c')",
      "SELECT secret FROM missing WHERE 'secret' = 1"
    ].map((sql) => failureOf(client.batch([sql], "write")))
  )
  expect(failures).toEqual([
    { reason: "constraint", detail: "SQLITE_CONSTRAINT_UNIQUE: UNIQUE constraint failed: t.a" },
    { reason: "constraint", detail: "SQLITE_CONSTRAINT_CHECK: CHECK constraint failed: b > 0" },
    { reason: "schema", detail: "UNKNOWN_SQLITE_ERROR_3091: cannot store TEXT value in INTEGER column t.b" },
    { reason: "schema", detail: "SQLITE_ERROR: no such table: missing" }
  ])
})

test("a connection that the app holds is busy, a client that was closed is gone", async () => {
  const client = memory()
  const transaction = await client.transaction("write")
  expect(await failureOf(client.execute("SELECT 1"))).toMatchObject({ reason: "busy" })
  transaction.close()
  client.close()
  expect(await failureOf(client.execute("SELECT 1"))).toEqual({
    reason: "unavailable",
    detail: "CLIENT_CLOSED: The client is closed"
  })
})

test("a server that is not there, and addresses that are none: no token in what is said", async () => {
  const away = createClient({ url: "http://127.0.0.1:2", authToken: "secret" })
  clients.push(away)
  expect(await failureOf(away.execute("SELECT 1"))).toEqual({
    reason: "unavailable",
    detail: expect.stringContaining("ECONNREFUSED")
  })
  for (const url of ["nothing", "postgres://user:secret@host/database", "libsql://host?tls=secret"]) {
    const said = await failureOf(Promise.resolve().then(() => createClient({ url })))
    expect(said?.reason).toBe("unavailable")
    expect(said?.detail).not.toContain("secret")
  }
})

const serverError = (code: string, message: string) =>
  Object.assign(new Error(`${code}: ${message}`), { code, cause: Object.assign(new Error(message), { code }) })

test.each([
  ["SQLITE_BUSY", "SQLite error: database is locked", "busy", "SQLITE_BUSY: database is locked"],
  ["TRANSACTION_TIMEOUT", "Transaction timed out", "busy", "TRANSACTION_TIMEOUT: Transaction timed out"],
  ["STREAM_EXPIRED", "The stream has expired", "busy", "STREAM_EXPIRED: The stream has expired"],
  ["BLOCKED", "Writes are blocked", "denied", "BLOCKED: Writes are blocked"],
  ["SQLITE_UNKNOWN", "SQLite error: no such table: t", "schema", "SQLITE_UNKNOWN: no such table: t"],
  ["SQL_PARSE_ERROR", "near 'secret'", "unknown", "the server could not read a statement"],
  ["WHATEVER", "secret", "unknown", "an unexpected Error"]
])("what a server says with %s", (code, message, reason, detail) => {
  expect(explain(serverError(code, message))).toEqual({ reason, detail })
})

test.each([
  [401, "denied"],
  [403, "denied"],
  [429, "busy"],
  [404, "unavailable"],
  [503, "unavailable"]
])("HTTP %i, without what came with it", (status, reason) => {
  const error = Object.assign(new Error("Server returned HTTP status: secret"), { status })
  expect(explain(error)).toEqual({ reason, detail: `the server answered with HTTP ${status}` })
})

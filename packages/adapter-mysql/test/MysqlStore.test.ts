/** What needs no server. What does lies in `test/databases`. */
import { createHash } from "node:crypto"
import { expect, it, vi } from "@effect/vitest"
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import { checksumOf, migrations, part } from "@kavach-polar/core/adapter"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import { drizzle } from "drizzle-orm/mysql2"
import { Config, ConfigProvider, Duration, Effect, Layer, Redacted } from "effect"
import mysql from "mysql2"
import mysqlPromise from "mysql2/promise"
import { runChild } from "../../../test/runChild.ts"
import { datetimeOf, millisOf } from "../src/datetime.ts"
import { mysqlLocks } from "../src/mysqlLocks.ts"
import { explain, isConflict } from "../src/mysqlProblem.ts"
import { mysqlTables } from "../src/mysqlTables.ts"
import { statementText } from "../src/statementText.ts"
import { previousMigrations } from "./previousTables.ts"

const email = "ada.martin@acme-mail.dev"

it("what databases of the versions before have had is known", () => {
  const had = previousMigrations.map(({ name, sql, version }) => ({
    version,
    name,
    checksum: createHash("sha256").update(sql).digest("hex")
  }))
  expect(mysqlTables.released).toEqual(had)
})

// A database remembers the checksum, and refuses a program that has another. So before a release a changed line here says
// that this was meant; after it, a change belongs in a further migration.
it("the migrations are in the form that databases remember", () => {
  expect(migrations.map((migration) => [migration.name, checksumOf(migration, mysqlTables)])).toEqual([
    ["0004_records", "c60392227f3fcf16cb0e0b99dbb8cfd08667d8edd7da5e8f46bd828c71c25b6e"],
    ["0005_benefits", "76bd140c1a524db9280a3527f3fd7693f8f05c86c0199ace411791f17ed6de37"],
    ["0006_clock", "de57202c08609e7c9958ee4dc4dc34eb3b08017860e2b692ac9bf0383504d5dd"],
    ["0007_checkout_index", "829f3847d1f17b094dc7f75dd97be8b41975056f5e49b53c6db153d80fd785cf"],
    ["0008_link_changes", "945c817578d29127ab052409641256c72ddfedaf2791625abf4e12fc3719a6d3"],
    ["0009_all_kinds", "3bbf5c89ec61feec4f673356cbe274384e0e7ad1471c920b5fc235e28f004755"],
    ["0010_handlers", "77244c2fe974273ee3227c744cf28869f23d934d76dd59e7ffeda45bf9ece42d"],
    ["0011_license_keys", "fa286b5aee79315bc14e76154ebc9d590e4aee1b3c5a53944320074a7fa6903e"],
    ["0012_actions", "983eb18416b33172496da958cd5429e69fc501a1220ef763d72b7d96188ebf55"],
    ["0013_traceparent", "4ba4232fa22530c688e96a85f6b3f47013a6882205b37fa71739dd57d7330a3a"]
  ])
})

it("every value stands in the text as digits, whatever it holds", () => {
  const text = (...values: ReadonlyArray<string | number | null>) =>
    statementText(part(values.map(() => "?").join(", "), ...values))
  expect(text("a'?\\", "", "é😀", null, -5, 0.5)).toBe(
    "_utf8mb4 X'61273f5c', _utf8mb4 X'', _utf8mb4 X'c3a9f09f9880', NULL, -5, 0.5"
  )
  // Half of a surrogate pair is no character.
  expect(text("\ud83d")).toBe("_utf8mb4 X'efbfbd'")
  expect(() => text(Number.NaN)).toThrow(TypeError)
  expect(statementText(part("SELECT '?'"))).toBe("SELECT '?'")
})

it("names fall to the rows that versions before gave them", () => {
  const rowsOf = (...names: ReadonlyArray<string>) => mysqlLocks.wait(names)?.text.match(/IN \((.*?)\)/)?.[1]
  // FNV-1a of "a" is 0xe40c292c.
  expect(rowsOf("delivery a")).toBe(String(0xe40c292c % 1024))
  expect(rowsOf("subscription a", "customer a")).toBe(String(0xe40c292c % 1024))
  expect(rowsOf("user a")).toBe(String(1024 + (0xe40c292c % 1024)))
})

it("importing the package loads no driver, and making a pool connects to nothing", async () => {
  expect(JSON.parse(await runChild(new URL("children/imports.ts", import.meta.url)))).toEqual({
    before: false,
    after: true
  })
}, 60_000)

it("times go there and back, in any year", () => {
  for (const iso of ["0000-01-01T00:00:00.000Z", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"]) {
    expect(millisOf(datetimeOf(Date.parse(iso)))).toBe(Date.parse(iso))
  }
  expect(datetimeOf(Date.parse("2026-10-05T14:22:08.455Z"))).toBe("2026-10-05 14:22:08.455")
  expect(datetimeOf(8.64e15)).toBe("9999-12-31 23:59:59.999")
  expect(datetimeOf(-8.64e15)).toBe("0000-01-01 00:00:00.000")
})

/** An error as mysql2 makes it. */
const serverError = (code: string, errno: number, message: string) =>
  Object.assign(new Error(message), { code, errno, sqlMessage: message, sql: `SELECT '${email}'` })

it("what the server's messages mean, without the values that they quote", () => {
  const explained = (code: string, errno: number, message: string) => explain(serverError(code, errno, message))
  expect(explained("ER_DUP_ENTRY", 1062, `Duplicate entry '${email}' for key 'kavach_users.email'`)).toEqual({
    reason: "constraint",
    detail: "ER_DUP_ENTRY: there is another row with the same key kavach_users.email"
  })
  expect(explained("ER_DUP_ENTRY", 1062, `Duplicate entry 'it's for key 'x'' for key 'email'`).detail).toBe(
    "ER_DUP_ENTRY: there is another row with the same key email"
  )
  expect(explained("ER_NO_SUCH_TABLE", 1146, "Table 'shop.kavach_users' doesn't exist")).toEqual({
    reason: "schema",
    detail: "ER_NO_SUCH_TABLE: there is no table kavach_users"
  })
  expect(explained("ER_BAD_FIELD_ERROR", 1054, "Unknown column 'polar_product_id' in 'field list'").detail).toBe(
    "ER_BAD_FIELD_ERROR: there is no column polar_product_id"
  )
  expect(explained("ER_X", 1292, `Incorrect datetime value: '${email}' for column 'updated_at' at row 1`).detail).toBe(
    "ER_X: a value does not fit into column updated_at"
  )
  expect(
    explained("ER_X", 1366, `Incorrect value: '${email}' for column \`shop\`.\`t\`.\`name\` at row 3`).detail
  ).toBe("ER_X: a value does not fit into column name")
  expect(explained("ER_X", 1142, "INSERT command denied to user 'ada'@'localhost' for table 'kavach_users'")).toEqual({
    reason: "denied",
    detail: "ER_X: the database user lacks INSERT kavach_users"
  })
  expect(explained("ER_ACCESS_DENIED_ERROR", 1045, "Access denied for user 'ada'@'10.0.0.1'")).toEqual({
    reason: "denied",
    detail: "ER_ACCESS_DENIED_ERROR: the user name or the password is wrong"
  })
  expect(explained("ER_GET_ERRNO", 1030, 'Got error 28 "No space left on device" from storage engine')).toMatchObject({
    reason: "full"
  })
  expect(explained("ER_BINLOG_STMT_MODE_AND_ROW_ENGINE", 1665, "Cannot execute statement")).toMatchObject({
    reason: "readOnly",
    detail: expect.stringContaining("binlog_format")
  })
  expect(explained("ER_NET_PACKET_TOO_LARGE", 1153, "Got a packet bigger than").detail).toContain("max_allowed_packet")
  expect(explained("ER_SOMETHING_NEW", 9999, `it says ${email}`)).toEqual({
    reason: "unknown",
    detail: "ER_SOMETHING_NEW (9999)"
  })
})

it("a conflict is what may go through when it runs again", () => {
  expect(isConflict(serverError("ER_LOCK_DEADLOCK", 1213, "Deadlock found"))).toBe(true)
  expect(isConflict(serverError("ER_DUP_ENTRY", 1062, ""))).toBe(false)
})

it("of an error that is not the database's only the name is told", () => {
  expect(explain(new TypeError(email))).toEqual({ reason: "unknown", detail: "an unexpected TypeError" })
  expect(explain(email)).toEqual({ reason: "unknown", detail: "something that is not an error was thrown" })
})

const claim = Effect.flatMap(BillingStore, (store) =>
  store.claimNotifications({ owner: "a", limit: 1, lease: Duration.minutes(1) })
)

it.effect("nothing listens at the address: an error, and not before the first use", () =>
  Effect.gen(function* () {
    const context = yield* Layer.build(MysqlStore.layer({ url: Redacted.make("mysql://ada:secret@127.0.0.1:1/shop") }))
    const error = yield* Effect.flip(Effect.provide(claim, context))
    expect(error).toMatchObject({ reason: "unavailable", operation: "claimNotifications" })
    expect(error.message).toContain("ECONNREFUSED: nothing answers at the server's address")
    expect(JSON.stringify([error, error.message, error.stack])).not.toMatch(/secret|ada/)
  }).pipe(Effect.scoped)
)

it.effect("a URL that is none is an error that does not show it", () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(Effect.scoped(MysqlStore.open({ url: "//ada:secret@nowhere" })))
    expect(error).toMatchObject({ reason: "unavailable", operation: "open" })
    expect(error.message).not.toContain("secret")
  })
)

it.effect("a driver that is not installed: the error says what to install", () =>
  Effect.gen(function* () {
    vi.doMock("mysql2", () => {
      throw new Error("Cannot find package")
    })
    const error = yield* Effect.flip(Effect.scoped(MysqlStore.open({ url: "mysql://127.0.0.1:1/shop" })))
    expect(error).toMatchObject({
      reason: "unavailable",
      operation: "open",
      detail: expect.stringContaining("run npm install mysql2")
    })
  }).pipe(Effect.ensuring(Effect.sync(() => vi.doUnmock("mysql2"))))
)

it.effect("the address can come from the configuration", () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(
      Effect.provide(claim, MysqlStore.layerConfig({ url: Config.redacted("DATABASE_URL") }))
    )
    expect(error).toMatchObject({ _tag: "StoreError", reason: "unavailable" })
  }).pipe(Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["DATABASE_URL", "mysql://127.0.0.1:1/shop"]]))))
)

it("any drizzle database on mysql2 can be lent", () => {
  // Never connected: this is about types, and about what is looked at when a store is made.
  const options = { host: "127.0.0.1", port: 1 }
  const pools = [mysql.createPool(options), mysqlPromise.createPool(options)] as const
  const databases = [drizzle(pools[0]), drizzle(pools[1]), drizzle({ client: pools[1], casing: "snake_case" })] as const
  for (const database of databases) expect(MysqlStore.make(database).migrate).toBeDefined()
  const withSchema = drizzle(pools[1], { schema: {}, mode: "planetscale" })
  expect(MysqlStore.fromDrizzle(withSchema)).toBeDefined()
})

import { expect, it } from "@effect/vitest"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import { UserId } from "@kavach-polar/core/Subscription"
import { DrizzleQueryError } from "drizzle-orm"
import { Config, ConfigProvider, Effect, Layer, Redacted } from "effect"
import { explain } from "../src/PostgresProblem.ts"

const email = "ada.martin@acme-mail.dev"

const serverError = (code: string, message: string) =>
  Object.assign(new Error(message), { code, detail: `Key (email)=(${email})`, where: email, parameters: [email] })

it("drizzle's own messages, which hold SQL and parameters, are never used, nor are PostgreSQL's details", () => {
  const cause = serverError("23505", 'duplicate key value violates unique constraint "kavach_users_email_key"')
  expect(explain(new DrizzleQueryError("insert into kavach_users values ($1)", [email], cause))).toEqual({
    reason: "constraint",
    detail: '23505: duplicate key value violates unique constraint "kavach_users_email_key"'
  })
  expect(explain(new DrizzleQueryError("insert into kavach_users values ($1)", [email])).detail).not.toContain(email)
})

const expected: ReadonlyArray<readonly [code: string, reason: string]> = [
  ["08006", "unavailable"],
  ["EPIPE", "unavailable"],
  ["57P01", "unavailable"],
  ["57P03", "unavailable"],
  ["3D000", "unavailable"],
  ["53300", "unavailable"],
  ["53200", "unavailable"],
  ["53100", "full"],
  ["40001", "busy"],
  ["40P01", "busy"],
  ["55P03", "busy"],
  ["57014", "busy"],
  ["25006", "readOnly"],
  ["42501", "denied"],
  ["28P01", "denied"],
  ["42P01", "schema"],
  ["42703", "schema"],
  ["42804", "schema"],
  ["22003", "schema"],
  ["23502", "constraint"],
  ["P0001", "unknown"],
  ["XX000", "unknown"],
  ["ECONNREFUSED", "unavailable"],
  ["ECONNRESET", "unavailable"],
  ["CONNECTION_CLOSED", "unavailable"],
  ["CONNECT_TIMEOUT", "unavailable"]
]
for (const [code, reason] of expected) {
  it(`${code} is ${reason}`, () => {
    const explanation = explain(serverError(code, "what happened"))
    expect(explanation.reason).toBe(reason)
    expect(explanation.detail).toContain(code)
  })
}

it("messages that may quote a value are left out", () => {
  for (const code of ["22P02", "22007", "22021", "P0001", "XX000"]) {
    expect(explain(serverError(code, `invalid input syntax: "${email}"`)).detail).not.toContain(email)
  }
})

it("of an error that is not the database's only the name is told", () => {
  expect(explain(new TypeError(email))).toEqual({ reason: "unknown", detail: "an unexpected TypeError" })
  expect(explain(email)).toEqual({ reason: "unknown", detail: "something that is not an error was thrown" })
})

it.scopedLive("an address that cannot be read: an error without it", () =>
  Effect.gen(function* () {
    const store = PostgresStore.make(
      yield* PostgresStore.open({ url: Redacted.make("postgres://ada:secret@[bad:1/x") })
    )
    const error = yield* Effect.flip(store.customerOf(UserId.make("user-1")))
    expect(error).toMatchObject({ _tag: "StoreError", reason: "unavailable", detail: "ERR_INVALID_URL: Invalid URL" })
    expect(JSON.stringify([error, error.message, error.stack])).not.toContain("secret")
  })
)

it.scoped("layerConfig takes the address from the configuration", () =>
  Effect.gen(function* () {
    const config = PostgresStore.layerConfig({
      url: Config.redacted("DATABASE_URL"),
      maxConnections: Config.withDefault(Config.integer("DATABASE_CONNECTIONS"), 3)
    })
    const from = (entries: ReadonlyArray<readonly [string, string]>) =>
      Layer.setConfigProvider(ConfigProvider.fromMap(new Map(entries)))
    // Nothing listens there: building connects to nothing.
    yield* Effect.provide(BillingStore, Layer.provide(config, from([["DATABASE_URL", "postgres://localhost/none"]])))
    const missing = yield* Effect.flip(Effect.provide(BillingStore, Layer.provide(config, from([]))))
    expect(String(missing)).toContain("DATABASE_URL")
  })
)

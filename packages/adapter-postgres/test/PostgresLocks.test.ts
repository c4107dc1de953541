import { expect, it } from "@effect/vitest"
import { keyOf, keyOfName } from "@kavach-polar/adapter-postgres/PostgresLocks"
import { sql } from "@kavach-polar/adapter-postgres/PostgresStatement"
import { Effect } from "effect"
import { schemasOnPGlite } from "./pgliteSchema.ts"

const newSchema = schemasOnPGlite()

it.effect("the server gives a name the key that this process gives it", () =>
  Effect.gen(function* () {
    const { query } = yield* newSchema([])
    for (const name of [
      "user 1",
      "user Ada Lovelace",
      "user \u00e9\u4e2d\u{1f600}",
      "user ",
      `user ${"x".repeat(255)}`
    ]) {
      const { values, wording } = sql`SELECT ${keyOfName(sql`${name}::text`)}::text AS key`
      expect(yield* Effect.promise(() => query(wording.text, ...values))).toEqual([{ key: String(keyOf(name)) }])
    }
  })
)

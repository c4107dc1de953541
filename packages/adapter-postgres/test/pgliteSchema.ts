/** PGlite for a file of tests. Each case gets a schema of its own, which the search path leads to. */
import { randomUUID } from "node:crypto"
import { PGlite } from "@electric-sql/pglite"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { drizzle } from "drizzle-orm/pglite"
import { Effect } from "effect"
import { afterAll } from "vitest"
import { queryPGlite } from "../../../test/store/PostgresHarness.ts"

export const schemasOnPGlite = () => {
  let created: Promise<PGlite> | undefined
  afterAll(async () => (await created)?.close())
  return (tables: ReadonlyArray<string> = []) =>
    Effect.promise(async () => {
      created ??= PGlite.create()
      const client = await created
      const query = queryPGlite(client)
      const schema = `s_${randomUUID().replaceAll("-", "")}`
      await query(`CREATE SCHEMA ${schema}`)
      await query(`SET search_path TO ${schema}`)
      for (const table of tables) await query(table)
      const db = drizzle(client)
      return { client, db, query, schema, store: PostgresStore.make(db) }
    })
}

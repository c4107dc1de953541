import { SqliteStore, schema } from "@kavach-polar/adapter-sqlite"
import Database from "better-sqlite3"
import { is } from "drizzle-orm"
import { drizzle } from "drizzle-orm/better-sqlite3"
import { getTableConfig, getViewConfig, SQLiteTable, SQLiteView } from "drizzle-orm/sqlite-core"
import { Effect } from "effect"
import { expect, test } from "vitest"

test("the exported tables and views have the columns that the database has", async () => {
  const client = new Database(":memory:")
  await Effect.runPromise(SqliteStore.make(drizzle(client)).migrate)
  const described = Object.values(schema).flatMap((each): Array<readonly [string, ReadonlyArray<string>]> => {
    if (is(each, SQLiteTable)) {
      const { columns, name } = getTableConfig(each)
      return [[name, columns.map((column) => column.name).sort()]]
    }
    if (!is(each, SQLiteView)) return []
    const { name, selectedFields } = getViewConfig(each)
    return [
      [
        name,
        Object.values(selectedFields)
          .map((field) => String(Reflect.get(Object(field), "name")))
          .sort()
      ]
    ]
  })
  const actual = client
    .prepare<[], { name: string; columns: string }>(
      "SELECT tables.name, json_group_array(columns.name) AS columns FROM pragma_table_list AS tables, pragma_table_xinfo(tables.name) AS columns WHERE tables.name LIKE 'kavach_polar_%' GROUP BY 1"
    )
    .all()
    .map(({ columns, name }) => [name, JSON.parse(columns).sort()])
  expect(Object.fromEntries(described)).toEqual(Object.fromEntries(actual))
})

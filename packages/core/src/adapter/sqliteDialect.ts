/** SQLite's SQL, for every adapter on an SQLite database. */
import type { Ddl, Dialect } from "./Dialect.ts"
import { isoOf, readableTime } from "./isoTime.ts"
import { sqliteTables } from "./sqliteTables.ts"
import { sqliteAmong, sqliteUsers } from "./sqliteUsers.ts"
import { sqlName } from "./tables.ts"

export const sqliteDialect: Dialect = {
  name: "sqlite",
  table: (name) => name,
  read: (column) => column,
  decode: (value, type) => {
    if (value === null || value === undefined) return null
    switch (type) {
      case "time":
        return readableTime(Date.parse(String(value)))
      case "flag":
        return Number(value) === 1
      case "micros":
      case "count":
        return Number(value)
      default:
        return String(value)
    }
  },
  place: () => "?",
  encode: (value, type) => {
    if (value === null) return null
    if (type === "time") return isoOf(Number(value))
    if (type === "flag") return value === true ? 1 : 0
    return typeof value === "boolean" ? Number(value) : value
  },
  among: sqliteAmong,
  prefixed: (text, column) => `'${text}' || ${column}`,
  isTrue: (column) => `${column} = 1`,
  hasBody: "has_body = 1",
  later: (millis) => ({
    text: "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ? || ' seconds')",
    values: [(millis / 1000).toFixed(3)]
  }),
  insert: (table, columns, ifThere) => {
    const key = table.key.map(sqlName)
    const others = columns.filter(({ name }) => !key.includes(name)).map(({ name }) => `${name} = excluded.${name}`)
    return `INSERT INTO ${table.name} (${columns.map(({ name }) => name).join(", ")}) VALUES (${columns.map(({ place }) => place).join(", ")}) ON CONFLICT (${key.join(", ")}) DO ${ifThere === "replace" ? `UPDATE SET ${others.join(", ")}` : "NOTHING"}`
  },
  // A transaction is alone from its beginning: BEGIN IMMEDIATE.
  forUpdate: "",
  skipLocked: "",
  byIndex: () => "",
  settings: () => [],
  locks: { wait: () => undefined, attempt: () => undefined, check: () => {} },
  ddl: sqliteTables satisfies Ddl,
  users: sqliteUsers
}

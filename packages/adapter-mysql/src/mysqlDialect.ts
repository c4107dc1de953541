/** The SQL of MySQL (8.0.17 or later) and MariaDB (10.6 or later), which share what the store needs. */
import { type ColumnType, type Dialect, DriverError, sqlName, type UsersDialect } from "@kavach-polar/core/adapter"
import { datetimeOf, millisOf } from "./datetime.ts"
import { mysqlLocks } from "./mysqlLocks.ts"
import { mysqlTables } from "./mysqlTables.ts"
import { mysqlUsers } from "./mysqlUsers.ts"

const isText = (type: ColumnType): boolean => !["micros", "count", "flag", "time"].includes(type)

export const mysqlDialect: Dialect = {
  name: "mysql",
  table: (name) => name,
  // Bytes are what no character set of the session changes on the way.
  read: (column, type) => (isText(type) ? `CAST(${column} AS BINARY)` : column),
  // Everything comes as text: see `mysqlSession`.
  decode: (value, type) => {
    if (typeof value !== "string") return null
    if (isText(type)) return value
    // As somebody may have written it where the mode allows that: it counts as long ago, and holds up nothing else.
    const number = value.startsWith("0000-00-00") ? 0 : type === "time" ? millisOf(value) : Number(value)
    if (Number.isNaN(number)) throw new DriverError("schema", "the session's results are in no readable character set")
    return type === "flag" ? number === 1 : number
  },
  place: () => "?",
  encode: (value, type) => {
    if (value === null) return null
    if (type === "time") return datetimeOf(Number(value))
    return typeof value === "boolean" ? Number(value) : value
  },
  among: (column, values) => ({ text: `${column} IN (${values.map(() => "?").join(", ")})`, values }),
  prefixed: (text, column) => `CONCAT('${text}', ${column})`,
  isTrue: (column) => `${column} = 1`,
  // There is no index of some rows only; this column stands for what the index leaves out.
  hasBody: "has_body = 1",
  // To the millisecond, as everything that is read of it: a page that follows a row does not begin with it again.
  later: (millis) => ({ text: "(UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND)", values: [millis * 1000] }),
  /**
   * Leaves the key as it is where the row that is there already has the same one. Where it is there because of another unique
   * index, which somebody must have added, it has another key: NULL makes the statement fail, in every mode, and no stranger's
   * row is written over.
   */
  insert: ({ key, name: table }, columns, ifThere) => {
    const keys = key.map(sqlName)
    const names = columns.map(({ name }) => name)
    const assignments = [
      ...keys.map((name) => `${name} = IF(${table}.${name} = VALUES(${name}), ${table}.${name}, NULL)`),
      ...(ifThere === "leave"
        ? []
        : names.filter((name) => !keys.includes(name)).map((name) => `${name} = VALUES(${name})`))
    ]
    return `INSERT INTO ${table} (${names.join(", ")}) VALUES (${columns.map(({ place }) => place).join(", ")}) ON DUPLICATE KEY UPDATE ${assignments.join(", ")}`
  },
  forUpdate: " FOR UPDATE",
  skipLocked: " FOR UPDATE SKIP LOCKED",
  // Left to itself, the server looks for the oldest of a subject among all that are queued, for each of them; and sorted
  // otherwise than by the index, all that are due would be locked before the first few are taken.
  byIndex: (index) => ` FORCE INDEX (${index})`,
  // What a transaction has to say first, it says before it begins: see `mysqlConnection`.
  settings: () => [],
  locks: mysqlLocks,
  ddl: mysqlTables,
  // Only columns that it made itself come back to it.
  users: mysqlUsers as unknown as UsersDialect
}

/** For authors of adapters: a database beside the store's own is a connection and a dialect. See docs/contributing.md. */

export type { Ddl, Dialect, Locks, Value } from "./Dialect.ts"
export { DriverError, innermostCause } from "./DriverError.ts"
export { callMillis, deadlineIn, retryConflicts, type TransactionOptions, withinDeadline } from "./deadline.ts"
export { isoOf } from "./isoTime.ts"
export { checksumOf, type Migration, migrations } from "./migrations.ts"
export { codeOf, driverNotInstalled } from "./missingDriver.ts"
export {
  type Batch,
  join,
  part,
  type Rows,
  runAsync,
  runSync,
  type Script,
  type SqlValue,
  type Statement,
  sql
} from "./Script.ts"
export { type SqlConnection, sqlDriver } from "./sqlDriver.ts"
export { sqliteDialect } from "./sqliteDialect.ts"
export { type Explanation, explainSqlite, type MeaningOfCodes } from "./sqliteErrors.ts"
export {
  type Column,
  type ColumnType,
  type Index,
  sqlName,
  type Table,
  tables,
  type View,
  views
} from "./tables.ts"
export {
  refusal,
  type UserColumn,
  type UserColumns,
  type UserIds,
  type UsersDialect,
  type Writes
} from "./usersTable.ts"

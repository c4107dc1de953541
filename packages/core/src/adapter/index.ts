/** For authors of adapters: a database beside the store's own is a connection and a dialect. See docs/contributing.md. */

export type { Patience } from "../store/StoreDriver.ts"
export { type Ddl, type Dialect, indexName, type Locks, type MigrationStep, type Value } from "./Dialect.ts"
export { DriverError, innermostCause } from "./DriverError.ts"
export {
  type Conflicts,
  callMillis,
  deadlineIn,
  retryConflicts,
  type TransactionOptions,
  withinDeadline
} from "./deadline.ts"
export { isoOf, readableTime } from "./isoTime.ts"
export { type LentKind, lentKind, onLent, refuseLent } from "./lentDatabase.ts"
export { checksumOf, type Migration, migrations } from "./migrations.ts"
export { codeOf, driverNotInstalled, loadedBy } from "./missingDriver.ts"
export { isSqlName, type OwnUsers, type UsersOption, type UsersOptions } from "./ownUsers.ts"
export {
  ask,
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
  asOf,
  type Column,
  type ColumnType,
  type Index,
  indexColumns,
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

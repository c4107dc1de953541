/**
 * `kavach_users`, the app's table. It may be KavachOS's own or one made by hand, so its real columns are looked at, and
 * what is written is what they take. Only rows that exist are ever written, and only the `polar_*` columns and
 * `updated_at` of them.
 */
import type { ProjectionRow, UserFact, UserRow } from "../records/rows.ts"
import type { Patience } from "../store/StoreDriver.ts"
import { DriverError } from "./DriverError.ts"
import { askOne, join, type Question, type Rows, type Script, type SqlValue, type Statement, sql } from "./Script.ts"

/** A column of the table as it is. */
export interface UserColumn {
  readonly name: string
  /** As the database spells its type, for people. */
  readonly declared: string
  /** Whether some index on all rows begins with it. */
  readonly isIndexed: boolean
}

export type UserColumns<Column extends UserColumn = UserColumn> = ReadonlyMap<string, Column>

/** How a value is written into a column. */
export interface Writes<A> {
  /** Its place in a statement. */
  readonly place: string
  readonly of: (value: A) => SqlValue
}

/** How users are found. Values that the column cannot hold are nobody's id. */
export interface UserIds {
  readonly read: string
  readonly is: (userId: string) => Statement
  readonly among: (userIds: ReadonlyArray<string>) => Statement
}

/** What differs between databases. Each function that looks at a column throws `refusal(...)` where it does not fit. */
export interface UsersDialect<Column extends UserColumn = UserColumn> {
  readonly table: string
  /** Where databases have schemas. What leads to one may change from one call to the next, so it is looked for once. */
  readonly schemas?: UsersSchemas<Column>
  /** The table as people call it, where that is not `kavach_users`. */
  readonly shownName?: string
  /** A table of the app's own, in which only the id is needed and nothing is written. */
  readonly isReadOnly?: boolean
  /** Reads the columns; no rows where there is no table. */
  readonly columns: Statement
  readonly columnOf: (row: ReadonlyArray<unknown>) => Column
  readonly ids: (column: Column) => UserIds
  /** The same of a column of whole numbers, as a table of the app's own may have; `undefined` of any other. */
  readonly wholeIds?: (column: Column) => UserIds | undefined
  /** A condition that a column is this address, in lower case, whatever the case it is kept in. */
  readonly isAddress: (column: string, email: string) => Statement
  readonly customerAmong: (column: Column, customerIds: ReadonlyArray<string>) => Statement
  /** Reads a column that may hold anything. */
  readonly readText: (column: string) => string
  readonly text: (column: Column) => Writes<string | null>
  /** Epoch milliseconds. */
  readonly time: (column: Column) => Writes<number | null>
  readonly flag: (column: Column) => Writes<boolean>
  readonly update: (assignments: Statement, condition: Statement, columns: ReadonlyArray<Column>) => Statement
  /** Locks rows, or fails at once where somebody has one of them; left out where `Dialect.settings` is enough. */
  readonly lockAtOnce?: (condition: Statement) => Statement
  /** Makes the table as KavachOS does. */
  readonly create: ReadonlyArray<string>
  /** Adds the columns and the index that are missing. */
  readonly additions: (columns: UserColumns<Column>) => ReadonlyArray<string>
}

export interface UsersSchemas<Column extends UserColumn> {
  /** Asks for the schema of the table as it stands in SQL; no rows where there is none. `table`: one of the app's, quoted. */
  readonly find: (table?: string) => Statement
  /** The same dialect on the table in this schema. */
  readonly within: (schema: string) => UsersDialect<Column>
}

export interface UsersTable {
  readonly find: (userId: string) => Script<UserRow | undefined>
  /** Rows with this address, given in lower case. It may go through the table. */
  readonly withAddress: (email: string, limit: number) => Question<ReadonlyArray<UserRow>>
  /** Rows of these users, and rows that show one of these customers. */
  readonly facts: (
    userIds: ReadonlyArray<string>,
    customerIds: ReadonlyArray<string>
  ) => Question<ReadonlyArray<UserFact>>
  /** Whether there is any row. */
  readonly some: Question<boolean>
  readonly project: (row: ProjectionRow, patience: Patience) => ReadonlyArray<Statement>
}

/** What is wrong with the table: said as a sentence that begins with its name. */
export const refusal = (what: string) => new DriverError("schema", `the table kavach_users ${what}`)

function* columnsOf<Column extends UserColumn>(dialect: UsersDialect<Column>): Script<UserColumns<Column>> {
  const rows = yield* askOne(dialect.columns)
  return new Map(rows.map((row) => dialect.columnOf(row)).map((column) => [column.name.toLowerCase(), column]))
}

function* located<Column extends UserColumn>(dialect: UsersDialect<Column>): Script<UsersDialect<Column>> {
  if (dialect.schemas === undefined) return dialect
  const [row] = yield* askOne(dialect.schemas.find())
  return row === undefined ? dialect : dialect.schemas.within(String(row[0]))
}

/** `undefined` when the database has no such table. Throws when a column is missing or takes nothing that fits. */
export function* openUsers<Column extends UserColumn>(given: UsersDialect<Column>): Script<UsersTable | undefined> {
  const dialect = yield* located(given)
  const columns = yield* columnsOf(dialect)
  if (dialect.isReadOnly) return readOnlyTable(dialect, columns)
  return columns.size === 0 ? undefined : usersTable(dialect, columns)
}

/** Creates the table, or the columns that are missing. Answers with what is worth a warning. */
export function* migrateUsers<Column extends UserColumn>(
  given: UsersDialect<Column>,
  run: (ddl: string) => Script<void>
): Script<ReadonlyArray<string>> {
  const dialect = yield* located(given)
  const columns = yield* columnsOf(dialect)
  if (dialect.isReadOnly) {
    readOnlyTable(dialect, columns)
    return []
  }
  if (columns.size === 0) {
    for (const statement of dialect.create) yield* run(statement)
    return []
  }
  dialect.ids(idOf(columns))
  for (const statement of dialect.additions(columns)) yield* run(statement)
  yield* openUsers(dialect)
  return warningsOf(dialect, columns)
}

export interface UsersInspection {
  readonly table: string
  readonly problem: string | null
  readonly warnings: ReadonlyArray<string>
  readonly unindexed: ReadonlyArray<string>
  /** What billing writes of it, on no row; `undefined` where it writes nothing. */
  readonly probe: Statement | undefined
}

/** How the table stands, for people; `undefined` where the database has none and needs none. */
export function* inspectUsers<Column extends UserColumn>(
  given: UsersDialect<Column>
): Script<UsersInspection | undefined> {
  const dialect = yield* located(given)
  const columns = yield* columnsOf(dialect)
  const isReadOnly = dialect.isReadOnly === true
  if (columns.size === 0 && !isReadOnly) return undefined
  const problem = problemOf(() => (isReadOnly ? readOnlyTable(dialect, columns) : usersTable(dialect, columns)))
  const written = [...textColumns, ...otherColumns].filter((name) => columns.has(name))
  return {
    table: dialect.shownName ?? "kavach_users",
    problem,
    warnings: isReadOnly || problem !== null ? [] : warningsOf(dialect, columns),
    // By an address users are seldom looked for, and not by one that is compared with an index.
    unindexed: (isReadOnly ? ["id"] : ["id", "polar_customer_id"]).filter(
      (name) => columns.get(name)?.isIndexed === false
    ),
    probe:
      isReadOnly || written.length === 0
        ? undefined
        : {
            text: `UPDATE ${dialect.table} SET ${written.map((name) => `${name} = ${name}`).join(", ")} WHERE 1 = 0`,
            values: []
          }
  }
}

const problemOf = (open: () => UsersTable): string | null => {
  try {
    open()
    return null
  } catch (error) {
    if (error instanceof DriverError) return error.message
    throw error
  }
}

/** That column need not be written: one that takes no time of ours is left alone. */
const updatedAtOf = <Column extends UserColumn>(
  dialect: UsersDialect<Column>,
  columns: UserColumns<Column>
): Writes<number | null> | undefined => {
  const column = columns.get("updated_at")
  if (column === undefined) return undefined
  try {
    return dialect.time(column)
  } catch (error) {
    if (error instanceof DriverError) return undefined
    throw error
  }
}

/** What is said of a table that can be used, and has a column that is left alone. */
const warningsOf = <Column extends UserColumn>(
  dialect: UsersDialect<Column>,
  columns: UserColumns<Column>
): ReadonlyArray<string> => {
  const column = columns.get("updated_at")
  return column === undefined || updatedAtOf(dialect, columns) !== undefined
    ? []
    : [
        `${dialect.shownName ?? "kavach_users"} keeps updated_at as ${column.declared}, which takes no time of billing's: it is not written.`
      ]
}

/** A table of the app's own: whether a user exists, and their address. */
const readOnlyTable = <Column extends UserColumn>(
  dialect: UsersDialect<Column>,
  columns: UserColumns<Column>
): UsersTable => {
  const id = columns.get("id")
  if (id === undefined) {
    const missing = columns.size === 0 ? "is not there" : "has no such column for the ids"
    throw new DriverError("schema", `the users' table ${dialect.shownName} ${missing}: compare the option users`)
  }
  const ids = dialect.ids(id)
  const readable = (name: string) => (columns.has(name) ? dialect.readText(name) : "NULL")
  const select = `SELECT ${ids.read}, ${readable("email")}, ${readable("name")}, ${readable("email_verified")} FROM ${dialect.table}`
  return {
    find: function* (userId) {
      const rows = yield* askOne(sql`${select} WHERE ${ids.is(userId)}`)
      const row = rows.find(([found]) => found === userId)
      return row === undefined
        ? undefined
        : { id: userId, email: textOrNull(row[1]), name: textOrNull(row[2]), emailVerified: saysYes(row[3]) }
    },
    withAddress: withAddress(dialect, columns, select),
    facts: (userIds) => ({
      statement:
        userIds.length === 0
          ? undefined
          : sql`SELECT ${ids.read}, NULL, ${readable("email")} FROM ${dialect.table} WHERE ${ids.among(userIds)}`,
      of: (rows) => exactly(rows, new Set(userIds), new Set())
    }),
    some: someRow(dialect),
    project: () => []
  }
}

const textColumns = ["polar_customer_id", "polar_subscription_id", "polar_subscription_status", "polar_product_id"]
const otherColumns = ["polar_current_period_end", "polar_cancel_at_period_end"]

const usersTable = <Column extends UserColumn>(
  dialect: UsersDialect<Column>,
  columns: UserColumns<Column>
): UsersTable => {
  const ids = dialect.ids(idOf(columns))
  const column = (name: string): Column => {
    const found = columns.get(name)
    if (found === undefined) throw refusal(`has no column ${name}; run the migrations`)
    return found
  }
  const [customer, subscription, status, product] = textColumns.map((name) => dialect.text(column(name))) as [
    Writes<string | null>,
    Writes<string | null>,
    Writes<string | null>,
    Writes<string | null>
  ]
  const periodEnd = dialect.time(column("polar_current_period_end"))
  const cancelAtPeriodEnd = dialect.flag(column("polar_cancel_at_period_end"))
  const updatedAt = updatedAtOf(dialect, columns)
  const written = [...textColumns, ...otherColumns].concat(updatedAt === undefined ? [] : ["updated_at"]).map(column)
  const readable = (name: string) => (columns.has(name) ? dialect.readText(name) : "NULL")
  const customerId = dialect.readText("polar_customer_id")
  const selectUser = `SELECT ${ids.read}, ${readable("email")}, ${readable("name")}, ${readable("email_verified")} FROM ${dialect.table}`
  const selectFact = `SELECT ${ids.read}, ${customerId}, ${readable("email")} FROM ${dialect.table}`
  const customerColumn = column("polar_customer_id")

  return {
    find: function* (userId) {
      const rows = yield* askOne(sql`${selectUser} WHERE ${ids.is(userId)}`)
      // The column may have a collation for which more is equal than ids are.
      const row = rows.find(([id]) => id === userId)
      return row === undefined
        ? undefined
        : { id: userId, email: textOrNull(row[1]), name: textOrNull(row[2]), emailVerified: saysYes(row[3]) }
    },
    withAddress: withAddress(dialect, columns, selectUser),
    facts: (userIds, customerIds) => {
      const halves = [
        ...(userIds.length === 0 ? [] : [sql`${selectFact} WHERE ${ids.among(userIds)}`]),
        // One column or the other has an index; a condition on both could go through the table.
        ...(customerIds.length === 0
          ? []
          : [sql`${selectFact} WHERE ${dialect.customerAmong(customerColumn, customerIds)}`])
      ]
      return {
        statement: halves.length === 0 ? undefined : join(halves, " UNION ALL "),
        of: (rows) => exactly(rows, new Set(userIds), new Set(customerIds))
      }
    },
    some: someRow(dialect),
    project: (row, patience) => {
      const values: ReadonlyArray<readonly [string, Statement]> = [
        ...(row.polarCustomerId === undefined
          ? []
          : [["polar_customer_id", assigned(customer, row.polarCustomerId)] as const]),
        ["polar_subscription_id", assigned(subscription, row.polarSubscriptionId)],
        ["polar_subscription_status", assigned(status, row.polarSubscriptionStatus)],
        ["polar_product_id", assigned(product, row.polarProductId)],
        ["polar_current_period_end", assigned(periodEnd, row.polarCurrentPeriodEnd)],
        ["polar_cancel_at_period_end", assigned(cancelAtPeriodEnd, row.polarCancelAtPeriodEnd)],
        ...(updatedAt === undefined ? [] : [["updated_at", assigned(updatedAt, row.updatedAt)] as const])
      ]
      const assignments = join(
        values.map(([name, value]) => sql`${name} = ${value}`),
        ", "
      )
      const condition = ids.is(row.userId)
      return [
        ...(patience === "full" || dialect.lockAtOnce === undefined ? [] : [dialect.lockAtOnce(condition)]),
        dialect.update(assignments, condition, written)
      ]
    }
  }
}

const withAddress =
  <Column extends UserColumn>(
    dialect: UsersDialect<Column>,
    columns: UserColumns<Column>,
    select: string
  ): UsersTable["withAddress"] =>
  (email, limit) => ({
    statement: columns.has("email")
      ? sql`${select} WHERE ${dialect.isAddress("email", email)} LIMIT ${String(limit)}`
      : undefined,
    of: (rows) =>
      rows
        .map(([id, address, name, verified]) => ({
          id: String(id),
          email: textOrNull(address),
          name: textOrNull(name),
          emailVerified: saysYes(verified)
        }))
        .filter((row) => row.email?.toLowerCase() === email)
  })

const someRow = ({ table }: Pick<UsersDialect, "table">): Question<boolean> => ({
  statement: { text: `SELECT 1 FROM ${table} LIMIT 1`, values: [] },
  of: (rows) => rows.length > 0
})

const idOf = <Column extends UserColumn>(columns: UserColumns<Column>): Column => {
  const column = columns.get("id")
  if (column === undefined) throw refusal("has no column id")
  return column
}

const assigned = <A>({ of, place }: Writes<A>, value: A): Statement => ({ text: place, values: [of(value)] })

/** Of the rows that were found, those that were meant, each once. */
const exactly = (
  rows: Rows,
  userIds: ReadonlySet<string>,
  customerIds: ReadonlySet<string>
): ReadonlyArray<UserFact> => {
  const found = new Map<string, UserFact>()
  for (const [id, customer, email] of rows) {
    const row = { id: String(id), polarCustomerId: textOrNull(customer), email: textOrNull(email) }
    if (userIds.has(row.id) || (row.polarCustomerId !== null && customerIds.has(row.polarCustomerId))) {
      found.set(row.id, row)
    }
  }
  return [...found.values()]
}

/** Of a flag in whatever type of column, or of the time when it was verified. */
const saysYes = (value: unknown): boolean =>
  value !== null && value !== undefined && !/^(?:0|f|false|n|no|)$/i.test(String(value).trim())

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null)

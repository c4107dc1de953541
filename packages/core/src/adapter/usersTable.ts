/**
 * `kavach_users`, the app's table. It may be KavachOS's own or one made by hand, so its real columns are looked at, and
 * what is written is what they take. Only rows that exist are ever written, and only the `polar_*` columns and
 * `updated_at` of them.
 */
import type { ProjectionRow, UserFact, UserRow } from "../records/rows.ts"
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
  /** Reads the columns; no rows where there is no table. */
  readonly columns: Statement
  readonly columnOf: (row: ReadonlyArray<unknown>) => Column
  readonly ids: (column: Column) => UserIds
  readonly customerAmong: (column: Column, customerIds: ReadonlyArray<string>) => Statement
  /** Reads a column that may hold anything. */
  readonly readText: (column: string) => string
  readonly text: (column: Column) => Writes<string | null>
  /** Epoch milliseconds. */
  readonly time: (column: Column) => Writes<number | null>
  readonly flag: (column: Column) => Writes<boolean>
  readonly update: (assignments: Statement, condition: Statement, columns: ReadonlyArray<Column>) => Statement
  /** Makes the table as KavachOS does. */
  readonly create: ReadonlyArray<string>
  /** Adds the columns and the index that are missing. */
  readonly additions: (columns: UserColumns<Column>) => ReadonlyArray<string>
}

export interface UsersTable {
  readonly find: (userId: string) => Script<UserRow | undefined>
  /** Rows of these users, and rows that show one of these customers. */
  readonly facts: (
    userIds: ReadonlyArray<string>,
    customerIds: ReadonlyArray<string>
  ) => Question<ReadonlyArray<UserFact>>
  readonly project: (row: ProjectionRow) => ReadonlyArray<Statement>
}

/** What is wrong with the table: said as a sentence that begins with its name. */
export const refusal = (what: string) => new DriverError("schema", `the table kavach_users ${what}`)

function* columnsOf<Column extends UserColumn>(dialect: UsersDialect<Column>): Script<UserColumns<Column>> {
  const rows = yield* askOne(dialect.columns)
  return new Map(rows.map((row) => dialect.columnOf(row)).map((column) => [column.name.toLowerCase(), column]))
}

/** `undefined` when the database has no such table. Throws when a column is missing or takes nothing that fits. */
export function* openUsers<Column extends UserColumn>(dialect: UsersDialect<Column>): Script<UsersTable | undefined> {
  const columns = yield* columnsOf(dialect)
  return columns.size === 0 ? undefined : usersTable(dialect, columns)
}

/** Creates the table, or the columns that are missing. */
export function* migrateUsers<Column extends UserColumn>(
  dialect: UsersDialect<Column>,
  run: (ddl: string) => Script<void>
): Script<void> {
  const columns = yield* columnsOf(dialect)
  if (columns.size === 0) {
    for (const statement of dialect.create) yield* run(statement)
    return
  }
  dialect.ids(idOf(columns))
  for (const statement of dialect.additions(columns)) yield* run(statement)
  yield* openUsers(dialect)
}

const textColumns = ["polar_customer_id", "polar_subscription_id", "polar_subscription_status", "polar_product_id"]

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
  const updatedAt = columns.has("updated_at") ? dialect.time(column("updated_at")) : undefined
  const written = [...textColumns, "polar_current_period_end", "polar_cancel_at_period_end"]
    .concat(updatedAt === undefined ? [] : ["updated_at"])
    .map(column)
  const readable = (name: string) => (columns.has(name) ? dialect.readText(name) : "NULL")
  const customerId = dialect.readText("polar_customer_id")
  const selectUser = `SELECT ${ids.read}, ${readable("email")}, ${readable("name")} FROM ${dialect.table}`
  const selectFact = `SELECT ${ids.read}, ${customerId} FROM ${dialect.table}`
  const customerColumn = column("polar_customer_id")

  return {
    find: function* (userId) {
      const rows = yield* askOne(sql`${selectUser} WHERE ${ids.is(userId)}`)
      // The column may have a collation for which more is equal than ids are.
      const row = rows.find(([id]) => id === userId)
      return row === undefined ? undefined : { id: userId, email: textOrNull(row[1]), name: textOrNull(row[2]) }
    },
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
    project: (row) => {
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
      return [dialect.update(assignments, ids.is(row.userId), written)]
    }
  }
}

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
  for (const [id, customer] of rows) {
    const row = { id: String(id), polarCustomerId: textOrNull(customer) }
    if (userIds.has(row.id) || (row.polarCustomerId !== null && customerIds.has(row.polarCustomerId))) {
      found.set(row.id, row)
    }
  }
  return [...found.values()]
}

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null)

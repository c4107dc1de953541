/** Which table of users a store reads: KavachOS's, one of the app's own, or none. */
import { DriverError } from "./DriverError.ts"
import type { Statement } from "./Script.ts"
import type { UserColumn, UsersDialect } from "./usersTable.ts"

/** The app's own table: it is read, to know whether a user exists and what their address is, and never written. */
export interface OwnUsers {
  /** Its name, as the database has it; on PostgreSQL with its schema where that is not searched, as in `auth.users`. */
  readonly table: string
  /** The column with the id that the app gives to `createCheckout` and the rest. Text, uuid, or whole numbers. */
  readonly id: string
  readonly email?: string | undefined
  readonly name?: string | undefined
}

/**
 * - `"kavach_users"`: KavachOS's table, which is made where it is missing. The default of a store.
 * - `"ifThere"`: the same, where it is there.
 * - an `OwnUsers`: a table of the app's.
 * - `false`: none. A user exists by a checkout or a link.
 */
export type UsersOption = "kavach_users" | "ifThere" | OwnUsers | false

export interface UsersOptions {
  readonly users?: UsersOption | undefined
}

/** The users of a store; `undefined` where it looks at none. */
export const usersWith = <Column extends UserColumn>(
  dialect: UsersDialect<Column>,
  option: UsersOption | undefined,
  databaseName: string
): UsersDialect<Column> | undefined => {
  if (option === false) return undefined
  if (option === undefined || option === "kavach_users") return dialect
  if (option === "ifThere") return { ...dialect, create: [] }
  return inOwnTable(dialect, option, /mysql/i.test(databaseName) ? "`" : '"')
}

/** A name that needs no escaping, perhaps with a schema before it. */
export const isSqlName = (name: string): boolean => /^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$/.test(name)

const inOwnTable = <Column extends UserColumn>(
  dialect: UsersDialect<Column>,
  { email, id, name, table }: OwnUsers,
  quote: string,
  shownName: string = table
): UsersDialect<Column> => {
  for (const given of [table, id, email, name]) {
    if (given !== undefined && !isSqlName(given)) {
      throw new DriverError("schema", `"${given}" is no name of a table or column that can be used for users`)
    }
  }
  const quoted = (given: string) =>
    given
      .split(".")
      .map((part) => `${quote}${part}${quote}`)
      .join(".")
  const { schemas } = dialect
  const names = new Map([
    [id.toLowerCase(), "id"],
    ...(email === undefined ? [] : [[email.toLowerCase(), "email"] as const]),
    ...(name === undefined ? [] : [[name.toLowerCase(), "name"] as const])
  ])
  const columns = new Map([
    ["id", id],
    ["email", email ?? "email"],
    ["name", name ?? "name"]
  ])
  const text = (statement: string): string =>
    statement
      .replace(/'kavach_users'/g, `'${table}'`)
      .replace(
        /\bkavach_users\.(\w+)/g,
        (_all, column: string) => `${quoted(table)}.${quoted(columns.get(column) ?? column)}`
      )
      .replace(/\bkavach_users\b/g, quoted(table))
  const renamed = <Question extends Statement>(statement: Question): Question => ({
    ...statement,
    text: text(statement.text)
  })
  return {
    ...dialect,
    isReadOnly: true,
    table: text(dialect.table),
    ...(schemas === undefined
      ? {}
      : {
          schemas: {
            find: () => schemas.find(quoted(table)),
            // Within its schema it goes by the last part of its name.
            within: (schema) =>
              inOwnTable(schemas.within(schema), { email, id, name, table: table.replace(/^.*\./, "") }, quote, table)
          }
        }),
    shownName,
    columns: renamed(dialect.columns),
    columnOf: (row) => {
      const column = dialect.columnOf(row)
      // What is not named is none of the store's business, whatever it is called.
      return { ...column, name: names.get(column.name.toLowerCase()) ?? `not used: ${column.name}` }
    },
    ids: (column) => {
      const ids = dialect.wholeIds?.(column) ?? dialect.ids(column)
      return {
        read: text(ids.read),
        is: (userId) => renamed(ids.is(userId)),
        among: (userIds) => renamed(ids.among(userIds))
      }
    },
    isAddress: (column, address) => renamed(dialect.isAddress(column, address)),
    readText: (column) => text(dialect.readText(column)),
    create: [],
    additions: () => []
  }
}

/**
 * Selects from several tables as one statement, because each statement is a way to the server and back. All of it is read
 * at one moment.
 */
import { type GetColumnData, is, SQL, sql } from "drizzle-orm"
import type { MySqlColumn, MySqlTable } from "drizzle-orm/mysql-core"
import { type Queries, uncached } from "./MysqlDatabase.ts"

type Fields = Readonly<Record<string, MySqlColumn | SQL>>

/** Rows with these fields, from one place or from several that have them all. A row that is found twice is there twice. */
export interface Part<F extends Fields = Fields> {
  readonly fields: F
  readonly from: ReadonlyArray<Source>
}

export interface Source {
  readonly table: MySqlTable | SQL
  readonly where: SQL
  /** One row for each value of it, instead of all. */
  readonly groupBy?: MySqlColumn | undefined
}

type RowOf<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends MySqlColumn ? GetColumnData<F[K]> : F[K] extends SQL<infer A> ? A : never
}

export type RowsOf<Parts extends Readonly<Record<string, Part>>> = {
  readonly [Name in keyof Parts]: ReadonlyArray<RowOf<Parts[Name]["fields"]>>
}

/** Every part has columns of its own, which are NULL in the rows of the others: their types and collations never meet. */
export const select = async <Parts extends Readonly<Record<string, Part>>>(
  queries: Queries,
  parts: Parts
): Promise<RowsOf<Parts>> => {
  const columns = Object.entries(parts).flatMap(([part, { fields }]) =>
    Object.entries(fields).map(([field, column]) => ({ part, alias: `${part} ${field}`, column }))
  )
  const fieldsOf = (own: string): Record<string, SQL.Aliased> => ({
    part: sql`${sql.raw(`'${own}'`)}`.as("part"),
    // MariaDB wants columns of different names.
    ...Object.fromEntries(
      columns.map(({ alias, column, part }) => [
        alias,
        decodedLike(column, part === own ? sql`${column}` : sql`NULL`).as(alias)
      ])
    )
  })
  const selectOf = (own: string, { table }: Source): SQL => {
    const expressions = columns.map(({ column, part }) => (part === own ? sql`${column}` : sql`NULL`))
    return sql`SELECT ${sql.join([sql.raw(`'${own}'`), ...expressions], sql`, `)} FROM ${table} WHERE `
  }
  const [first, ...rest] = Object.entries(parts).flatMap(([name, { from }]) => from.map((source) => ({ name, source })))
  // drizzle would put parentheses into parentheses, which MySQL understands since 8.0.31 only.
  const others = rest.map(({ name, source }) => sql` UNION ALL ${selectOf(name, source)}${conditionOf(source)}`)
  const found =
    first === undefined
      ? []
      : await uncached(
          queries
            .select(fieldsOf(first.name))
            .from(first.source.table)
            .where(sql.join([conditionOf(first.source), ...others]))
        )
  const rows = Object.entries(parts).map(([name, { fields }]) => [
    name,
    found
      .filter((row) => row["part"] === name)
      .map((row) => Object.fromEntries(Object.keys(fields).map((field) => [field, row[`${name} ${field}`]])))
  ])
  return Object.fromEntries(rows) as RowsOf<Parts>
}

const conditionOf = ({ groupBy, where }: Source): SQL =>
  groupBy === undefined ? where : sql`${where} GROUP BY ${groupBy}`

const decodedLike = (column: MySqlColumn | SQL, expression: SQL): SQL =>
  is(column, SQL) ? expression : expression.mapWith(column)

/** How the database stands, for people: what `migrationStatus` does not need to know, and an operator does. Changes nothing. */
import type { DatabaseInspection } from "../store/DatabaseInspection.ts"
import { type Dialect, indexName } from "./Dialect.ts"
import { ask, askOne, part, type Script, type Statement } from "./Script.ts"
import { sqlName, type Table, tables } from "./tables.ts"
import { inspectUsers, type UsersDialect } from "./usersTable.ts"

/** Indexes that somebody has dropped, such as drizzle-kit where it does not know them, each as the SQL that makes it. */
export function* missingIndexes({ ddl }: Dialect): Script<DatabaseInspection["missingIndexes"]> {
  const found = new Set((yield* askOne(ddl.columns)).map(([table, column]) => `${String(table)} ${String(column)}`))
  return tables.flatMap(({ indexes, name: table }) =>
    indexes
      .filter(({ name }) => !found.has(`${table} ${indexName(name)}`))
      .flatMap((index) => ddl.addIndex(table, index).map(({ sql }) => ({ name: index.name, table, sql })))
  )
}

interface Probe {
  readonly table: string
  readonly statements: ReadonlyArray<Statement>
}

/** What billing does with a table, on no row. A privilege is asked for all the same. */
const probeOf = (dialect: Dialect, { columns, name }: Table): Probe => {
  const table = dialect.table(name)
  const fields = Object.keys(columns).map(sqlName)
  const [first = ""] = fields
  return {
    table: name,
    statements: [
      part(`INSERT INTO ${table} (${fields.join(", ")}) SELECT ${fields.join(", ")} FROM ${table} WHERE 1 = 0`),
      part(`UPDATE ${table} SET ${first} = ${first} WHERE 1 = 0`),
      part(`DELETE FROM ${table} WHERE 1 = 0`)
    ]
  }
}

export interface Inspecting {
  readonly dialect: Dialect
  readonly users: UsersDialect | undefined
  readonly read: <A>(script: () => Script<A>) => A | Promise<A>
  /** It is never committed. */
  readonly transaction: <A>(script: () => Script<A>) => A | Promise<A>
  readonly explain: (error: unknown) => { readonly reason: string; readonly detail: string }
}

export const inspect = async ({
  dialect,
  explain,
  read,
  transaction,
  users
}: Inspecting): Promise<DatabaseInspection> => {
  const ofUsers = users === undefined ? undefined : await read(() => inspectUsers(users))
  const probes = [
    ...tables.map((table) => probeOf(dialect, table)),
    ...(ofUsers?.probe === undefined ? [] : [{ table: ofUsers.table, statements: [ofUsers.probe] }])
  ]
  const denied: Array<DatabaseInspection["denied"][number]> = []
  for (const { statements, table } of probes) {
    try {
      await transaction(() => ask(...statements))
    } catch (error) {
      const { detail, reason } = explain(error)
      // Whatever else went wrong says nothing of privileges.
      if (reason !== "denied" && reason !== "readOnly") throw error
      denied.push({ table, detail })
    }
  }
  return {
    missingIndexes: await read(() => missingIndexes(dialect)),
    denied,
    users:
      ofUsers === undefined
        ? null
        : {
            table: ofUsers.table,
            problem: ofUsers.problem,
            warnings: ofUsers.warnings,
            unindexed: ofUsers.unindexed
          }
  }
}

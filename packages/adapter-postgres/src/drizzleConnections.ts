/** Any drizzle database on PostgreSQL: postgres.js's, PGlite's and the like. */
import {
  DriverError,
  lentKind,
  type Rows,
  refuseLent,
  runAsync,
  type Script,
  type Statement,
  withinDeadline
} from "@kavach-polar/core/adapter"
import { type SQL, sql } from "drizzle-orm"
import type { PgDatabase, PgQueryResultHKT, PgTransactionConfig } from "drizzle-orm/pg-core"
import type { TablesRelationalConfig } from "drizzle-orm/relations"
import { type Connections, isolationLevel } from "./Connections.ts"
import { isPostgresJs, onPostgresJs } from "./lentPostgresJs.ts"
import { isClient, isPool, onClient, onPool } from "./nodePostgres.ts"

/** A drizzle database on PostgreSQL, made with or without a schema. */
export type PgDrizzle<
  TQueryResult extends PgQueryResultHKT,
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig
> = PgDatabase<TQueryResult, TFullSchema, TSchema>

/** On node-postgres it is used without drizzle. */
export const connectionsOf = <
  TQueryResult extends PgQueryResultHKT,
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig
>(
  db: PgDrizzle<TQueryResult, TFullSchema, TSchema>
): Connections => {
  const client = clientOf(db)
  if (isPool(client)) return onPool(client, false)
  if (isClient(client)) return onClient(client)
  return onDrizzle(db)
}

/** On what an app has, of a type that nobody vouches for. */
export const lentConnections = (client: unknown): Connections => {
  if (isPool(client)) return onPool(client, false)
  if (isClient(client)) return onClient(client)
  if (isPostgresJs(client)) return onPostgresJs(client)
  const kind = lentKind(client)
  refuseLent(kind, "postgres")
  if (kind.drizzle === undefined) {
    throw new DriverError("schema", "the database is none of node-postgres, postgres.js or drizzle on PostgreSQL")
  }
  return connectionsOf(client as Parameters<typeof connectionsOf>[0])
}

interface Executes {
  readonly execute: (statement: SQL) => PromiseLike<unknown>
}

/** What is used of it; the same whatever its driver and schema. */
interface Drizzle extends Executes {
  readonly transaction: <A>(body: (tx: Executes) => Promise<A>, config: PgTransactionConfig) => Promise<A>
}

/** drizzle cannot close a connection: at the deadline the caller is answered, and nothing more of the script is sent. */
const onDrizzle = (drizzle: Drizzle): Connections => ({
  read: (script, deadline) => {
    const turns = turnsUntilOver()
    return withinDeadline(
      runAsync(script(), (batch) => turns.run(drizzle, batch.statements)),
      deadline,
      turns.end
    )
  },
  transaction: <A>(script: () => Script<A>, deadline: number) => {
    const turns = turnsUntilOver()
    // What was thrown within: where the connection is gone, or nothing is to stay, drizzle's rollback may throw another.
    let thrown: { readonly error: unknown } | undefined
    let uncommitted: { readonly answer: A } | undefined
    const body = async (tx: Executes): Promise<A> => {
      let isCommitted = false
      const answer = await runAsync(script(), async ({ commits, statements }) => {
        const answers = await turns.run(tx, statements)
        isCommitted ||= commits
        return answers
      })
      turns.check()
      if (isCommitted) return answer
      uncommitted = { answer }
      throw new Error("nothing is to stay")
    }
    const running = drizzle
      .transaction(
        (tx) =>
          body(tx).catch((error: unknown) => {
            thrown = { error }
            throw error
          }),
        { isolationLevel }
      )
      .catch((error: unknown) => {
        if (uncommitted !== undefined) return uncommitted.answer
        throw thrown === undefined ? error : thrown.error
      })
    return withinDeadline(running, deadline, turns.end)
  }
})

const turnsUntilOver = () => {
  let isOver = false
  const check = () => {
    if (isOver) throw new DriverError("unavailable", "the database did not answer in time")
  }
  return {
    check,
    end: () => {
      isOver = true
    },
    run: async (session: Executes, statements: ReadonlyArray<Statement>): Promise<ReadonlyArray<Rows>> => {
      const answers: Array<Rows> = []
      for (const statement of statements) {
        check()
        answers.push(rowsOf(await session.execute(drizzleOf(statement))).map((row) => Object.values(row)))
      }
      return answers
    }
  }
}

const drizzleOf = ({ text, values }: Statement): SQL => {
  const pieces = values.length === 0 ? [text] : text.split("?")
  return sql(Object.assign([...pieces], { raw: pieces }), ...values)
}

/** postgres.js answers with rows, the other drivers with an object that has them. */
const rowsOf = (result: unknown): ReadonlyArray<object> => {
  const rows = typeof result === "object" && result !== null && "rows" in result ? result.rows : result
  return Array.isArray(rows) ? rows : []
}

/** drizzle declares its session internal, and only some of its databases have `$client`. */
const clientOf = (db: object): unknown => {
  const session: unknown = Reflect.get(db, "session")
  const client: unknown = typeof session === "object" && session !== null ? Reflect.get(session, "client") : undefined
  return client ?? Reflect.get(db, "$client")
}

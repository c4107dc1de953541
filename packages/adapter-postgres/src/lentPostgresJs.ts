/**
 * postgres.js of the app's: each script has a connection reserved for it. Its `begin` is not used, because it throws where
 * nobody can catch it when its connection breaks (porsager/postgres, issues 1208 and 1216).
 */
import type { ReservedSql, Sql } from "postgres"
import { type Connections, onHeld } from "./Connections.ts"
import { preparedText } from "./preparedText.ts"

export const isPostgresJs = (client: unknown): client is Sql =>
  typeof client === "function" &&
  ["reserve", "unsafe", "begin"].every((name) => typeof Reflect.get(client, name) === "function")

export const onPostgresJs = (sql: Sql): Connections =>
  onHeld(async () => {
    const connection = await sql.reserve()
    return {
      run: ({ text, values }) =>
        connection.unsafe(preparedText(text, values.length > 0).text, [...values], { prepare: false }).values(),
      release: (error) => {
        if (error === undefined) connection.release()
        else releaseOnceRolledBack(connection)
      }
    }
  })

/** What is under way on it comes first. Who gets it next is not to be in a transaction of ours. */
const releaseOnceRolledBack = (connection: ReservedSql): void => {
  connection
    .unsafe("ROLLBACK")
    .then(
      () => {},
      () => {}
    )
    .finally(() => connection.release())
}

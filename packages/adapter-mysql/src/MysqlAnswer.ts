/** What a statement that stands alone yields, on a pool of mysql2's or on a connection. */
import { type Connection, type Manner, rowsIn, typeCast } from "./MysqlExchange.ts"
import type { Rows } from "./MysqlRows.ts"
import type { Statement } from "./MysqlStatement.ts"

/**
 * A pool whose connections take several statements is this package's own, and there the server prepares the text, once for
 * each connection, and from then on is sent no more than the values. On any other the values are written into the text, as
 * drizzle does it: what lies between may know no prepared statements, and a server keeps so many for all who use it.
 */
export const answerTo = async (connection: Connection, manner: Manner, one: Statement): Promise<Rows> => {
  const { text: sql, values } = one
  if (manner.together) {
    // Whatever the pool's options make of what comes.
    const [rows] = await connection.execute({ sql, values, rowsAsArray: true, dateStrings: true, typeCast: true })
    return rowsIn(rows)
  }
  manner.log?.(sql, [...values])
  const [rows] = await connection.query({ sql, values, rowsAsArray: true, typeCast })
  return rowsIn(rows)
}

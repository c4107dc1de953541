/**
 * postgres.js (postgres), each connection as a client of its own: that is how one of them can be closed. When a connection
 * breaks, postgres.js opens another by itself, on which a transaction would go on that never began there; so a client is not
 * used any more once its connection has closed.
 */
import { callMillis } from "@kavach-polar/core/adapter"
import type { Sql } from "postgres"
import type { HeldConnection } from "./Connections.ts"
import { preparing } from "./lostStatements.ts"
import { preparedText } from "./preparedText.ts"

/** What each client is made with. */
export interface ClientOptions {
  readonly max: 1
  readonly max_lifetime: null
  readonly fetch_types: false
  readonly onclose: () => void
}

interface Client {
  readonly sql: Sql
  isClosed: boolean
}

/** Whether the server itself is at the other end: a pooler greets with a process number of its own. */
const isDirect = async (sql: Sql): Promise<boolean> => {
  const rows = await sql.unsafe<[{ readonly pid: number }]>("SELECT pg_backend_pid() AS pid", [], { prepare: false })
  return rows[0].pid === rows.state.pid
}

export const postgresJsPool = (connect: (options: ClientOptions) => Sql, most: number, prepare: boolean) => {
  const statements = preparing(prepare)
  const all = new Set<Client>()
  const idle: Array<Client> = []
  const waiting: Array<(client: Client) => void> = []

  const open = (): Client => {
    const client: Client = {
      sql: connect({
        max: 1,
        // A connection ends between two transactions, and not within one.
        max_lifetime: null,
        fetch_types: false,
        onclose: () => drop(client)
      }),
      isClosed: false
    }
    all.add(client)
    return client
  }

  const close = (client: Client) => client.sql.end({ timeout: 0 }).catch(() => {})

  const drop = (client: Client) => {
    if (client.isClosed) return
    client.isClosed = true
    all.delete(client)
    void close(client)
  }

  const next = (): Client | undefined => {
    for (let client = idle.pop(); client !== undefined; client = idle.pop()) if (!client.isClosed) return client
    return all.size < most ? open() : undefined
  }

  const giveOut = () => {
    while (waiting.length > 0) {
      const client = next()
      if (client === undefined) return
      waiting.shift()?.(client)
    }
  }

  const held = (client: Client): HeldConnection => ({
    pipelined: (send) => send(),
    run: async ({ text, values }) => {
      if (client.isClosed) throw Object.assign(new Error("the connection was closed"), { code: "CONNECTION_CLOSED" })
      const prepared = preparedText(text, values.length > 0)
      const isPrepared = statements.isOn() && prepared.recurs
      try {
        return await client.sql.unsafe(prepared.text, [...values], { prepare: isPrepared }).values()
      } catch (error) {
        throw isPrepared ? statements.failed(error) : error
      }
    },
    release: (error) => {
      if (error !== undefined) drop(client)
      else if (!client.isClosed) idle.push(client)
      giveOut()
    }
  })

  /** Looked at once: postgres.js repeats by itself what lost its statement, and then answers no more. */
  let looking: Promise<void> | undefined
  const look = async ({ sql }: Client) => {
    if (statements.isOn() && !(await isDirect(sql))) statements.off()
  }
  const looked = (client: Client): Promise<void> => {
    looking ??= look(client).catch(() => {
      // Whatever it was, the statement that follows meets it too, and says so.
      looking = undefined
    })
    return looking
  }

  return {
    acquire: (): Promise<HeldConnection> =>
      new Promise((resolve) => {
        waiting.push((client) => void looked(client).then(() => resolve(held(client))))
        giveOut()
      }),
    /** Waits for what is under way, as long as a call may take. */
    end: () => Promise.all([...all].map(({ sql }) => sql.end({ timeout: callMillis / 1000 })))
  }
}

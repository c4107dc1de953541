/**
 * node-postgres (pg) without drizzle's help, which keeps a connection of the pool for ever if it breaks at BEGIN, and sends
 * one statement in a message.
 */
import type { Rows, SqlValue } from "@kavach-polar/core/adapter"
import { type Connections, type HeldConnection, onHeld } from "./Connections.ts"
import { type Preparing, preparing } from "./lostStatements.ts"
import { preparedText } from "./preparedText.ts"

interface Listens {
  (event: "error", listener: (error: Error) => void): unknown
  (event: "notice", listener: (notice: { readonly code?: string | undefined }) => void): unknown
}

/** The part of its Client that is used. */
export interface NodePostgresClient {
  readonly query: (query: {
    readonly text: string
    readonly values: ReadonlyArray<SqlValue>
    readonly rowMode: "array"
    /** One that has a name is prepared once for each connection. */
    readonly name?: string
  }) => Promise<{ readonly rows: Rows }>
  readonly on: Listens
  readonly removeListener: Listens
  /** Of versions that have it: `I` for none, as the server last said. */
  readonly getTransactionStatus?: () => string | null
  readonly end: () => Promise<unknown>
}

interface PooledClient extends NodePostgresClient {
  readonly release: (error?: Error) => void
}

export interface NodePostgresPool {
  readonly connect: () => Promise<PooledClient>
}

/** `prepare`: not where a pooler hands a connection to another client after each transaction. */
export const onPool = (pool: NodePostgresPool, prepare: boolean): Connections => {
  const statements = preparing(prepare)
  return onHeld(async () => {
    const client = await pool.connect()
    return heldClient(client, statements, (error) => client.release(error))
  })
}

/** Two transactions on one connection would become one, so they take turns. */
export const onClient = (client: NodePostgresClient): Connections => {
  let last: Promise<void> = Promise.resolve()
  let isClosed = false
  return onHeld(async () => {
    const before = last
    let pass = () => {}
    last = new Promise((resolve) => {
      pass = resolve
    })
    await before
    // A closed one says for ever what it was in.
    let isWithinAnother = !isClosed && (client.getTransactionStatus?.() ?? "I") !== "I"
    const listener = ({ code }: { readonly code?: string | undefined }) => {
      if (code === activeTransaction) isWithinAnother = true
    }
    client.on("notice", listener)
    const held = heldClient(client, preparing(false), (error) => {
      client.removeListener("notice", listener)
      if (error !== undefined) {
        isClosed = true
        client.end().catch(() => {})
      }
      pass()
    })
    return { ...held, isWithinAnother: () => isWithinAnother }
  })
}

/** active_sql_transaction: of the warning that answers a BEGIN within a transaction. */
const activeTransaction = "25001"

/**
 * When a connection breaks, its client rejects what is under way and emits "error" besides, which ends the process if nobody
 * listens: the pool listens to idle clients only.
 */
const heldClient = (
  client: NodePostgresClient,
  statements: Preparing,
  giveBack: (error: Error | undefined) => void
): HeldConnection => {
  let broken: Error | undefined
  const listener = (error: Error) => {
    broken = error
  }
  let hasFailed = false
  client.on("error", listener)
  return {
    ...(Reflect.get(client, "pipeline") === true ? { pipelined: (send) => inOneWrite(client, send) } : {}),
    run: async ({ text, values }) => {
      const prepared = preparedText(text, values.length > 0)
      const query = { text: prepared.text, values, rowMode: "array" } as const
      const isPrepared = statements.isOn() && prepared.recurs
      try {
        return (await client.query(isPrepared ? { ...query, name: prepared.name } : query)).rows
      } catch (error) {
        // What comes behind a failure is not prepared, and then is not found by who comes behind that with the same text.
        const isFirst = !hasFailed
        hasFailed = true
        throw isPrepared && isFirst ? statements.failed(error) : error
      }
    },
    release: (error = broken) => {
      giveBack(error)
      client.removeListener("error", listener)
      if (error !== undefined) destroySocket(client)
    }
  }
}

/** The client writes each query by itself, and a write to a socket takes as long as all else that is done for a query. */
const inOneWrite = <A>(client: NodePostgresClient, send: () => A): A => {
  const socket = socketOf(client)
  if (!hasFunctions<{ cork: () => void; uncork: () => void }>(socket, ["cork", "uncork"])) return send()
  socket.cork()
  try {
    return send()
  } finally {
    socket.uncork()
  }
}

/** What `end` alone does not do while queries are under way in pipeline mode: it waits for a server that may be silent. */
export const destroySocket = (client: object): void => {
  const socket = socketOf(client)
  if (hasFunctions<{ destroy: () => void }>(socket, ["destroy"])) socket.destroy()
}

const socketOf = (client: object): unknown => {
  const connection: unknown = Reflect.get(client, "connection")
  return connection instanceof Object ? Reflect.get(connection, "stream") : undefined
}

export const isPool = (client: unknown): client is NodePostgresPool =>
  hasFunctions(client, ["connect", "query"]) && "totalCount" in client

export const isClient = (client: unknown): client is NodePostgresClient =>
  hasFunctions(client, ["query", "on", "removeListener", "end", "escapeLiteral"])

const hasFunctions = <A extends object>(value: unknown, names: ReadonlyArray<string>): value is A =>
  typeof value === "object" && value !== null && names.every((name) => typeof Reflect.get(value, name) === "function")

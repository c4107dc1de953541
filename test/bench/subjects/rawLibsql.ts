/** The statements of SQLite, on @libsql/client. */
import { microsOf, payloadOf } from "./PolarEvent.ts"
import type { RawStore } from "./raw.ts"
import { type Row, sql, subscriptionOf } from "./rawSqlite.ts"

/** The part of @libsql/client that is used; the package is loaded only where it is measured. */
interface Driver {
  readonly createClient: (options: { readonly url: string; readonly intMode: "number" }) => Client
}

type Statement = string | { readonly sql: string; readonly args: ReadonlyArray<string | number | null> }

interface Executor {
  readonly execute: (
    statement: Statement
  ) => Promise<{ readonly rows: ReadonlyArray<unknown>; readonly rowsAffected: number }>
}

interface Client extends Executor {
  readonly transaction: (mode: "write") => Promise<Transaction>
  readonly close: () => void
}

interface Transaction extends Executor {
  readonly commit: () => Promise<void>
  readonly close: () => void
}

const driver: string = "@libsql/client"

export const openLibsql = async (filename: string): Promise<RawStore> => {
  const { createClient }: Driver = await import(driver)
  const client = createClient({ url: `file:${filename}`, intMode: "number" })
  await client.execute("PRAGMA journal_mode = WAL")
  // One after the other: a file has one writer, and another would be refused.
  let last: Promise<unknown> = Promise.resolve()
  return {
    apply: (deliveryId, event, body) => {
      const next = last.then(async () => {
        const transaction = await client.transaction("write")
        try {
          await apply(transaction, deliveryId, event, body)
          await transaction.commit()
        } finally {
          transaction.close()
        }
      })
      last = next.catch(() => {})
      return next
    },
    subscriptionsOf: async (userId) => {
      const { rows } = await client.execute({ sql: sql.selectLive, args: [userId] })
      return (rows as ReadonlyArray<Row>).map(subscriptionOf)
    },
    checkout: async (userId, checkoutId) => {
      await client.execute({ sql: sql.selectCustomer, args: [userId] })
      await client.execute({ sql: sql.selectUser, args: [userId] })
      await client.execute({
        sql: sql.insertCheckout,
        args: [checkoutId, userId, "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60", new Date().toISOString()]
      })
    },
    close: async () => client.close()
  }
}

const apply = async (transaction: Transaction, ...[deliveryId, event, body]: Parameters<RawStore["apply"]>) => {
  const { data } = event
  const userId = data.customer.external_id
  const eventAt = microsOf(event.timestamp)
  const now = new Date().toISOString()
  const run = (text: string, ...args: ReadonlyArray<string | number | null>) => transaction.execute({ sql: text, args })
  const recorded = await run(
    sql.insertDelivery,
    deliveryId,
    event.type,
    eventAt,
    now,
    now,
    data.customer_id,
    data.id,
    userId,
    body
  )
  if (recorded.rowsAffected === 0) return
  const cancelAtPeriodEnd = data.cancel_at_period_end ? 1 : 0
  const written = await run(
    sql.upsertSubscription,
    data.id,
    userId,
    data.customer_id,
    data.customer.organization_id,
    data.product_id,
    data.status,
    data.status === "active" || data.status === "trialing" ? 1 : 0,
    data.current_period_end,
    cancelAtPeriodEnd,
    eventAt,
    deliveryId,
    now,
    JSON.stringify(data)
  )
  if (written.rowsAffected === 0) return
  await run(
    sql.updateUser,
    data.customer_id,
    data.id,
    data.status,
    data.product_id,
    data.current_period_end === null ? null : Math.floor(Date.parse(data.current_period_end) / 1000),
    cancelAtPeriodEnd,
    Math.floor(Date.now() / 1000),
    userId
  )
  await run(sql.insertNotification, `${data.id}:${eventAt}`, data.id, userId, eventAt, payloadOf(event), now, now, now)
}

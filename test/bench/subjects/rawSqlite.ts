import Database from "better-sqlite3"
import { microsOf, payloadOf } from "./PolarEvent.ts"
import type { RawStore } from "./raw.ts"

/** Of libSQL's handler too. */
export const sql = {
  insertDelivery: `INSERT INTO raw_deliveries
       (id, type, state, event_at, received_at, updated_at, customer_id, subscription_id, user_id, attempts, body)
     VALUES (?, ?, 'applied', ?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT (id) DO NOTHING`,
  upsertSubscription: `INSERT INTO raw_subscriptions
       (id, user_id, customer_id, organization_id, product_id, status, live, current_period_end, cancel_at_period_end,
        event_at, precedence, delivery_id, updated_at, data)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET
       product_id = excluded.product_id, status = excluded.status, live = excluded.live,
       current_period_end = excluded.current_period_end, cancel_at_period_end = excluded.cancel_at_period_end,
       event_at = excluded.event_at, delivery_id = excluded.delivery_id, updated_at = excluded.updated_at,
       data = excluded.data
     WHERE excluded.event_at > raw_subscriptions.event_at`,
  updateUser: `UPDATE kavach_users SET polar_customer_id = ?, polar_subscription_id = ?, polar_subscription_status = ?,
       polar_product_id = ?, polar_current_period_end = ?, polar_cancel_at_period_end = ?, updated_at = ?
     WHERE id = ?`,
  insertNotification: `INSERT INTO raw_notifications
       (id, subscription_id, user_id, event_at, precedence, payload, created_at, state, attempts, available_at, updated_at)
     VALUES (?, ?, ?, ?, 0, ?, ?, 'pending', 0, ?, ?)`,
  selectLive: `SELECT id, status, product_id, current_period_end, cancel_at_period_end
     FROM raw_subscriptions WHERE user_id = ? AND live = 1`,
  selectCustomer: `SELECT customer_id FROM raw_customers WHERE user_id = ? AND deleted_at IS NULL
     ORDER BY linked_at DESC LIMIT 1`,
  selectUser: "SELECT id, email, name FROM kavach_users WHERE id = ?",
  insertCheckout: "INSERT INTO raw_checkouts (id, user_id, product_id, created_at) VALUES (?, ?, ?, ?)"
} as const

export const openSqlite = (filename: string): RawStore => {
  const client = new Database(filename, { timeout: 5000 })
  client.pragma("journal_mode = WAL")
  client.pragma("synchronous = FULL")

  const insertDelivery = client.prepare(sql.insertDelivery)
  const upsertSubscription = client.prepare(sql.upsertSubscription)
  const updateUser = client.prepare(sql.updateUser)
  const insertNotification = client.prepare(sql.insertNotification)
  const selectLive = client.prepare<[string], Row>(sql.selectLive)
  const selectCustomer = client.prepare(sql.selectCustomer)
  const selectUser = client.prepare(sql.selectUser)
  const insertCheckout = client.prepare(sql.insertCheckout)

  const apply = client.transaction<RawStore["apply"]>((deliveryId, event, body) => {
    const { data } = event
    const userId = data.customer.external_id
    const eventAt = microsOf(event.timestamp)
    const now = new Date().toISOString()
    const recorded = insertDelivery.run(
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
    if (recorded.changes === 0) return
    const cancelAtPeriodEnd = data.cancel_at_period_end ? 1 : 0
    const written = upsertSubscription.run(
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
    if (written.changes === 0) return
    updateUser.run(
      data.customer_id,
      data.id,
      data.status,
      data.product_id,
      data.current_period_end === null ? null : Math.floor(Date.parse(data.current_period_end) / 1000),
      cancelAtPeriodEnd,
      Math.floor(Date.now() / 1000),
      userId
    )
    insertNotification.run(`${data.id}:${eventAt}`, data.id, userId, eventAt, payloadOf(event), now, now, now)
  })

  return {
    apply: (deliveryId, event, body) => apply.immediate(deliveryId, event, body),
    subscriptionsOf: (userId) => selectLive.all(userId).map(subscriptionOf),
    checkout: (userId, checkoutId) => {
      selectCustomer.get(userId)
      selectUser.get(userId)
      insertCheckout.run(checkoutId, userId, "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60", new Date().toISOString())
    },
    close: async () => {
      client.close()
    }
  }
}

export interface Row {
  readonly id: string
  readonly status: string
  readonly product_id: string
  readonly current_period_end: string | null
  readonly cancel_at_period_end: number
}

export const subscriptionOf = (row: Row) => ({
  id: row.id,
  status: row.status,
  productId: row.product_id,
  currentPeriodEnd: row.current_period_end === null ? null : new Date(row.current_period_end),
  cancelAtPeriodEnd: row.cancel_at_period_end === 1
})

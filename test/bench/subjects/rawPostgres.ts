import pg from "pg"
import { microsOf, payloadOf } from "./PolarEvent.ts"
import type { RawStore } from "./raw.ts"

/** Prepared once on each connection, because they have names. */
const insertDelivery = {
  name: "insert_delivery",
  text: `INSERT INTO raw_deliveries
      (id, type, state, event_at, received_at, updated_at, customer_id, subscription_id, user_id, attempts, body)
    VALUES ($1, $2, 'applied', $3, now(), now(), $4, $5, $6, 1, $7) ON CONFLICT (id) DO NOTHING`
}
const upsertSubscription = {
  name: "upsert_subscription",
  text: `INSERT INTO raw_subscriptions
      (id, user_id, customer_id, organization_id, product_id, status, live, current_period_end, cancel_at_period_end,
       event_at, precedence, delivery_id, updated_at, data)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, now(), $12)
    ON CONFLICT (id) DO UPDATE SET
      product_id = excluded.product_id, status = excluded.status, live = excluded.live,
      current_period_end = excluded.current_period_end, cancel_at_period_end = excluded.cancel_at_period_end,
      event_at = excluded.event_at, delivery_id = excluded.delivery_id, updated_at = excluded.updated_at,
      data = excluded.data
    WHERE excluded.event_at > raw_subscriptions.event_at`
}
const updateUser = {
  name: "update_user",
  text: `UPDATE kavach_users SET polar_customer_id = $1, polar_subscription_id = $2, polar_subscription_status = $3,
      polar_product_id = $4, polar_current_period_end = $5, polar_cancel_at_period_end = $6, updated_at = now()
    WHERE id = $7`
}
const insertNotification = {
  name: "insert_notification",
  text: `INSERT INTO raw_notifications
      (id, subscription_id, user_id, event_at, precedence, payload, created_at, state, attempts, available_at, updated_at)
    VALUES ($1, $2, $3, $4, 0, $5, now(), 'pending', 0, now(), now())`
}
const selectLive = {
  name: "select_live",
  text: `SELECT id, status, product_id, current_period_end, cancel_at_period_end
    FROM raw_subscriptions WHERE user_id = $1 AND live`
}
const selectCustomer = {
  name: "select_customer",
  text: `SELECT customer_id FROM raw_customers WHERE user_id = $1 AND deleted_at IS NULL
    ORDER BY linked_at DESC LIMIT 1`
}
const selectUser = { name: "select_user", text: "SELECT id, email, name FROM kavach_users WHERE id = $1" }
const insertCheckout = {
  name: "insert_checkout",
  text: "INSERT INTO raw_checkouts (id, user_id, product_id, created_at) VALUES ($1, $2, $3, now())"
}

export const openPostgres = (url: string): RawStore => {
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  return {
    apply: async (deliveryId, event, body) => {
      const { data } = event
      const userId = data.customer.external_id
      const eventAt = microsOf(event.timestamp)
      const client = await pool.connect()
      try {
        await client.query("BEGIN")
        const recorded = await client.query({
          ...insertDelivery,
          values: [deliveryId, event.type, eventAt, data.customer_id, data.id, userId, body]
        })
        if (recorded.rowCount === 0) {
          await client.query("ROLLBACK")
          return
        }
        const written = await client.query({
          ...upsertSubscription,
          values: [
            data.id,
            userId,
            data.customer_id,
            data.customer.organization_id,
            data.product_id,
            data.status,
            data.status === "active" || data.status === "trialing",
            data.current_period_end,
            data.cancel_at_period_end,
            eventAt,
            deliveryId,
            JSON.stringify(data)
          ]
        })
        if (written.rowCount === 1) {
          await client.query({
            ...updateUser,
            values: [
              data.customer_id,
              data.id,
              data.status,
              data.product_id,
              data.current_period_end,
              data.cancel_at_period_end,
              userId
            ]
          })
          await client.query({
            ...insertNotification,
            values: [`${data.id}:${eventAt}`, data.id, userId, eventAt, payloadOf(event)]
          })
        }
        await client.query("COMMIT")
      } catch (error) {
        await client.query("ROLLBACK")
        throw error
      } finally {
        client.release()
      }
    },
    subscriptionsOf: async (userId) => {
      const { rows } = await pool.query<Row>({ ...selectLive, values: [userId] })
      return rows.map((row) => ({
        id: row.id,
        status: row.status,
        productId: row.product_id,
        currentPeriodEnd: row.current_period_end,
        cancelAtPeriodEnd: row.cancel_at_period_end
      }))
    },
    checkout: async (userId, checkoutId) => {
      await pool.query({ ...selectCustomer, values: [userId] })
      await pool.query({ ...selectUser, values: [userId] })
      await pool.query({ ...insertCheckout, values: [checkoutId, userId, "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60"] })
    },
    close: () => pool.end()
  }
}

interface Row {
  readonly id: string
  readonly status: string
  readonly product_id: string
  readonly current_period_end: Date | null
  readonly cancel_at_period_end: boolean
}

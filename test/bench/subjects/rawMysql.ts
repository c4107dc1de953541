import mysql, { type PoolConnection, type ResultSetHeader, type RowDataPacket } from "mysql2/promise"
import { microsOf, type PolarEvent, payloadOf } from "./PolarEvent.ts"
import type { RawStore } from "./raw.ts"

const insertDelivery = `INSERT IGNORE INTO raw_deliveries
    (id, type, state, event_at, received_at, updated_at, customer_id, subscription_id, user_id, attempts, body)
  VALUES (?, ?, 'applied', ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), ?, ?, ?, 1, ?)`

// MySQL assigns from left to right: what the others are compared with comes last.
const upsertSubscription = `INSERT INTO raw_subscriptions
    (id, user_id, customer_id, organization_id, product_id, status, live, current_period_end, cancel_at_period_end,
     event_at, precedence, delivery_id, updated_at, data)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, UTC_TIMESTAMP(6), ?)
  ON DUPLICATE KEY UPDATE
    ${[
      "product_id",
      "status",
      "live",
      "current_period_end",
      "cancel_at_period_end",
      "delivery_id",
      "updated_at",
      "data"
    ]
      .map((column) => `${column} = IF(VALUES(event_at) > event_at, VALUES(${column}), ${column})`)
      .join(", ")},
    event_at = GREATEST(event_at, VALUES(event_at))`

const updateUser = `UPDATE kavach_users SET polar_customer_id = ?, polar_subscription_id = ?,
    polar_subscription_status = ?, polar_product_id = ?, polar_current_period_end = ?, polar_cancel_at_period_end = ?,
    updated_at = UTC_TIMESTAMP(3)
  WHERE id = ?`

const insertNotification = `INSERT INTO raw_notifications
    (id, subscription_id, user_id, event_at, precedence, payload, created_at, state, attempts, available_at, updated_at)
  VALUES (?, ?, ?, ?, 0, ?, UTC_TIMESTAMP(6), 'pending', 0, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))`

const selectLive = `SELECT id, status, product_id, current_period_end, cancel_at_period_end
  FROM raw_subscriptions WHERE user_id = ? AND live = 1`

const selectCustomer = `SELECT customer_id FROM raw_customers WHERE user_id = ? AND deleted_at IS NULL
  ORDER BY linked_at DESC LIMIT 1`

const selectUser = "SELECT id, email, name FROM kavach_users WHERE id = ?"

const insertCheckout =
  "INSERT INTO raw_checkouts (id, user_id, product_id, created_at) VALUES (?, ?, ?, UTC_TIMESTAMP(6))"

export const openMysql = (url: string): RawStore => {
  // Without FOUND_ROWS a row that stays as it is counts as none.
  const pool = mysql.createPool({ uri: url, connectionLimit: 10, timezone: "Z", flags: ["-FOUND_ROWS"] })
  // Fewer locks on gaps than the default, and so hardly any deadlock.
  pool.pool.on("connection", (connection) => {
    connection.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
  })
  return {
    apply: async (deliveryId, event, body) => {
      const connection = await pool.getConnection()
      try {
        await again(() => apply(connection, deliveryId, event, body))
      } finally {
        connection.release()
      }
    },
    subscriptionsOf: async (userId) => {
      const [rows] = await pool.execute<Array<Row>>(selectLive, [userId])
      return rows.map((row) => ({
        id: row.id,
        status: row.status,
        productId: row.product_id,
        currentPeriodEnd: row.current_period_end,
        cancelAtPeriodEnd: row.cancel_at_period_end === 1
      }))
    },
    checkout: async (userId, checkoutId) => {
      await pool.execute(selectCustomer, [userId])
      await pool.execute(selectUser, [userId])
      await pool.execute(insertCheckout, [checkoutId, userId, "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60"])
    },
    close: () => pool.end()
  }
}

const apply = async (connection: PoolConnection, deliveryId: string, event: PolarEvent, body: string) => {
  const { data } = event
  const userId = data.customer.external_id
  const eventAt = microsOf(event.timestamp)
  const periodEnd = data.current_period_end === null ? null : new Date(data.current_period_end)
  try {
    await connection.beginTransaction()
    const [recorded] = await connection.execute<ResultSetHeader>(insertDelivery, [
      deliveryId,
      event.type,
      eventAt,
      data.customer_id,
      data.id,
      userId,
      body
    ])
    if (recorded.affectedRows === 0) {
      await connection.rollback()
      return
    }
    const [written] = await connection.execute<ResultSetHeader>(upsertSubscription, [
      data.id,
      userId,
      data.customer_id,
      data.customer.organization_id,
      data.product_id,
      data.status,
      data.status === "active" || data.status === "trialing" ? 1 : 0,
      periodEnd,
      data.cancel_at_period_end ? 1 : 0,
      eventAt,
      deliveryId,
      JSON.stringify(data)
    ])
    if (written.affectedRows > 0) {
      await connection.execute(updateUser, [
        data.customer_id,
        data.id,
        data.status,
        data.product_id,
        periodEnd,
        data.cancel_at_period_end ? 1 : 0,
        userId
      ])
      await connection.execute(insertNotification, [
        `${data.id}:${eventAt}`,
        data.id,
        userId,
        eventAt,
        payloadOf(event)
      ])
    }
    await connection.commit()
  } catch (error) {
    await connection.rollback()
    throw error
  }
}

/** After a deadlock. */
const again = async (run: () => Promise<void>): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined
      if (attempt === 5 || code !== "ER_LOCK_DEADLOCK") throw error
    }
  }
}

interface Row extends RowDataPacket {
  readonly id: string
  readonly status: string
  readonly product_id: string
  readonly current_period_end: Date | null
  readonly cancel_at_period_end: number
}

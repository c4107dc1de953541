/** Reading all that is stored of a person. Seldom asked for, so no index is kept for it: it goes through whole tables. */
import type { PersonalRows } from "../records/rows.ts"
import type { Dialect } from "./Dialect.ts"
import { valueIn } from "./rowsOf.ts"
import { ask, type Script, sql } from "./Script.ts"
import { checkoutRows, deliveryRows, notificationRows, recordRows } from "./wholeRows.ts"

export const makePersonalRows = (dialect: Dialect) => {
  const put = valueIn(dialect)
  const records = recordRows(dialect)
  const deliveries = deliveryRows(dialect)
  const checkouts = checkoutRows(dialect)
  const notifications = notificationRows(dialect)

  return function* (userId: string, customerIds: ReadonlyArray<string>): Script<PersonalRows> {
    const isUsers = sql`user_id = ${put(userId, "key")}`
    const isTheirs =
      customerIds.length === 0 ? isUsers : sql`(${isUsers} OR ${dialect.among("customer_id", customerIds, "id")})`
    const [ofRecords, ofDeliveries, ofCheckouts, ofNotifications] = yield* ask(
      sql`${records.select()} WHERE ${isTheirs} ORDER BY record_key`,
      sql`${deliveries.select()} WHERE ${isTheirs} ORDER BY received_at, id`,
      sql`${checkouts.select()} WHERE ${isUsers} ORDER BY id`,
      sql`${notifications.select()} WHERE ${isUsers} ORDER BY created_at, id`
    )
    return {
      records: records.rows(ofRecords ?? []),
      deliveries: deliveries.rows(ofDeliveries ?? []),
      checkouts: checkouts.rows(ofCheckouts ?? []),
      notifications: notifications.rows(ofNotifications ?? [])
    }
  }
}

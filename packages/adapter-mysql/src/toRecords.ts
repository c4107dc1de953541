/**
 * How the table of subscriptions that versions before this had becomes part of the records. A process may die after any of the
 * steps: each does nothing where it ran before. Released, so it never changes.
 */
import type { Ddl } from "@kavach-polar/core/adapter"
import { jsonField } from "./jsonField.ts"

const moved = "kavach_polar_subscriptions_moved"
const json = (key: string): string => `JSON_EXTRACT(data, '$.${key}')`

export const toRecords: Ddl["toRecords"] = [
  {
    // First, so that what a process of the version before still writes fails, and is not written where nobody looks any more.
    sql: `RENAME TABLE kavach_polar_subscriptions TO ${moved}`,
    onlyIf: { table: "kavach_polar_subscriptions", column: "current_period_end" },
    // Then it is the view.
    unless: { table: "kavach_polar_subscriptions", column: "checkout_id" }
  },
  {
    sql: `INSERT INTO kavach_polar_records (record_key, kind, id, user_id, customer_id, organization_id, product_id, checkout_id, status, live,
  ends_at, event_at, precedence, delivery_id, updated_at, summary, data)
SELECT CONCAT('subscription ', id), 'subscription', id, user_id, customer_id, LEFT(organization_id, 255), product_id, ${jsonField("checkoutId", "text")}, status, live,
  IF(cancel_at_period_end = 1, COALESCE(${jsonField("endsAt", "time")}, ${jsonField("currentPeriodEnd", "time")}), NULL),
  event_at, precedence, delivery_id, updated_at,
  JSON_OBJECT('currentPeriodEnd', ${json("currentPeriodEnd")},
    'cancelAtPeriodEnd', JSON_EXTRACT(IF(cancel_at_period_end = 1, 'true', 'false'), '$'),
    'endsAt', ${json("endsAt")}, 'pastDueAt', ${json("pastDueAt")}), data
FROM ${moved}
ON DUPLICATE KEY UPDATE id = kavach_polar_records.id`,
    onlyIf: { table: moved, column: "id" }
  },
  { sql: `DROP TABLE IF EXISTS ${moved}` },
  {
    sql: `ALTER TABLE kavach_polar_deliveries
  CHANGE COLUMN subscription_id record_id VARCHAR(64),
  ADD COLUMN record_kind VARCHAR(16) AFTER body,
  DROP INDEX kavach_polar_deliveries_received_at,
  ADD INDEX kavach_polar_deliveries_received_at (received_at, id),
  RENAME INDEX kavach_polar_deliveries_customer TO kavach_polar_deliveries_unlinked_customer,
  RENAME INDEX kavach_polar_deliveries_subscription TO kavach_polar_deliveries_unlinked_record`,
    unless: { table: "kavach_polar_deliveries", column: "record_id" }
  },
  {
    sql: "UPDATE kavach_polar_deliveries SET record_kind = 'subscription' WHERE record_id IS NOT NULL AND record_kind IS NULL"
  },
  {
    sql: `ALTER TABLE kavach_polar_notifications
  MODIFY COLUMN id VARCHAR(255) NOT NULL,
  CHANGE COLUMN subscription_id subject VARCHAR(64) NOT NULL,
  MODIFY COLUMN payload MEDIUMTEXT NOT NULL,
  RENAME INDEX kavach_polar_notifications_subscription TO kavach_polar_notifications_pending_subject,
  RENAME INDEX kavach_polar_notifications_due TO kavach_polar_notifications_pending_due`,
    unless: { table: "kavach_polar_notifications", column: "subject" }
  }
]

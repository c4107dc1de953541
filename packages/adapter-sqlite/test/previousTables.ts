/** The SQL by which earlier versions made their tables, as it was released. Never change it: databases have it. */
import { createHash } from "node:crypto"
import type { Query } from "../../../test/store/SqliteHarness.ts"

export interface PreviousMigration {
  readonly version: number
  readonly name: string
  readonly sql: string
}

export const previousMigrations: ReadonlyArray<PreviousMigration> = [
  {
    version: 1,
    name: "0001_initial",
    sql: `-- The tables of the subscription store.
--
-- Times are text, ISO 8601 in UTC with milliseconds (2026-10-05T14:22:08.455Z), so that they read and sort as they are.
-- event_at is the event's own timestamp as a count of microseconds since 1970, because order is decided on it.
-- Booleans are 0 or 1.

-- The inbox: one row for each delivery (an HTTP POST of Polar's), id = the header webhook-id.
CREATE TABLE kavach_polar_deliveries (
  id TEXT NOT NULL PRIMARY KEY,
  type TEXT NOT NULL,
  -- applied, stale, ignored, unlinked (no user is known for it yet) or failed (it runs again when delivered again)
  state TEXT NOT NULL,
  event_at INTEGER,
  received_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  customer_id TEXT,
  subscription_id TEXT,
  user_id TEXT,
  attempts INTEGER NOT NULL,
  last_error TEXT,
  -- the bytes as Polar sent them, NULL once they were pruned
  body TEXT
) STRICT;

CREATE INDEX kavach_polar_deliveries_received_at ON kavach_polar_deliveries (received_at, id);

CREATE INDEX kavach_polar_deliveries_with_body ON kavach_polar_deliveries (received_at, id) WHERE body IS NOT NULL;

CREATE INDEX kavach_polar_deliveries_unlinked_customer ON kavach_polar_deliveries (customer_id)
  WHERE state = 'unlinked';

CREATE INDEX kavach_polar_deliveries_unlinked_subscription ON kavach_polar_deliveries (subscription_id)
  WHERE state = 'unlinked';

-- The newest known state of every subscription. event_at, then precedence, say which of two states is the newer.
CREATE TABLE kavach_polar_subscriptions (
  id TEXT NOT NULL PRIMARY KEY,
  -- NULL until it is known whose it is
  user_id TEXT,
  customer_id TEXT NOT NULL,
  organization_id TEXT,
  product_id TEXT NOT NULL,
  status TEXT NOT NULL,
  live INTEGER NOT NULL,
  current_period_end TEXT,
  cancel_at_period_end INTEGER NOT NULL,
  event_at INTEGER NOT NULL,
  precedence INTEGER NOT NULL,
  delivery_id TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  -- the whole subscription as JSON
  data TEXT NOT NULL
) STRICT;

CREATE INDEX kavach_polar_subscriptions_user ON kavach_polar_subscriptions (user_id, live);

CREATE INDEX kavach_polar_subscriptions_customer ON kavach_polar_subscriptions (customer_id);

-- Links: whose customer it is. A user may have several, a customer has one user for ever.
CREATE TABLE kavach_polar_customers (
  customer_id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL,
  -- checkout, external_id or host: who said so
  linked_by TEXT NOT NULL,
  linked_at TEXT NOT NULL,
  deleted_at TEXT
) STRICT;

CREATE INDEX kavach_polar_customers_user ON kavach_polar_customers (user_id, linked_at);

-- Checkouts that were made for a user.
CREATE TABLE kavach_polar_checkouts (
  id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL,
  product_id TEXT NOT NULL,
  created_at TEXT NOT NULL
) STRICT;

CREATE INDEX kavach_polar_checkouts_user ON kavach_polar_checkouts (user_id);

-- The outbox: calls of the app's callback, queued in the transaction of the change that they tell of.
CREATE TABLE kavach_polar_notifications (
  id TEXT NOT NULL PRIMARY KEY,
  subscription_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  event_at INTEGER NOT NULL,
  precedence INTEGER NOT NULL,
  -- what the callback is given, as JSON
  payload TEXT NOT NULL,
  created_at TEXT NOT NULL,
  -- pending, done or dead (given up, with last_error)
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  -- not before this time, and while somebody holds the lease: the lease's end
  available_at TEXT NOT NULL,
  lease_owner TEXT,
  last_error TEXT,
  updated_at TEXT NOT NULL
) STRICT;

CREATE INDEX kavach_polar_notifications_pending_subscription
  ON kavach_polar_notifications (subscription_id, event_at, precedence) WHERE state = 'pending';

CREATE INDEX kavach_polar_notifications_pending_due ON kavach_polar_notifications (available_at, id)
  WHERE state = 'pending';
`
  },
  {
    version: 2,
    name: "0002_jobs",
    sql: `-- Jobs that one process does at a time, such as the comparison of all subscriptions with Polar's.
CREATE TABLE kavach_polar_jobs (
  name TEXT NOT NULL PRIMARY KEY,
  -- who does it now, and until when nobody else may; both NULL when nobody does
  owner TEXT,
  lease_until TEXT,
  -- where it stands as JSON, NULL when it is not under way
  position TEXT,
  started_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  -- when it was last done to the end, and what it reported then as JSON
  finished_at TEXT,
  report TEXT
) STRICT;

CREATE INDEX kavach_polar_subscriptions_unlinked ON kavach_polar_subscriptions (id) WHERE user_id IS NULL;
`
  }
]

/** A database as the version left it that had these migrations. */
export const migratePreviously = (query: Query, until: number): void => {
  query(
    "CREATE TABLE kavach_polar_migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT"
  )
  for (const { name, sql, version } of previousMigrations.filter((migration) => migration.version <= until)) {
    for (const statement of sql.split(/;\n/)) {
      if (statement.trim() !== "") query(statement)
    }
    const checksum = createHash("sha256").update(sql).digest("hex")
    query("INSERT INTO kavach_polar_migrations VALUES (?, ?, ?, '2026-11-24T00:00:00.000Z')", version, name, checksum)
  }
}

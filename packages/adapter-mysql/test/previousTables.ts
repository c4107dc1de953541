/** The tables as the version before the records made them: its SQL, word for word, which databases have had. */
export const previousMigrations = [
  {
    version: 1,
    name: "0001_initial",
    sql: `-- The tables of the subscription store, for MySQL 8.0 or later and MariaDB 10.6 or later.
--
-- Times are DATETIME(6) in UTC, whatever the time zone of the server or of a session.
-- event_at is the event's own timestamp as a count of microseconds since 1970, because order is decided on it.
-- Booleans are 0 or 1.
-- Text is compared byte by byte, trailing spaces included, because ids differ by case. Both servers can do that, and call
-- it by different names: a comment that begins with a number is run by MySQL, and one that begins with M by MariaDB.
-- A statement that ran before does nothing, so a migration that was interrupted can run again.

-- The inbox: one row for each delivery (an HTTP POST of Polar's), id = the header webhook-id.
CREATE TABLE IF NOT EXISTS kavach_polar_deliveries (
  id VARCHAR(255) NOT NULL,
  type VARCHAR(255) NOT NULL,
  -- applied, stale, ignored, unlinked (no user is known for it yet) or failed (it runs again when delivered again)
  state VARCHAR(16) NOT NULL,
  event_at BIGINT,
  received_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  customer_id VARCHAR(64),
  subscription_id VARCHAR(64),
  user_id VARCHAR(255),
  attempts INT NOT NULL,
  last_error MEDIUMTEXT,
  -- the bytes as Polar sent them, NULL once they were pruned
  body LONGTEXT,
  has_body BOOLEAN GENERATED ALWAYS AS (body IS NOT NULL) STORED,
  PRIMARY KEY (id),
  KEY kavach_polar_deliveries_received_at (received_at DESC, id),
  KEY kavach_polar_deliveries_with_body (has_body, received_at, id),
  KEY kavach_polar_deliveries_customer (customer_id, state),
  KEY kavach_polar_deliveries_subscription (subscription_id, state)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
  /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- The newest known state of every subscription. event_at, then precedence, say which of two states is the newer.
CREATE TABLE IF NOT EXISTS kavach_polar_subscriptions (
  id VARCHAR(64) NOT NULL,
  -- NULL until it is known whose it is
  user_id VARCHAR(255),
  customer_id VARCHAR(64) NOT NULL,
  organization_id TEXT,
  product_id VARCHAR(64) NOT NULL,
  status VARCHAR(64) NOT NULL,
  live BOOLEAN NOT NULL,
  current_period_end DATETIME(6),
  cancel_at_period_end BOOLEAN NOT NULL,
  event_at BIGINT NOT NULL,
  precedence BIGINT NOT NULL,
  delivery_id VARCHAR(255) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  -- the whole subscription as JSON
  data LONGTEXT NOT NULL,
  PRIMARY KEY (id),
  KEY kavach_polar_subscriptions_user (user_id, live),
  KEY kavach_polar_subscriptions_customer (customer_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
  /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Links: whose customer it is. A user may have several, a customer has one user for ever.
CREATE TABLE IF NOT EXISTS kavach_polar_customers (
  customer_id VARCHAR(64) NOT NULL,
  user_id VARCHAR(255) NOT NULL,
  -- checkout, external_id or host: who said so
  linked_by VARCHAR(16) NOT NULL,
  linked_at DATETIME(6) NOT NULL,
  deleted_at DATETIME(6),
  PRIMARY KEY (customer_id),
  KEY kavach_polar_customers_user (user_id, linked_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
  /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Checkouts that were made for a user.
CREATE TABLE IF NOT EXISTS kavach_polar_checkouts (
  id VARCHAR(64) NOT NULL,
  user_id VARCHAR(255) NOT NULL,
  product_id VARCHAR(64) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY kavach_polar_checkouts_user (user_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
  /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- The outbox: calls of the app's callback, queued in the transaction of the change that they tell of.
CREATE TABLE IF NOT EXISTS kavach_polar_notifications (
  -- the subscription's id, event_at and precedence
  id VARCHAR(128) NOT NULL,
  subscription_id VARCHAR(64) NOT NULL,
  user_id VARCHAR(255) NOT NULL,
  event_at BIGINT NOT NULL,
  precedence BIGINT NOT NULL,
  -- what the callback is given, as JSON
  payload TEXT NOT NULL,
  created_at DATETIME(6) NOT NULL,
  -- pending, done or dead (given up, with last_error)
  state VARCHAR(16) NOT NULL,
  attempts INT NOT NULL,
  -- not before this time, and while somebody holds the lease: the lease's end
  available_at DATETIME(6) NOT NULL,
  lease_owner VARCHAR(255),
  last_error MEDIUMTEXT,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY kavach_polar_notifications_subscription (subscription_id, state, event_at, precedence),
  KEY kavach_polar_notifications_due (state, available_at, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
  /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- What a step locks before it reads: an id of Polar's falls to one of the rows 0 to 1023, a user's to one of the rows
-- 1024 to 2047. They hold nothing, and must all be there.
CREATE TABLE IF NOT EXISTS kavach_polar_locks (
  id INT NOT NULL,
  PRIMARY KEY (id)
) ENGINE = InnoDB;

INSERT INTO kavach_polar_locks (id)
WITH digit AS (
  SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5
  UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9
)
SELECT ones.n + tens.n * 10 + hundreds.n * 100 + thousands.n * 1000
FROM digit AS ones CROSS JOIN digit AS tens CROSS JOIN digit AS hundreds CROSS JOIN digit AS thousands
WHERE ones.n + tens.n * 10 + hundreds.n * 100 + thousands.n * 1000 < 2048
ON DUPLICATE KEY UPDATE id = kavach_polar_locks.id;
`
  },
  {
    version: 2,
    name: "0002_jobs",
    sql: `-- Jobs that one process does at a time, such as the comparison of all subscriptions with Polar's.
CREATE TABLE IF NOT EXISTS kavach_polar_jobs (
  name VARCHAR(64) NOT NULL,
  -- who does it now, and until when nobody else may; both NULL when nobody does
  owner VARCHAR(255),
  lease_until DATETIME(6),
  -- where it stands as JSON, NULL when it is not under way
  position LONGTEXT,
  started_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  -- when it was last done to the end, and what it reported then as JSON
  finished_at DATETIME(6),
  report LONGTEXT,
  PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
  /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;
`
  }
]

/** Statements of a script; none of them holds a semicolon of its own. */
export const statementsOf = (sql: string): ReadonlyArray<string> =>
  sql
    .replaceAll(/^\s*--.*$/gm, "")
    .split(";")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "")

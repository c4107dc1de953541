/** The SQL that made the tables of earlier versions, as every database of theirs remembers it. It never changes. */

export const previousMigrations: ReadonlyArray<{
  readonly version: number
  readonly name: string
  readonly sql: string
}> = [
  {
    version: 1,
    name: "0001_initial",
    sql: `-- The tables of the subscription store.
--
-- Times that people read are timestamptz with milliseconds. event_at is the event's own timestamp as a count of
-- microseconds since 1970, because order is decided on it, together with precedence.
-- Ids are compared byte by byte, whatever the collation of the database: COLLATE "C".

-- The inbox: one row for each delivery (an HTTP POST of Polar's), id = the header webhook-id.
CREATE TABLE kavach_polar_deliveries (
  id text COLLATE "C" NOT NULL PRIMARY KEY,
  type text NOT NULL,
  -- applied, stale, ignored, unlinked (no user is known for it yet) or failed (it runs again when delivered again)
  state text NOT NULL,
  event_at bigint,
  received_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  customer_id text COLLATE "C",
  subscription_id text COLLATE "C",
  user_id text COLLATE "C",
  attempts integer NOT NULL,
  last_error text,
  -- the bytes as Polar sent them, NULL once they were pruned
  body text
);

CREATE INDEX kavach_polar_deliveries_received_at ON kavach_polar_deliveries (received_at DESC, id);

CREATE INDEX kavach_polar_deliveries_with_body ON kavach_polar_deliveries (received_at, id) WHERE body IS NOT NULL;

CREATE INDEX kavach_polar_deliveries_unlinked_customer ON kavach_polar_deliveries (customer_id)
  WHERE state = 'unlinked';

CREATE INDEX kavach_polar_deliveries_unlinked_subscription ON kavach_polar_deliveries (subscription_id)
  WHERE state = 'unlinked';

-- The newest known state of every subscription. event_at, then precedence, say which of two states is the newer.
CREATE TABLE kavach_polar_subscriptions (
  id text COLLATE "C" NOT NULL PRIMARY KEY,
  -- NULL until it is known whose it is
  user_id text COLLATE "C",
  customer_id text COLLATE "C" NOT NULL,
  organization_id text COLLATE "C",
  product_id text COLLATE "C" NOT NULL,
  status text NOT NULL,
  live boolean NOT NULL,
  current_period_end timestamptz(3),
  cancel_at_period_end boolean NOT NULL,
  event_at bigint NOT NULL,
  precedence bigint NOT NULL,
  delivery_id text COLLATE "C" NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  -- the whole subscription as JSON; text, because jsonb refuses what JSON allows (\\u0000) and reorders the rest
  data text NOT NULL
);

CREATE INDEX kavach_polar_subscriptions_user ON kavach_polar_subscriptions (user_id, live);

CREATE INDEX kavach_polar_subscriptions_customer ON kavach_polar_subscriptions (customer_id);

-- Links: whose customer it is. A user may have several, a customer has one user for ever.
CREATE TABLE kavach_polar_customers (
  customer_id text COLLATE "C" NOT NULL PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL,
  -- checkout, external_id or host: who said so
  linked_by text NOT NULL,
  linked_at timestamptz(3) NOT NULL,
  deleted_at timestamptz(3)
);

CREATE INDEX kavach_polar_customers_user ON kavach_polar_customers (user_id, linked_at);

-- Checkouts that were made for a user.
CREATE TABLE kavach_polar_checkouts (
  id text COLLATE "C" NOT NULL PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL,
  product_id text COLLATE "C" NOT NULL,
  created_at timestamptz(3) NOT NULL
);

CREATE INDEX kavach_polar_checkouts_user ON kavach_polar_checkouts (user_id);

-- The outbox: calls of the app's callback, queued in the transaction of the change that they tell of.
CREATE TABLE kavach_polar_notifications (
  id text COLLATE "C" NOT NULL PRIMARY KEY,
  subscription_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  event_at bigint NOT NULL,
  precedence bigint NOT NULL,
  -- what the callback is given, as JSON
  payload text NOT NULL,
  created_at timestamptz(3) NOT NULL,
  -- pending, done or dead (given up, with last_error)
  state text NOT NULL,
  attempts integer NOT NULL,
  -- not before this time, and while somebody holds the lease: the lease's end
  available_at timestamptz(3) NOT NULL,
  lease_owner text COLLATE "C",
  last_error text,
  updated_at timestamptz(3) NOT NULL
);

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
  name text COLLATE "C" NOT NULL PRIMARY KEY,
  -- who does it now, and until when nobody else may; both NULL when nobody does
  owner text COLLATE "C",
  lease_until timestamptz(3),
  -- where it stands as JSON, NULL when it is not under way
  position text,
  started_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  -- when it was last done to the end, and what it reported then as JSON
  finished_at timestamptz(3),
  report text
);

CREATE INDEX kavach_polar_subscriptions_unlinked ON kavach_polar_subscriptions (id) WHERE user_id IS NULL;
`
  },
  {
    version: 3,
    name: "0003_body_compression",
    sql: `-- Bodies are compressed by lz4 where the server has it (PostgreSQL 14 and later, as most are built): in a twentieth of the
-- time that the older way takes. Elsewhere nothing changes.
DO $$ BEGIN EXECUTE 'ALTER TABLE kavach_polar_deliveries ALTER COLUMN body SET COMPRESSION lz4'; EXCEPTION WHEN feature_not_supported OR syntax_error OR invalid_parameter_value THEN NULL; END $$;
`
  }
]

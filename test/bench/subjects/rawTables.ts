/**
 * The tables of the hand-written handler: what whoever writes it by hand would make, one table for each thing that it keeps.
 * Their columns, keys and indexes do not follow ours, so that what it costs stays what it was. `kavach_users` is the app's.
 */
import type { StoreName } from "../Bench.ts"

const sqlite: ReadonlyArray<string> = [
  `CREATE TABLE raw_deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    type TEXT NOT NULL,
    state TEXT NOT NULL,
    event_at INTEGER,
    received_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    customer_id TEXT,
    subscription_id TEXT,
    user_id TEXT,
    attempts INTEGER NOT NULL,
    last_error TEXT,
    body TEXT
  ) STRICT`,
  `CREATE INDEX raw_deliveries_received_at ON raw_deliveries (received_at, id)`,
  `CREATE INDEX raw_deliveries_with_body ON raw_deliveries (received_at, id) WHERE body IS NOT NULL`,
  `CREATE INDEX raw_deliveries_unlinked_customer ON raw_deliveries (customer_id)
    WHERE state = 'unlinked'`,
  `CREATE INDEX raw_deliveries_unlinked_subscription ON raw_deliveries (subscription_id)
    WHERE state = 'unlinked'`,
  `CREATE TABLE raw_subscriptions (
    id TEXT NOT NULL PRIMARY KEY,
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
    data TEXT NOT NULL
  ) STRICT`,
  `CREATE INDEX raw_subscriptions_user ON raw_subscriptions (user_id, live)`,
  `CREATE INDEX raw_subscriptions_customer ON raw_subscriptions (customer_id)`,
  `CREATE TABLE raw_customers (
    customer_id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    linked_by TEXT NOT NULL,
    linked_at TEXT NOT NULL,
    deleted_at TEXT
  ) STRICT`,
  `CREATE INDEX raw_customers_user ON raw_customers (user_id, linked_at)`,
  `CREATE TABLE raw_checkouts (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    created_at TEXT NOT NULL
  ) STRICT`,
  `CREATE INDEX raw_checkouts_user ON raw_checkouts (user_id)`,
  `CREATE TABLE raw_notifications (
    id TEXT NOT NULL PRIMARY KEY,
    subscription_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    event_at INTEGER NOT NULL,
    precedence INTEGER NOT NULL,
    payload TEXT NOT NULL,
    created_at TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    available_at TEXT NOT NULL,
    lease_owner TEXT,
    last_error TEXT,
    updated_at TEXT NOT NULL
  ) STRICT`,
  `CREATE INDEX raw_notifications_pending_subscription
    ON raw_notifications (subscription_id, event_at, precedence) WHERE state = 'pending'`,
  `CREATE INDEX raw_notifications_pending_due ON raw_notifications (available_at, id)
    WHERE state = 'pending'`,
  `CREATE INDEX raw_subscriptions_unlinked ON raw_subscriptions (id) WHERE user_id IS NULL`,
  `CREATE TABLE kavach_users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    username TEXT UNIQUE,
    name TEXT,
    external_id TEXT,
    external_provider TEXT,
    metadata TEXT,
    banned INTEGER NOT NULL DEFAULT 0,
    ban_reason TEXT,
    ban_expires_at INTEGER,
    force_password_reset INTEGER NOT NULL DEFAULT 0,
    email_verified INTEGER NOT NULL DEFAULT 0,
    stripe_customer_id TEXT UNIQUE,
    stripe_subscription_id TEXT,
    stripe_subscription_status TEXT,
    stripe_price_id TEXT,
    stripe_current_period_end INTEGER,
    stripe_cancel_at_period_end INTEGER NOT NULL DEFAULT 0,
    polar_customer_id TEXT UNIQUE,
    polar_subscription_id TEXT,
    polar_subscription_status TEXT,
    polar_product_id TEXT,
    polar_current_period_end INTEGER,
    polar_cancel_at_period_end INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  )`
]

const postgres: ReadonlyArray<string> = [
  `CREATE TABLE raw_deliveries (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    type text NOT NULL,
    state text NOT NULL,
    event_at bigint,
    received_at timestamptz(3) NOT NULL,
    updated_at timestamptz(3) NOT NULL,
    customer_id text COLLATE "C",
    subscription_id text COLLATE "C",
    user_id text COLLATE "C",
    attempts integer NOT NULL,
    last_error text,
    body text
  )`,
  `CREATE INDEX raw_deliveries_received_at ON raw_deliveries (received_at DESC, id)`,
  `CREATE INDEX raw_deliveries_with_body ON raw_deliveries (received_at, id) WHERE body IS NOT NULL`,
  `CREATE INDEX raw_deliveries_unlinked_customer ON raw_deliveries (customer_id)
    WHERE state = 'unlinked'`,
  `CREATE INDEX raw_deliveries_unlinked_subscription ON raw_deliveries (subscription_id)
    WHERE state = 'unlinked'`,
  `CREATE TABLE raw_subscriptions (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
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
    data text NOT NULL
  )`,
  `CREATE INDEX raw_subscriptions_user ON raw_subscriptions (user_id, live)`,
  `CREATE INDEX raw_subscriptions_customer ON raw_subscriptions (customer_id)`,
  `CREATE TABLE raw_customers (
    customer_id text COLLATE "C" NOT NULL PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    linked_by text NOT NULL,
    linked_at timestamptz(3) NOT NULL,
    deleted_at timestamptz(3)
  )`,
  `CREATE INDEX raw_customers_user ON raw_customers (user_id, linked_at)`,
  `CREATE TABLE raw_checkouts (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    created_at timestamptz(3) NOT NULL
  )`,
  `CREATE INDEX raw_checkouts_user ON raw_checkouts (user_id)`,
  `CREATE TABLE raw_notifications (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    subscription_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    event_at bigint NOT NULL,
    precedence bigint NOT NULL,
    payload text NOT NULL,
    created_at timestamptz(3) NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    available_at timestamptz(3) NOT NULL,
    lease_owner text COLLATE "C",
    last_error text,
    updated_at timestamptz(3) NOT NULL
  )`,
  `CREATE INDEX raw_notifications_pending_subscription
    ON raw_notifications (subscription_id, event_at, precedence) WHERE state = 'pending'`,
  `CREATE INDEX raw_notifications_pending_due ON raw_notifications (available_at, id)
    WHERE state = 'pending'`,
  `CREATE INDEX raw_subscriptions_unlinked ON raw_subscriptions (id) WHERE user_id IS NULL`,
  `DO $$ BEGIN EXECUTE 'ALTER TABLE raw_deliveries ALTER COLUMN body SET COMPRESSION lz4'; EXCEPTION WHEN feature_not_supported OR syntax_error OR invalid_parameter_value THEN NULL; END $$`,
  `CREATE TABLE kavach_users (
    id text NOT NULL PRIMARY KEY,
    email text NOT NULL UNIQUE,
    username text UNIQUE,
    name text,
    external_id text,
    external_provider text,
    metadata jsonb,
    banned boolean NOT NULL DEFAULT false,
    ban_reason text,
    ban_expires_at timestamptz,
    force_password_reset boolean NOT NULL DEFAULT false,
    email_verified boolean NOT NULL DEFAULT false,
    stripe_customer_id text UNIQUE,
    stripe_subscription_id text,
    stripe_subscription_status text,
    stripe_price_id text,
    stripe_current_period_end timestamptz,
    stripe_cancel_at_period_end boolean NOT NULL DEFAULT false,
    polar_customer_id text UNIQUE,
    polar_subscription_id text,
    polar_subscription_status text,
    polar_product_id text,
    polar_current_period_end timestamptz,
    polar_cancel_at_period_end boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
  )`
]

const mysql: ReadonlyArray<string> = [
  `CREATE TABLE raw_deliveries (
    id VARCHAR(255) NOT NULL,
    type VARCHAR(255) NOT NULL,
    state VARCHAR(16) NOT NULL,
    event_at BIGINT,
    received_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    customer_id VARCHAR(64),
    subscription_id VARCHAR(64),
    user_id VARCHAR(255),
    attempts INT NOT NULL,
    last_error MEDIUMTEXT,
    body LONGTEXT,
    has_body BOOLEAN GENERATED ALWAYS AS (body IS NOT NULL) STORED,
    PRIMARY KEY (id),
    KEY raw_deliveries_received_at (received_at DESC, id),
    KEY raw_deliveries_with_body (has_body, received_at, id),
    KEY raw_deliveries_customer (customer_id, state),
    KEY raw_deliveries_subscription (subscription_id, state)
  ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */`,
  `CREATE TABLE raw_subscriptions (
    id VARCHAR(64) NOT NULL,
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
    data LONGTEXT NOT NULL,
    PRIMARY KEY (id),
    KEY raw_subscriptions_user (user_id, live),
    KEY raw_subscriptions_customer (customer_id)
  ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */`,
  `CREATE TABLE raw_customers (
    customer_id VARCHAR(64) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    linked_by VARCHAR(16) NOT NULL,
    linked_at DATETIME(6) NOT NULL,
    deleted_at DATETIME(6),
    PRIMARY KEY (customer_id),
    KEY raw_customers_user (user_id, linked_at)
  ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */`,
  `CREATE TABLE raw_checkouts (
    id VARCHAR(64) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    product_id VARCHAR(64) NOT NULL,
    created_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    KEY raw_checkouts_user (user_id)
  ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */`,
  `CREATE TABLE raw_notifications (
    id VARCHAR(128) NOT NULL,
    subscription_id VARCHAR(64) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    event_at BIGINT NOT NULL,
    precedence BIGINT NOT NULL,
    payload TEXT NOT NULL,
    created_at DATETIME(6) NOT NULL,
    state VARCHAR(16) NOT NULL,
    attempts INT NOT NULL,
    available_at DATETIME(6) NOT NULL,
    lease_owner VARCHAR(255),
    last_error MEDIUMTEXT,
    updated_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    KEY raw_notifications_subscription (subscription_id, state, event_at, precedence),
    KEY raw_notifications_due (state, available_at, id)
  ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */`,
  `CREATE TABLE kavach_users (
    id VARCHAR(255) NOT NULL,
    email VARCHAR(255) NOT NULL,
    username VARCHAR(255),
    name TEXT,
    external_id TEXT,
    external_provider TEXT,
    metadata JSON,
    banned BOOLEAN NOT NULL DEFAULT 0,
    ban_reason TEXT,
    ban_expires_at DATETIME(3),
    force_password_reset BOOLEAN NOT NULL DEFAULT 0,
    email_verified BOOLEAN NOT NULL DEFAULT 0,
    stripe_customer_id VARCHAR(255),
    stripe_subscription_id TEXT,
    stripe_subscription_status TEXT,
    stripe_price_id TEXT,
    stripe_current_period_end DATETIME(3),
    stripe_cancel_at_period_end BOOLEAN NOT NULL DEFAULT 0,
    polar_customer_id VARCHAR(64),
    polar_subscription_id TEXT,
    polar_subscription_status TEXT,
    polar_product_id TEXT,
    polar_current_period_end DATETIME(3),
    polar_cancel_at_period_end BOOLEAN NOT NULL DEFAULT 0,
    created_at DATETIME(3) NOT NULL,
    updated_at DATETIME(3) NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY kavach_users_email (email),
    UNIQUE KEY kavach_users_username (username),
    UNIQUE KEY kavach_users_stripe_customer_id (stripe_customer_id),
    UNIQUE KEY kavach_users_polar_customer_id (polar_customer_id)
  ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
    /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */`
]

/** Statements, in order. */
export const rawTablesOf: Readonly<Record<StoreName, ReadonlyArray<string>>> = {
  sqlite,
  libsql: sqlite,
  postgres,
  "postgres-js": postgres,
  mysql,
  mariadb: mysql
}

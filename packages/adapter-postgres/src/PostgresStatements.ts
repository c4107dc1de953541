/**
 * The statements on the store's own tables. Those that read answer with one JSON value (see `Session.answer`), and the
 * few that are asked all the time and for texts alone with rows (see `Session.rows`), which is less work on both sides.
 */

import type {
  CheckoutRow,
  ClaimedNotificationRow,
  DeliveryRow,
  LinkRow,
  QueuedNotificationRow,
  SubscriptionFact,
  SubscriptionRow
} from "@kavach-polar/core/adapter/rows"
import type { Changes, Facts, Keys } from "@kavach-polar/core/adapter/Step"
import type {
  ClaimRequest,
  Completion,
  DeliveryRowQuery,
  Setback,
  SubscriptionRowQuery
} from "@kavach-polar/core/adapter/StoreDriver"
import { join, raw, type Statement, sql } from "./PostgresStatement.ts"
import { isoOf, isoOrNull } from "./PostgresTime.ts"
import { count, listOf, millis, recordsOf, recordsWithTexts, text, texts, time } from "./PostgresValues.ts"
import type { UsersTable } from "./UsersTable.ts"

/** What the names in a step's keys lead to. */
export interface Named {
  readonly deliveries: Facts["deliveries"]
  readonly links: ReadonlyArray<LinkRow>
  readonly subscriptions: ReadonlyArray<SubscriptionFact>
  readonly untoldSubscriptionIds: ReadonlyArray<string>
}

/**
 * The subscriptions are locked as well, in the order of their ids, and are as they are once the locks are held. Of
 * what is untold the oldest is asked for: a question whether there is any may be answered by going through all that is queued.
 */
export const selectNamed = ({
  customerIds,
  deliveryIds,
  subscriptionIds
}: Keys): Statement => sql`SELECT json_build_object(
  'deliveries', ${listOf(sql`SELECT id, state, attempts, customer_id AS "customerId", subscription_id AS "subscriptionId",
    user_id AS "userId" FROM kavach_polar_deliveries WHERE id = ANY (${texts(deliveryIds)})`)},
  'links', ${listOf(sql`SELECT customer_id AS "customerId", user_id AS "userId", linked_by AS "linkedBy",
    ${millis(sql`linked_at`)} AS "linkedAt", ${millis(sql`deleted_at`)} AS "deletedAt"
    FROM kavach_polar_customers WHERE customer_id = ANY (${texts(customerIds)})`)},
  'subscriptions', ${listOf(sql`SELECT ${fact} FROM kavach_polar_subscriptions
    WHERE id = ANY (${texts(subscriptionIds)}) OR customer_id = ANY (${texts(customerIds)})
    ORDER BY id FOR NO KEY UPDATE`)},
  'untoldSubscriptionIds', (SELECT coalesce(json_agg(id), '[]') FROM unnest(${texts(subscriptionIds)}) AS named (id)
    WHERE (SELECT id FROM kavach_polar_notifications WHERE state = 'pending' AND subscription_id = named.id
      ORDER BY event_at, precedence LIMIT 1) IS NOT NULL)
)::text`

/**
 * The users whom a step is about, as `user_id`: those that the keys name, those of the links, and the owners. A query, since
 * who they are is known where it runs. The ids have the default collation, which gives way to any other, and not that of the
 * columns: the index of a table of the app's could not be used with it. NULL, for what has no owner, is nobody's id and may
 * be among them: a condition on that is one by which the server might go through all subscriptions.
 */
export const concernedUsers = ({ customerIds, subscriptionIds, userIds }: Keys): Statement => {
  const customers = texts(customerIds)
  return sql`SELECT user_id COLLATE "default" AS user_id FROM (
      SELECT unnest(${texts(userIds)}) AS user_id
      UNION SELECT user_id FROM kavach_polar_customers WHERE customer_id = ANY (${customers})
      UNION SELECT user_id FROM kavach_polar_subscriptions WHERE id = ANY (${texts(subscriptionIds)})
      UNION SELECT user_id FROM kavach_polar_subscriptions WHERE customer_id = ANY (${customers})
    ) AS found`
}

/** What concerns the users that a step is about. */
export interface Concerned {
  readonly subscriptions: ReadonlyArray<SubscriptionFact>
  readonly users: Facts["users"]
  readonly knownUserIds: ReadonlyArray<string>
}

/** `table` is the app's, if there is one. */
export const selectConcerned = (keys: Keys, table: UsersTable | undefined): Statement => {
  const concerned = sql`SELECT user_id FROM concerned`
  const asked = texts(keys.userIds)
  return sql`WITH concerned AS MATERIALIZED (${concernedUsers(keys)})
  SELECT json_build_object(
    'subscriptions', ${listOf(sql`SELECT ${fact} FROM kavach_polar_subscriptions
      WHERE user_id = ANY (ARRAY(${concerned})) AND live`)},
    'users', ${table?.facts(concerned, texts(keys.customerIds)) ?? sql`'[]'::json`},
    'knownUserIds', (SELECT coalesce(json_agg(DISTINCT user_id), '[]') FROM (
      SELECT user_id FROM kavach_polar_customers WHERE user_id = ANY (${asked})
      UNION ALL SELECT user_id FROM kavach_polar_checkouts WHERE user_id = ANY (${asked})) AS known)
  )::text`
}

const fact = sql`id, user_id AS "userId", customer_id AS "customerId", organization_id AS "organizationId",
  product_id AS "productId", status, live, ${millis(sql`current_period_end`)} AS "currentPeriodEnd",
  cancel_at_period_end AS "cancelAtPeriodEnd", event_at AS "eventAt", precedence, delivery_id AS "deliveryId",
  ${millis(sql`updated_at`)} AS "updatedAt"`

/** All that a step writes to the store's own tables in one go. No two of them write the same row. */
export const writes = (changes: Changes): ReadonlyArray<Statement> => [
  ...unlessEmpty(changes.deliveries, upsertDeliveries),
  ...unlessEmpty(changes.links, upsertLinks),
  ...unlessEmpty(changes.subscriptions, upsertSubscriptions),
  ...unlessEmpty(changes.adoptions, adopt),
  ...unlessEmpty(changes.notifications, insertNotifications),
  ...unlessEmpty(changes.checkouts, insertCheckouts),
  ...unlessEmpty(changes.releases, (releases) => release(releases, changes.deliveries))
]

/** Runs all of them as one statement. */
export const together = (statements: ReadonlyArray<Statement>): Statement => {
  const parts = statements.map((statement, index) => sql`${raw(`part_${index}`)} AS (${statement})`)
  return sql`WITH ${join(parts, ", ")} SELECT '0'`
}

const unlessEmpty = <Row>(
  rows: ReadonlyArray<Row>,
  write: (rows: ReadonlyArray<Row>) => Statement
): ReadonlyArray<Statement> => (rows.length === 0 ? [] : [write(rows)])

const deliveryColumns = {
  id: "text",
  type: "text",
  state: "text",
  event_at: "bigint",
  received_at: "timestamptz",
  updated_at: "timestamptz",
  customer_id: "text",
  subscription_id: "text",
  user_id: "text",
  attempts: "bigint",
  last_error: "text"
} as const

const givenDeliveries = recordsWithTexts("given", deliveryColumns, "body")

const upsertDeliveries = (rows: ReadonlyArray<DeliveryRow>): Statement => {
  const given = rows.map((row) => ({
    id: row.id,
    type: row.type,
    state: row.state,
    event_at: row.eventAt,
    received_at: isoOf(row.receivedAt),
    updated_at: isoOf(row.updatedAt),
    customer_id: row.customerId,
    subscription_id: row.subscriptionId,
    user_id: row.userId,
    attempts: row.attempts,
    last_error: row.lastError
  }))
  const bodies = rows.map((row) => row.body)
  return sql`${replacing.deliveries.insert} ${givenDeliveries(given, bodies)} ${replacing.deliveries.conflict}`
}

const linkColumns = {
  customer_id: "text",
  user_id: "text",
  linked_by: "text",
  linked_at: "timestamptz",
  deleted_at: "timestamptz"
} as const

const givenLinks = recordsOf("given", linkColumns)

const upsertLinks = (rows: ReadonlyArray<LinkRow>): Statement => {
  const given = rows.map((row) => ({
    customer_id: row.customerId,
    user_id: row.userId,
    linked_by: row.linkedBy,
    linked_at: isoOf(row.linkedAt),
    deleted_at: isoOrNull(row.deletedAt)
  }))
  return sql`${replacing.customers.insert} ${givenLinks(given)} ${replacing.customers.conflict}`
}

const subscriptionColumns = {
  id: "text",
  user_id: "text",
  customer_id: "text",
  organization_id: "text",
  product_id: "text",
  status: "text",
  live: "boolean",
  current_period_end: "timestamptz",
  cancel_at_period_end: "boolean",
  event_at: "bigint",
  precedence: "bigint",
  delivery_id: "text",
  updated_at: "timestamptz"
} as const

const givenSubscriptions = recordsWithTexts("given", subscriptionColumns, "data")

const upsertSubscriptions = (rows: ReadonlyArray<SubscriptionRow>): Statement => {
  const given = rows.map((row) => ({
    id: row.id,
    user_id: row.userId,
    customer_id: row.customerId,
    organization_id: row.organizationId,
    product_id: row.productId,
    status: row.status,
    live: row.live,
    current_period_end: isoOrNull(row.currentPeriodEnd),
    cancel_at_period_end: row.cancelAtPeriodEnd,
    event_at: row.eventAt,
    precedence: row.precedence,
    delivery_id: row.deliveryId,
    updated_at: isoOf(row.updatedAt)
  }))
  const data = rows.map((row) => row.data)
  return sql`${replacing.subscriptions.insert} ${givenSubscriptions(given, data)} ${replacing.subscriptions.conflict}`
}

/** Inserts of all that is given, which replaces what has its key. */
const replace = (table: string, key: string, columns: ReadonlyArray<string>) => ({
  insert: raw(`INSERT INTO ${table} (${columns.join(", ")}) SELECT * FROM`),
  conflict: raw(
    `ON CONFLICT (${key}) DO UPDATE SET ${columns
      .filter((name) => name !== key)
      .map((name) => `${name} = excluded.${name}`)
      .join(", ")}`
  )
})

const replacing = {
  deliveries: replace("kavach_polar_deliveries", "id", [...Object.keys(deliveryColumns), "body"]),
  customers: replace("kavach_polar_customers", "customer_id", Object.keys(linkColumns)),
  subscriptions: replace("kavach_polar_subscriptions", "id", [...Object.keys(subscriptionColumns), "data"])
}

const givenNotifications = recordsOf("given", {
  id: "text",
  subscription_id: "text",
  user_id: "text",
  event_at: "bigint",
  precedence: "bigint",
  payload: "text",
  created_at: "timestamptz",
  attempts: "bigint",
  available_at: "timestamptz",
  lease_owner: "text"
})

const insertNotifications = (rows: ReadonlyArray<QueuedNotificationRow>): Statement => {
  const given = rows.map((row) => ({
    id: row.id,
    subscription_id: row.subscriptionId,
    user_id: row.userId,
    event_at: row.eventAt,
    precedence: row.precedence,
    payload: row.payload,
    created_at: isoOf(row.createdAt),
    attempts: row.lease === null ? 0 : 1,
    available_at: isoOf(row.lease?.until ?? row.createdAt),
    lease_owner: row.lease?.owner ?? null
  }))
  return sql`INSERT INTO kavach_polar_notifications
      (id, subscription_id, user_id, event_at, precedence, payload, created_at, attempts, available_at, lease_owner,
       state, updated_at)
    SELECT given.*, 'pending', created_at FROM ${givenNotifications(given)} ON CONFLICT (id) DO NOTHING`
}

const givenCheckouts = recordsOf("given", {
  id: "text",
  user_id: "text",
  product_id: "text",
  created_at: "timestamptz"
})

const insertCheckouts = (rows: ReadonlyArray<CheckoutRow>): Statement => {
  const given = rows.map((row) => ({
    id: row.id,
    user_id: row.userId,
    product_id: row.productId,
    created_at: isoOf(row.createdAt)
  }))
  return sql`INSERT INTO kavach_polar_checkouts (id, user_id, product_id, created_at)
    SELECT id, user_id, product_id, created_at FROM ${givenCheckouts(given)}
    ON CONFLICT (id) DO NOTHING`
}

const givenAdoptions = recordsOf("adopted", { id: "text", user_id: "text", updated_at: "timestamptz" })

const adopt = (rows: Changes["adoptions"]): Statement => {
  const given = rows.map((row) => ({ id: row.id, user_id: row.userId, updated_at: isoOf(row.updatedAt) }))
  return sql`UPDATE kavach_polar_subscriptions AS subscription
    SET user_id = adopted.user_id, updated_at = adopted.updated_at
    FROM ${givenAdoptions(given)} WHERE subscription.id = adopted.id`
}

const givenReleases = recordsOf("released", {
  key: "text",
  position: "bigint",
  user_id: "text",
  updated_at: "timestamptz"
})

/**
 * A delivery that several of them release gets the user of the first. Those that the same step writes have their state from
 * there, and no statement may write a row twice. Each is found by its key and its id, and never by going through all that
 * wait or all that there are, of which the planner believes for long that they are few: hence a range and its order, which
 * one index has and the other has not, a list of the ids, and a state that no index knows.
 */
const release = (releases: Changes["releases"], written: Changes["deliveries"]): Statement => {
  const found = (by: Changes["releases"][number]["by"], column: Statement) => {
    const given = [...releases.entries()].flatMap(([position, row]) =>
      row.by === by ? [{ key: row.id, position, user_id: row.userId, updated_at: isoOf(row.updatedAt) }] : []
    )
    return sql`SELECT delivery.id, released.position, released.user_id, released.updated_at
      FROM ${givenReleases(given)} CROSS JOIN LATERAL (
        SELECT id FROM kavach_polar_deliveries
        WHERE state = 'unlinked' AND ${column} >= released.key AND ${column} <= released.key ORDER BY ${column} OFFSET 0
      ) AS delivery`
  }
  return sql`WITH released AS MATERIALIZED (
      SELECT DISTINCT ON (id) id, user_id, updated_at FROM (
        ${found("customerId", sql`customer_id`)}
        UNION ALL ${found("subscriptionId", sql`subscription_id`)}
      ) AS found ORDER BY id, position
    )
    UPDATE kavach_polar_deliveries AS delivery
    SET state = 'applied', user_id = released.user_id, updated_at = released.updated_at
    FROM released
    WHERE delivery.id = ANY (ARRAY(SELECT id FROM released)) AND delivery.id = released.id
      AND delivery.state || '' = 'unlinked' AND delivery.id <> ALL (${texts(written.map((row) => row.id))})`
}

/** Rows of an id and data. */
export const selectSubscriptionsOf = (userId: string, which: "all" | "live"): Statement =>
  sql`SELECT id, data FROM kavach_polar_subscriptions
    WHERE user_id = ${text(userId)} ${which === "live" ? sql`AND live` : sql``}`

/** A row of a customer's id, or none. */
export const selectLatestCustomerOf = (userId: string): Statement =>
  sql`SELECT customer_id FROM kavach_polar_customers
    WHERE user_id = ${text(userId)} AND deleted_at IS NULL ORDER BY linked_at DESC, customer_id LIMIT 1`

/**
 * Unfinished, and the oldest of its subscription that is: callbacks are made in the order of events. Asked for each by
 * itself, because a join would go through all that are queued to find the few that are wanted.
 */
const isNextOfItsSubscription = sql`candidate.state = 'pending' AND candidate.id = (
    SELECT oldest.id FROM kavach_polar_notifications AS oldest
    WHERE oldest.state = 'pending' AND oldest.subscription_id = candidate.subscription_id
    ORDER BY oldest.event_at, oldest.precedence LIMIT 1)`

/** Where it is found by its id, and no index of those that are pending is to be gone through for it. */
const isPending = sql`state || '' = 'pending'`

/** What of a notification is claimed. */
const claimedColumns = sql`id, subscription_id AS "subscriptionId", user_id AS "userId", event_at AS "eventAt",
      precedence, payload, ${millis(sql`created_at`)} AS "createdAt", attempts`

export interface Claimed {
  readonly rows: ReadonlyArray<ClaimedNotificationRow>
  /** When the first one that is not among them can be claimed, in epoch milliseconds. */
  readonly next: number | null
}

/**
 * Others may claim at the same moment: each skips what another one is just taking. A younger one is never handed out in
 * place of an older that is skipped, because whether there is an older is asked of the snapshot, where nothing is skipped
 * and what is being finished still is unfinished. And nothing older can come in later: a subscription's notifications are
 * queued in the order of its versions.
 */
export const claim = ({ leaseUntil, limit, now, owner }: ClaimRequest): Statement =>
  sql`WITH claimed AS (
    SELECT id, available_at FROM kavach_polar_notifications AS candidate
    WHERE ${isNextOfItsSubscription} AND available_at <= ${time(now)}
    ORDER BY available_at, id LIMIT ${count(limit)} FOR NO KEY UPDATE SKIP LOCKED
  ), leased AS (
    UPDATE kavach_polar_notifications AS notification
    SET attempts = notification.attempts + 1, available_at = ${time(leaseUntil)}, lease_owner = ${text(owner)},
      updated_at = ${time(now)}
    FROM claimed WHERE notification.id = claimed.id
    RETURNING claimed.available_at AS due, notification.*
  )
  SELECT json_build_object(
    'rows', ${listOf(sql`SELECT ${claimedColumns} FROM leased ORDER BY due, id`)},
    'next', (SELECT ${millis(sql`available_at`)} FROM kavach_polar_notifications AS candidate
      WHERE ${isNextOfItsSubscription} AND NOT EXISTS (SELECT FROM claimed WHERE claimed.id = candidate.id)
      ORDER BY available_at, id LIMIT 1)
  )::text`

/**
 * Answers with `Completed`. What comes next of a subscription is skipped where another claims it at the same moment, and
 * never passed over for a younger one, as with `claim`. The snapshot still has the completed ones as unfinished.
 */
export const complete = ({ ids, leaseUntil, now, owner }: Completion): Statement =>
  sql`WITH completed AS (
    UPDATE kavach_polar_notifications
    SET state = 'done', available_at = ${time(now)}, lease_owner = NULL, updated_at = ${time(now)}
    WHERE id = ANY (${texts(ids)}) AND ${isPending} AND lease_owner = ${text(owner)} RETURNING id, subscription_id
  ), following AS (
    SELECT id FROM kavach_polar_notifications
    WHERE id = ANY (ARRAY(SELECT (
        SELECT oldest.id FROM kavach_polar_notifications AS oldest
        WHERE oldest.state = 'pending' AND oldest.subscription_id = completed.subscription_id
          AND oldest.id NOT IN (SELECT id FROM completed)
        ORDER BY oldest.event_at, oldest.precedence LIMIT 1
      ) FROM completed))
      AND available_at <= ${time(now)} AND ${time(leaseUntil)} IS NOT NULL
    FOR NO KEY UPDATE SKIP LOCKED
  ), leased AS (
    UPDATE kavach_polar_notifications AS notification
    SET attempts = notification.attempts + 1, available_at = ${time(leaseUntil)}, lease_owner = ${text(owner)},
      updated_at = ${time(now)}
    FROM following WHERE notification.id = following.id RETURNING notification.*
  )
  SELECT json_build_object(
    'ids', (SELECT coalesce(json_agg(id), '[]') FROM completed),
    'next', ${listOf(sql`SELECT ${claimedColumns} FROM leased`)}
  )::text`

/** Answers with how many rows it changed. */
export const setBack = ({ availableAt, error, id, now, owner, state }: Setback): Statement =>
  sql`WITH changed AS (
    UPDATE kavach_polar_notifications
    SET state = ${text(state)}, available_at = ${time(availableAt ?? now)}, lease_owner = NULL,
      last_error = ${text(error)}, updated_at = ${time(now)}
    WHERE id = ${text(id)} AND ${isPending} AND lease_owner = ${text(owner)} RETURNING id
  ) SELECT count(*)::text FROM changed`

/** Answers with `DeliveryRow`s. */
export const selectInbox = (query: DeliveryRowQuery): Statement => {
  const conditions = [
    query.ids && sql`id = ANY (${texts(query.ids)})`,
    query.states && sql`state = ANY (${texts(query.states)})`,
    query.types && sql`type = ANY (${texts(query.types)})`,
    query.receivedBefore === undefined ? undefined : sql`received_at < ${time(query.receivedBefore)}`,
    query.receivedAfter === undefined ? undefined : sql`received_at >= ${time(query.receivedAfter)}`,
    query.after &&
      sql`received_at >= ${time(query.after.receivedAt)}
        AND (received_at > ${time(query.after.receivedAt)} OR id < ${text(query.after.id)})`
  ].filter((condition) => condition !== undefined)
  return sql`SELECT ${listOf(sql`SELECT id, type, state, event_at AS "eventAt",
    ${millis(sql`received_at`)} AS "receivedAt", ${millis(sql`updated_at`)} AS "updatedAt",
    customer_id AS "customerId", subscription_id AS "subscriptionId", user_id AS "userId", attempts,
    last_error AS "lastError", body FROM kavach_polar_deliveries
    ${conditions.length === 0 ? sql`` : sql`WHERE ${join(conditions, " AND ")}`}
    ORDER BY ${query.order === "oldest" ? sql`received_at, id DESC` : sql`received_at DESC, id`} LIMIT ${count(query.limit)}`)}::text`
}

/** Answers with how many rows it changed. Rows that somebody is writing are left for the next time. */
export const pruneBodies = (before: number, limit: number): Statement =>
  sql`WITH old AS (
    SELECT id FROM kavach_polar_deliveries WHERE body IS NOT NULL AND received_at < ${time(before)}
    ORDER BY received_at, id LIMIT ${count(limit)} FOR NO KEY UPDATE SKIP LOCKED
  ), pruned AS (
    UPDATE kavach_polar_deliveries AS delivery SET body = NULL FROM old WHERE delivery.id = old.id RETURNING delivery.id
  ) SELECT count(*)::text FROM pruned`

/** Answers with `StoredSubscription`s. */
export const selectSubscriptionsAfter = ({ afterId, limit, which }: SubscriptionRowQuery): Statement =>
  sql`SELECT ${listOf(sql`SELECT id, data FROM kavach_polar_subscriptions
    WHERE ${which === "live" ? sql`live` : sql`user_id IS NULL`}
    ${afterId === undefined ? sql`` : sql`AND id > ${text(afterId)}`}
    ORDER BY id LIMIT ${count(limit)}`)}::text`

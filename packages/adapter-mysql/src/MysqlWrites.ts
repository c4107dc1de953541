/**
 * What a step writes to the store's own tables.
 *
 * Rows go in with as few statements as there are tables, because each is work for the server and, on some pools, a way to
 * it and back.
 */
import type {
  CheckoutRow,
  DeliveryRow,
  LinkRow,
  QueuedNotificationRow,
  SubscriptionRow
} from "@kavach-polar/core/adapter/rows"
import type { Changes, Keys } from "@kavach-polar/core/adapter/Step"
import { portionLength } from "./MysqlExchange.ts"
import { type Waiting, waitingAmong, waitingColumns } from "./MysqlFacts.ts"
import { choices, groupsOf, update } from "./MysqlGroups.ts"
import { lengthOf, places, type Statement, statement, type Value } from "./MysqlStatement.ts"
import { datetimeOf, datetimeOrNull } from "./MysqlTime.ts"

export const writeDeliveries = (rows: ReadonlyArray<DeliveryRow>): ReadonlyArray<Statement> =>
  insertInto(
    deliveries,
    rows.map((row) => [
      row.id,
      row.type,
      row.state,
      row.eventAt,
      datetimeOf(row.receivedAt),
      datetimeOf(row.updatedAt),
      row.customerId,
      row.subscriptionId,
      row.userId,
      row.attempts,
      row.lastError,
      row.body
    ])
  )

export const writeLinks = (rows: ReadonlyArray<LinkRow>): ReadonlyArray<Statement> =>
  insertInto(
    links,
    rows.map((row) => [
      row.customerId,
      row.userId,
      row.linkedBy,
      datetimeOf(row.linkedAt),
      datetimeOrNull(row.deletedAt)
    ])
  )

export const writeSubscriptions = (rows: ReadonlyArray<SubscriptionRow>): ReadonlyArray<Statement> =>
  insertInto(
    subscriptions,
    rows.map((row) => [
      row.id,
      row.userId,
      row.customerId,
      row.organizationId,
      row.productId,
      row.status,
      flag(row.live),
      datetimeOrNull(row.currentPeriodEnd),
      flag(row.cancelAtPeriodEnd),
      row.eventAt,
      row.precedence,
      row.deliveryId,
      datetimeOf(row.updatedAt),
      row.data
    ])
  )

export const adopt = (rows: Changes["adoptions"]): ReadonlyArray<Statement> =>
  groupsOf(rows).map((group) => {
    const ids = group.map((row) => row.id)
    const choose = choices("id", ids)
    return update(
      "kavach_polar_subscriptions",
      [
        choose(
          "user_id",
          group.map((row) => row.userId)
        ),
        choose(
          "updated_at",
          group.map((row) => datetimeOf(row.updatedAt))
        )
      ],
      statement(`id IN (${places(ids)})`, ...ids)
    )
  })

/** Finds waiting deliveries that were not looked for among the step's facts: of subscriptions that their customer led to. */
export const selectWaiting = (releases: Changes["releases"], keys: Keys): ReadonlyArray<Statement> => {
  if (releases.length === 0) return []
  const unlookedFor = (by: Changes["releases"][number]["by"], looked: ReadonlyArray<string>) => {
    const ids = new Set(releases.filter((one) => one.by === by).map(({ id }) => id))
    for (const id of looked) ids.delete(id)
    return [...ids]
  }
  return [
    ...waitingAmong("customer_id", unlookedFor("customerId", keys.customerIds)),
    ...waitingAmong("subscription_id", unlookedFor("subscriptionId", keys.subscriptionIds))
  ].map(({ text, values }) => statement(`SELECT ${waitingColumns.join(", ")} FROM ${text}`, ...values))
}

/**
 * `waiting` was found under the locks of the customers and subscriptions, without which nobody adds to it. What this step
 * itself has written is looked at as well.
 */
export const release = (
  releases: Changes["releases"],
  waiting: ReadonlyArray<Waiting>,
  written: ReadonlyArray<DeliveryRow>
): ReadonlyArray<Statement> => {
  if (releases.length === 0) return []
  const rewritten = new Set(written.map((row) => row.id))
  const named = new Map<string, Array<string>>()
  for (const row of [
    ...waiting.filter(({ id }) => !rewritten.has(id)),
    ...written.filter(({ state }) => state === "unlinked")
  ]) {
    for (const key of [`customerId ${row.customerId}`, `subscriptionId ${row.subscriptionId}`]) {
      const ids = named.get(key)
      if (ids === undefined) named.set(key, [row.id])
      else ids.push(row.id)
    }
  }
  const released = new Map<string, Changes["releases"][number]>()
  // The first that names a delivery is the one that gives it to its user.
  for (const one of releases) {
    for (const id of named.get(`${one.by} ${one.id}`) ?? []) {
      if (!released.has(id)) released.set(id, one)
    }
  }
  return groupsOf([...released]).map((group) => {
    const ids = group.map(([id]) => id)
    const choose = choices("id", ids)
    return update(
      "kavach_polar_deliveries",
      [
        statement("state = 'applied'"),
        choose(
          "user_id",
          group.map(([, { userId }]) => userId)
        ),
        choose(
          "updated_at",
          group.map(([, { updatedAt }]) => datetimeOf(updatedAt))
        )
      ],
      statement(`id IN (${places(ids)}) AND state = 'unlinked'`, ...ids)
    )
  })
}

export const insertCheckouts = (rows: ReadonlyArray<CheckoutRow>): ReadonlyArray<Statement> =>
  insertInto(
    checkouts,
    rows.map((row) => [row.id, row.userId, row.productId, datetimeOf(row.createdAt)])
  )

export const insertNotifications = (rows: ReadonlyArray<QueuedNotificationRow>): ReadonlyArray<Statement> =>
  insertInto(
    notifications,
    rows.map((row) => {
      const createdAt = datetimeOf(row.createdAt)
      return [
        row.id,
        row.subscriptionId,
        row.userId,
        row.eventAt,
        row.precedence,
        row.payload,
        createdAt,
        "pending",
        row.lease === null ? 0 : 1,
        row.lease === null ? createdAt : datetimeOf(row.lease.until),
        row.lease?.owner ?? null,
        createdAt
      ]
    })
  )

/** An INSERT but for its rows. */
interface Insert {
  readonly head: string
  readonly row: string
  readonly tail: string
}

/**
 * Leaves the key as it is where the row that is there already has the same one. Where it is there because of another
 * unique index, which somebody must have added, it has another key: NULL makes the statement fail, and no stranger's row
 * is written over.
 */
const sameKey = (table: string, key: string): string =>
  `${key} = IF(${table}.${key} = VALUES(${key}), ${table}.${key}, NULL)`

/** The first of the columns is the key. */
const insert = (table: string, columns: readonly [string, ...Array<string>], ifThere: "replace" | "leave"): Insert => {
  const [key, ...others] = columns
  const replaced = ifThere === "replace" ? others.map((column) => `${column} = VALUES(${column})`) : []
  return {
    head: `INSERT INTO ${table} (${columns.join(", ")}) VALUES `,
    row: `(${places(columns)})`,
    tail: ` ON DUPLICATE KEY UPDATE ${[sameKey(table, key), ...replaced].join(", ")}`
  }
}

const deliveries = insert(
  "kavach_polar_deliveries",
  [
    "id",
    "type",
    "state",
    "event_at",
    "received_at",
    "updated_at",
    "customer_id",
    "subscription_id",
    "user_id",
    "attempts",
    "last_error",
    "body"
  ],
  "replace"
)

const links = insert(
  "kavach_polar_customers",
  ["customer_id", "user_id", "linked_by", "linked_at", "deleted_at"],
  "replace"
)

const subscriptions = insert(
  "kavach_polar_subscriptions",
  [
    "id",
    "user_id",
    "customer_id",
    "organization_id",
    "product_id",
    "status",
    "live",
    "current_period_end",
    "cancel_at_period_end",
    "event_at",
    "precedence",
    "delivery_id",
    "updated_at",
    "data"
  ],
  "replace"
)

const checkouts = insert("kavach_polar_checkouts", ["id", "user_id", "product_id", "created_at"], "leave")

const notifications = insert(
  "kavach_polar_notifications",
  [
    "id",
    "subscription_id",
    "user_id",
    "event_at",
    "precedence",
    "payload",
    "created_at",
    "state",
    "attempts",
    "available_at",
    "lease_owner",
    "updated_at"
  ],
  "leave"
)

type Values = ReadonlyArray<Value>

const insertInto = ({ head, row, tail }: Insert, rows: ReadonlyArray<Values>): ReadonlyArray<Statement> =>
  portions(rows).map((portion) => statement(`${head}${places(portion, row)}${tail}`, ...portion.flat()))

/** A statement must fit into the server's `max_allowed_packet`, at least 4 MB. */
const portions = (rows: ReadonlyArray<Values>): ReadonlyArray<ReadonlyArray<Values>> => {
  const all: Array<Array<Values>> = []
  let length = Number.POSITIVE_INFINITY
  for (const row of rows) {
    const own = lengthOf({ text: "", values: row })
    const portion = all.at(-1)
    if (portion === undefined || length + own > portionLength) {
      all.push([row])
      length = own
    } else {
      portion.push(row)
      length += own
    }
  }
  return all
}

const flag = (value: boolean): number => (value ? 1 : 0)

/** What a step's keys lead to, read as one statement. */

import type { DeliveryFact, LinkRow, LinkSource, SubscriptionFact, UserFact } from "@kavach-polar/core/adapter/rows"
import type { Facts, Keys } from "@kavach-polar/core/adapter/Step"
import type { DeliveryState } from "@kavach-polar/core/Delivery"
import { type Row, type Rows, text, textOrNull } from "./MysqlRows.ts"
import { places, type Statement, statement } from "./MysqlStatement.ts"
import { millisOf, millisOrNull } from "./MysqlTime.ts"
import * as MysqlUnion from "./MysqlUnion.ts"
import * as UsersTable from "./UsersTable.ts"

/** A recorded delivery that waits for its user, of one of the step's customers or subscriptions. */
export interface Waiting {
  readonly id: string
  readonly customerId: string | null
  readonly subscriptionId: string | null
}

export interface Found {
  readonly facts: Facts
  readonly waiting: ReadonlyArray<Waiting>
}

/** A statement, and what its rows are. */
export interface Question {
  readonly statement: Statement | undefined
  readonly answerOf: (rows: Rows) => Found
}

/** Of the users concerned, those of `userIds` only: what is found may lead to others. */
export const question = (
  table: UsersTable.UsersTable | undefined,
  keys: Keys,
  userIds: ReadonlyArray<string>
): Question => {
  const { customerIds, deliveryIds, subscriptionIds } = keys
  const parts = {
    deliveries: { columns: deliveryColumns, from: among("kavach_polar_deliveries", "id", deliveryIds) },
    links: { columns: linkColumns, from: among("kavach_polar_customers", "customer_id", customerIds) },
    subscriptions: {
      columns: subscriptionColumns,
      // Each of these columns has an index; a condition on several would go through the table.
      from: [
        ...among("kavach_polar_subscriptions", "id", subscriptionIds),
        ...among("kavach_polar_subscriptions", "customer_id", customerIds),
        ...among("kavach_polar_subscriptions", "user_id", userIds, " AND live = 1")
      ]
    },
    users: { columns: UsersTable.factColumns, from: table?.factSources(userIds, customerIds) ?? [] },
    known: {
      columns: ["user_id"],
      from: [
        ...among("kavach_polar_customers", "user_id", keys.userIds, " GROUP BY user_id"),
        ...among("kavach_polar_checkouts", "user_id", keys.userIds, " GROUP BY user_id")
      ]
    },
    untold: {
      columns: ["subscription_id"],
      from: among(
        "kavach_polar_notifications",
        "subscription_id",
        subscriptionIds,
        " AND state = 'pending' GROUP BY subscription_id"
      )
    },
    waiting: {
      columns: waitingColumns,
      from: [...waitingAmong("customer_id", customerIds), ...waitingAmong("subscription_id", subscriptionIds)]
    }
  }
  return {
    statement: MysqlUnion.select(parts),
    answerOf: (rows) => {
      const { deliveries, known, links, subscriptions, untold, users, waiting } = MysqlUnion.rowsOf(parts, rows)
      return {
        facts: {
          deliveries: deliveries.map(deliveryOf),
          links: links.map(linkOf),
          subscriptions: onceEach(subscriptions.map(subscriptionOf)),
          users: onceEach(UsersTable.exactly(users.map(userOf), userIds, customerIds)),
          knownUserIds: [...new Set(known.map(([userId]) => text(userId)))],
          untoldSubscriptionIds: untold.map(([subscriptionId]) => text(subscriptionId))
        },
        waiting: waitingOf(waiting)
      }
    }
  }
}

export const waitingColumns = ["id", "customer_id", "subscription_id"]

/** Each of the two columns has an index; a condition on both would go through the table. */
export const waitingAmong = (column: "customer_id" | "subscription_id", ids: ReadonlyArray<string>) =>
  among("kavach_polar_deliveries", column, ids, " AND state = 'unlinked'")

export const waitingOf = (rows: Rows): ReadonlyArray<Waiting> =>
  onceEach(
    rows.map(([id, customerId, subscriptionId]) => ({
      id: text(id),
      customerId: textOrNull(customerId),
      subscriptionId: textOrNull(subscriptionId)
    }))
  )

/** Of two readings, one of which was of further users. */
export const together = (facts: Facts, more: Facts): Facts => ({
  ...facts,
  subscriptions: onceEach([...facts.subscriptions, ...more.subscriptions]),
  users: onceEach([...facts.users, ...more.users])
})

/** From nowhere, when there are no values. */
const among = (table: string, column: string, values: ReadonlyArray<string>, further = ""): ReadonlyArray<Statement> =>
  values.length === 0 ? [] : [statement(`${table} WHERE ${column} IN (${places(values)})${further}`, ...values)]

const deliveryColumns = ["id", "state", "attempts", "customer_id", "subscription_id", "user_id"]

const deliveryOf = ([id, state, attempts, customerId, subscriptionId, userId]: Row): DeliveryFact => ({
  id: text(id),
  state: text(state) as DeliveryState,
  attempts: Number(attempts),
  customerId: textOrNull(customerId),
  subscriptionId: textOrNull(subscriptionId),
  userId: textOrNull(userId)
})

const linkColumns = ["customer_id", "user_id", "linked_by", "linked_at", "deleted_at"]

const linkOf = ([customerId, userId, linkedBy, linkedAt, deletedAt]: Row): LinkRow => ({
  customerId: text(customerId),
  userId: text(userId),
  linkedBy: text(linkedBy) as LinkSource,
  linkedAt: millisOf(text(linkedAt)),
  deletedAt: millisOrNull(textOrNull(deletedAt))
})

const subscriptionColumns = [
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
  "updated_at"
]

const subscriptionOf = ([
  id,
  userId,
  customerId,
  organizationId,
  productId,
  status,
  live,
  currentPeriodEnd,
  cancelAtPeriodEnd,
  eventAt,
  precedence,
  deliveryId,
  updatedAt
]: Row): SubscriptionFact => ({
  id: text(id),
  userId: textOrNull(userId),
  customerId: text(customerId),
  organizationId: textOrNull(organizationId),
  productId: text(productId),
  status: text(status),
  live: Number(live) === 1,
  currentPeriodEnd: millisOrNull(textOrNull(currentPeriodEnd)),
  cancelAtPeriodEnd: Number(cancelAtPeriodEnd) === 1,
  eventAt: Number(eventAt),
  precedence: Number(precedence),
  deliveryId: text(deliveryId),
  updatedAt: millisOf(text(updatedAt))
})

const userOf = ([id, polarCustomerId]: Row): UserFact => ({
  id: text(id),
  polarCustomerId: textOrNull(polarCustomerId)
})

const onceEach = <Row extends { readonly id: string }>(rows: ReadonlyArray<Row>): ReadonlyArray<Row> => [
  ...new Map(rows.map((row) => [row.id, row])).values()
]

/** What a step's keys lead to, read as one statement. */
import type { Facts, Keys } from "@kavach-polar/core/StoreStep"
import { eq, getTableColumns, inArray, type SQL, sql } from "drizzle-orm"
import type { MySqlColumn } from "drizzle-orm/mysql-core"
import type { Queries } from "./MysqlDatabase.ts"
import { factOf, subscriptionFact } from "./MysqlStatements.ts"
import { millisOf, millisOrNull } from "./MysqlTime.ts"
import * as MysqlUnion from "./MysqlUnion.ts"
import { checkouts, customers, deliveries, subscriptions } from "./schema.ts"
import * as UsersTable from "./UsersTable.ts"

/** Of the users concerned, those of `userIds` only: what is found may lead to others. */
export const read = async (
  tx: Queries,
  table: UsersTable.UsersTable | undefined,
  keys: Keys,
  userIds: ReadonlyArray<string>
): Promise<Facts> => {
  const found = await MysqlUnion.select(tx, {
    deliveries: {
      fields: {
        id: deliveries.id,
        state: deliveries.state,
        attempts: deliveries.attempts,
        customerId: deliveries.customerId,
        subscriptionId: deliveries.subscriptionId,
        userId: deliveries.userId
      },
      from: among(deliveries.id, keys.deliveryIds)
    },
    links: {
      fields: getTableColumns(customers),
      from: among(customers.customerId, keys.customerIds)
    },
    subscriptions: {
      fields: subscriptionFact,
      // Each of these columns has an index; a condition on several would go through the table.
      from: [
        ...among(subscriptions.id, keys.subscriptionIds),
        ...among(subscriptions.customerId, keys.customerIds),
        ...among(subscriptions.userId, userIds, { and: eq(subscriptions.live, true) })
      ]
    },
    users: {
      fields: UsersTable.factColumns,
      from: table?.factSources(userIds, keys.customerIds) ?? []
    },
    linked: {
      fields: { userId: customers.userId },
      from: among(customers.userId, keys.userIds, { groupBy: customers.userId })
    },
    bought: {
      fields: { userId: checkouts.userId },
      from: among(checkouts.userId, keys.userIds, { groupBy: checkouts.userId })
    }
  })
  return {
    deliveries: found.deliveries,
    links: found.links.map((row) => ({
      ...row,
      linkedAt: millisOf(row.linkedAt),
      deletedAt: millisOrNull(row.deletedAt)
    })),
    subscriptions: onceEach(found.subscriptions.map(factOf)),
    users: onceEach(UsersTable.exactly(found.users, userIds, keys.customerIds)),
    knownUserIds: [...new Set([...found.linked, ...found.bought].map((row) => row.userId))]
  }
}

/** Of two readings, one of which was of further users. */
export const together = (facts: Facts, more: Facts): Facts => ({
  ...facts,
  subscriptions: onceEach([...facts.subscriptions, ...more.subscriptions]),
  users: onceEach([...facts.users, ...more.users])
})

interface Further {
  readonly and?: SQL
  readonly groupBy?: MySqlColumn
}

/** From nowhere, when there are no values. */
const among = (
  column: MySqlColumn,
  values: ReadonlyArray<string>,
  { and, groupBy }: Further = {}
): ReadonlyArray<MysqlUnion.Source> => {
  if (values.length === 0) return []
  const having = inArray(column, [...values])
  return [{ table: column.table, where: and === undefined ? having : sql`${having} AND ${and}`, groupBy }]
}

const onceEach = <Row extends { readonly id: string }>(rows: ReadonlyArray<Row>): ReadonlyArray<Row> => [
  ...new Map(rows.map((row) => [row.id, row])).values()
]

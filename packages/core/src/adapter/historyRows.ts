/** Whom a text names, and all that is stored of them: for people who look into one case. */
import { kinds } from "../records/kinds.ts"
import { recordKey } from "../records/RecordReport.ts"
import type { FoundRows, HistoryRows, NotificationStateRow } from "../records/rows.ts"
import type { HistoryQuery, LookUpQuery, NotificationRowQuery } from "../store/StoreDriver.ts"
import type { Dialect } from "./Dialect.ts"
import { limitOf } from "./outbox.ts"
import { type RowAccess, valueIn } from "./rowsOf.ts"
import { ask, askOne, join, part, type Script, type Statement, sql } from "./Script.ts"
import { usersKnownAmong } from "./stepFacts.ts"
import type { UsersTable } from "./usersTable.ts"
import {
  actionRows,
  checkoutRows,
  deliveryHeads,
  linkChangeRows,
  linkRows,
  notificationRows,
  recordRows
} from "./wholeRows.ts"

export const makeHistoryRows = (dialect: Dialect) => {
  const put = valueIn(dialect)
  const links = linkRows(dialect)
  const records = recordRows(dialect)
  const checkouts = checkoutRows(dialect)
  const changes = linkChangeRows(dialect)
  const deliveries = deliveryHeads(dialect)
  const notifications = notificationRows(dialect)
  const actions = actionRows(dialect)

  const ofUser = (userId: string): Statement => sql`user_id = ${put(userId, "key")}`

  /** Nobody's: what another user has of a customer is not of whom it is asked about. */
  const ofCustomers = (ids: ReadonlyArray<string>): Statement =>
    sql`user_id IS NULL AND ${dialect.among("customer_id", ids, "id")}`

  const newest = (
    access: RowAccess<unknown>,
    conditions: ReadonlyArray<Statement>,
    time: string,
    limit: number
  ): ReadonlyArray<Statement> =>
    conditions.map(
      (condition) => sql`${access.select()} WHERE ${condition} ORDER BY ${time} DESC LIMIT ${limitOf(limit)}`
    )

  /** All kinds of customers lie together, in the order of their keys: see `recordPage`. */
  const customersWithAddress = (email: string, limit: number): Statement =>
    sql`${records.select()} WHERE record_key > ${put("customer ", "key")} AND record_key < ${put("customer!", "key")} AND lower(data) LIKE ${put(`%"email":${likeOf(email)}%`, "long")} LIMIT ${limitOf(limit)}`

  return {
    lookUp: function* ({ email, limit, text }: LookUpQuery, users: UsersTable | undefined): Script<FoundRows> {
      const keys = kinds.map(({ name }) => recordKey({ kind: name, id: text }))
      const [known = [], owned = [], named = [], ofCustomer = [], made = []] = yield* ask(
        usersKnownAmong(dialect, [text]),
        sql`${records.select()} WHERE ${ofUser(text)} LIMIT 1`,
        sql`${records.select()} WHERE ${dialect.among("record_key", keys, "key")}`,
        sql`${records.select()} WHERE customer_id = ${put(text, "id")} LIMIT ${limitOf(limit)}`,
        sql`${checkouts.select()} WHERE id = ${put(text, "id")}`
      )
      const row = users === undefined ? undefined : yield* users.find(text)
      const ofAddress = email === null ? undefined : users?.withAddress(email, limit)
      const withAddress = ofAddress?.statement === undefined ? [] : ofAddress.of(yield* askOne(ofAddress.statement))
      const customers = email === null ? [] : records.rows(yield* askOne(customersWithAddress(email, limit)))
      const ids = [text, ...customers.map(({ id }) => id)]
      const linked = yield* askOne(sql`${links.select()} WHERE ${dialect.among("customer_id", ids, "id")}`)
      const found = [...records.rows(named), ...records.rows(ofCustomer), ...customers]
      return {
        isUserId: known.length > 0 || owned.length > 0 || row !== undefined,
        users: withAddress,
        links: links.rows(linked),
        records: [...new Map(found.map((record) => [recordKey(record), record])).values()].slice(0, limit),
        checkouts: checkouts.rows(made)
      }
    },

    historyOf: function* ({ customerIds, limit, userId }: HistoryQuery): Script<HistoryRows> {
      const whose = [
        ...(userId === null ? [] : [ofUser(userId)]),
        ...(customerIds.length === 0 ? [] : [ofCustomers(customerIds)])
      ]
      const ofUserAlone = userId === null ? [] : [ofUser(userId)]
      const changed = [
        ...(userId === null
          ? []
          : [sql`from_user_id = ${put(userId, "key")}`, sql`to_user_id = ${put(userId, "key")}`]),
        ...(customerIds.length === 0 ? [] : [dialect.among("customer_id", customerIds, "id")])
      ]
      const subjects = [...(userId === null ? [] : [userId]), ...customerIds]
      const linked = [
        ...ofUserAlone,
        ...(customerIds.length === 0 ? [] : [dialect.among("customer_id", customerIds, "id")])
      ]
      const asked = {
        links: linked.map((condition) => sql`${links.select()} WHERE ${condition}`),
        records: newest(records, whose, "event_at", limit),
        checkouts: newest(checkouts, ofUserAlone, "created_at", limit),
        changes: newest(changes, changed, "changed_at", limit),
        deliveries: newest(deliveries, whose, "received_at", limit),
        notifications: newest(notifications, ofUserAlone, "created_at", limit),
        actions: newest(actions, subjects.length === 0 ? [] : [dialect.among("subject", subjects, "key")], "at", limit)
      }
      const answers = yield* ask(...Object.values(asked).flat())
      let next = 0
      const rowsOf = <Row>(access: RowAccess<Row>, statements: ReadonlyArray<Statement>): ReadonlyArray<Row> =>
        statements.flatMap(() => access.rows(answers[next++] ?? []))
      // In the order in which they were asked for.
      return {
        links: distinct(rowsOf(links, asked.links), ({ customerId }) => customerId),
        records: newestOf(rowsOf(records, asked.records), limit, recordKey, ({ eventAt }) => eventAt),
        checkouts: newestOf(rowsOf(checkouts, asked.checkouts), limit, idOf, ({ createdAt }) => createdAt),
        changes: newestOf(rowsOf(changes, asked.changes), limit, idOf, ({ changedAt }) => changedAt),
        deliveries: newestOf(rowsOf(deliveries, asked.deliveries), limit, idOf, ({ receivedAt }) => receivedAt),
        notifications: newestOf(rowsOf(notifications, asked.notifications), limit, idOf, ({ createdAt }) => createdAt),
        actions: newestOf(rowsOf(actions, asked.actions), limit, idOf, ({ at }) => at)
      }
    },

    notifications: function* ({
      limit,
      states,
      userId
    }: NotificationRowQuery): Script<ReadonlyArray<NotificationStateRow>> {
      const conditions = [
        states.length === 0 ? part("1 = 0") : dialect.among("state", states, "word"),
        ...(userId === undefined ? [] : [ofUser(userId)])
      ]
      return notifications.rows(
        yield* askOne(
          sql`${notifications.select()} WHERE ${join(conditions, " AND ")} ORDER BY available_at, id LIMIT ${limitOf(limit)}`
        )
      )
    }
  }
}

const idOf = ({ id }: { readonly id: string }): string => id

const distinct = <Row>(rows: ReadonlyArray<Row>, keyOf: (row: Row) => string): ReadonlyArray<Row> => [
  ...new Map(rows.map((row) => [keyOf(row), row])).values()
]

const newestOf = <Row>(
  rows: ReadonlyArray<Row>,
  limit: number,
  keyOf: (row: Row) => string,
  timeOf: (row: Row) => number
): ReadonlyArray<Row> =>
  [...distinct(rows, keyOf)].sort((a, b) => timeOf(b) - timeOf(a) || (keyOf(a) < keyOf(b) ? 1 : -1)).slice(0, limit)

/**
 * As JSON has it, in lower case. What is an escape in a pattern becomes any character: what is found is compared once more, by
 * whoever asked.
 */
const likeOf = (email: string): string => JSON.stringify(email).replaceAll("\\", "_")

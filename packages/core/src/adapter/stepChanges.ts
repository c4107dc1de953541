/** What a step writes: a statement for each row, in an order in which each finds what it needs. */
import { recordKey } from "../records/RecordReport.ts"
import type {
  CheckoutRow,
  DeliveryRow,
  LinkChangeRow,
  LinkRow,
  NotificationRow,
  RecordRow,
  StoredRecord
} from "../records/rows.ts"
import type { Changes, ErasedUser } from "../steps/Step.ts"
import type { CallTime, Patience } from "../store/StoreDriver.ts"
import type { Dialect } from "./Dialect.ts"
import { valueIn, writerOf } from "./rowsOf.ts"
import { type Statement, sql } from "./Script.ts"
import * as tables from "./tables.ts"
import type { UsersTable } from "./usersTable.ts"

/** A row of the outbox. */
export interface OutboxRow extends NotificationRow {
  readonly state: string
  readonly attempts: number
  /** In milliseconds from now, as `updatedAt`. */
  readonly availableAt: number
  readonly leaseOwner: string | null
  readonly lastError: string | null
  readonly updatedAt: number
  readonly traceparent: string | null
}

export const makeStepChanges = (dialect: Dialect) => {
  const put = valueIn(dialect)
  const writeDelivery = writerOf<DeliveryRow>(dialect, tables.deliveries, "replace")
  const writeLink = writerOf<LinkRow>(dialect, tables.customers, "replace")
  const writeRecord = writerOf<RecordRow & { readonly recordKey: string }>(dialect, tables.records, "replace")
  const insertNotification = writerOf<OutboxRow>(dialect, tables.notifications, "leave", ["availableAt", "updatedAt"])
  const insertCheckout = writerOf<CheckoutRow>(dialect, tables.checkouts, "leave")

  const insertLinkChange = writerOf<LinkChangeRow>(dialect, tables.linkChanges, "leave")

  const adopt = ({ id, kind, ownedBy, updatedAt, userId }: Changes["adoptions"][number]): Statement =>
    sql`UPDATE ${dialect.table(tables.records.name)} SET user_id = ${put(userId, "key")}, owned_by = ${put(ownedBy, "word")}, updated_at = ${put(updatedAt, "time")} WHERE record_key = ${put(recordKey({ kind, id }), "key")}`

  const look = ({ clockAt, id, kind, lapsedAt, updatedAt }: Changes["clocks"][number]): Statement =>
    sql`UPDATE ${dialect.table(tables.records.name)} SET clock_at = ${put(clockAt, "time")}, lapsed_at = ${put(lapsedAt, "time")}, updated_at = ${put(updatedAt, "time")} WHERE record_key = ${put(recordKey({ kind, id }), "key")}`

  /** One that several of them release gets the user of the first. */
  const release = ({ by, id, updatedAt, userId }: Changes["releases"][number]): Statement =>
    sql`UPDATE ${dialect.table(tables.deliveries.name)} SET state = 'applied', user_id = ${put(userId, "key")}, updated_at = ${put(updatedAt, "time")} WHERE state = 'unlinked' AND ${by === "customerId" ? "customer_id" : "record_id"} = ${put(id, "id")}`

  const blank = ({ data, id, kind }: StoredRecord): Statement =>
    sql`UPDATE ${dialect.table(tables.records.name)} SET data = ${put(data, "long")} WHERE record_key = ${put(recordKey({ kind, id }), "key")}`

  /** By the ids of notifications, which begin with the record's. */
  const dropErrors = ({ id }: StoredRecord): Statement =>
    sql`UPDATE ${dialect.table(tables.notifications.name)} SET last_error = NULL WHERE id > ${put(`${id}:`, "key")} AND id < ${put(`${id};`, "key")} AND last_error IS NOT NULL`

  const dropBodies = (customerId: string): Statement =>
    sql`UPDATE ${dialect.table(tables.deliveries.name)} SET body = NULL WHERE customer_id = ${put(customerId, "id")} AND ${dialect.hasBody}`

  const erase = ({ pseudonym, userId }: ErasedUser): ReadonlyArray<Statement> => {
    const rename = ({ name }: tables.Table, column: string, further = ""): Statement =>
      sql`UPDATE ${dialect.table(name)} SET ${column} = ${put(pseudonym, "key")}${further} WHERE ${column} = ${put(userId, "key")}`
    return [
      rename(tables.records, "user_id"),
      rename(tables.deliveries, "user_id", ", body = NULL, last_error = NULL"),
      rename(tables.checkouts, "user_id"),
      rename(tables.linkChanges, "from_user_id"),
      rename(tables.linkChanges, "to_user_id"),
      rename(tables.actions, "subject"),
      // Quoted, as whoever writes there has it.
      ...["detail", "result"].map(
        (column) =>
          sql`UPDATE ${dialect.table(tables.actions.name)} SET ${column} = REPLACE(${column}, ${put(JSON.stringify(userId), "text")}, ${put(JSON.stringify(pseudonym), "text")}) WHERE ${column} IS NOT NULL`
      ),
      sql`DELETE FROM ${dialect.table(tables.notifications.name)} WHERE user_id = ${put(userId, "key")}`
    ]
  }

  return (
    changes: Changes,
    users: UsersTable | undefined,
    { shift }: CallTime,
    patience: Patience
  ): ReadonlyArray<Statement> => [
    ...(changes.bodiless ?? []).map(dropBodies),
    ...(changes.blanks ?? []).flatMap((row) => [blank(row), dropErrors(row)]),
    ...changes.deliveries.map(writeDelivery),
    ...changes.links.map(writeLink),
    ...changes.records.map((row) => writeRecord({ ...row, recordKey: recordKey(row) })),
    ...changes.adoptions.map(adopt),
    ...changes.clocks.map(look),
    ...changes.releases.map(release),
    // An app that writes several of these rows in the order of their ids never waits in a circle with this.
    ...(users === undefined
      ? []
      : [...changes.projections]
          // Who gives a customer up comes first: the table may hold each customer once.
          .sort(
            (a, b) =>
              Number(b.polarCustomerId === null) - Number(a.polarCustomerId === null) || (a.userId < b.userId ? -1 : 1)
          )
          .flatMap((projection) => users.project(projection, patience))),
    ...changes.notifications.map(({ lease, ...row }) =>
      insertNotification({
        ...row,
        state: "pending",
        attempts: lease === null ? 0 : 1,
        availableAt: shift + (lease?.millis ?? 0),
        leaseOwner: lease?.owner ?? null,
        lastError: null,
        updatedAt: shift
      })
    ),
    ...changes.checkouts.map(insertCheckout),
    ...(changes.linkChanges ?? []).map(insertLinkChange),
    ...(changes.erased === undefined ? [] : erase(changes.erased))
  ]
}

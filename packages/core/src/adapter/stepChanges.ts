/** What a step writes: a statement for each row, in an order in which each finds what it needs. */
import { recordKey } from "../records/RecordReport.ts"
import type { CheckoutRow, DeliveryRow, LinkRow, NotificationRow, RecordRow } from "../records/rows.ts"
import type { Changes } from "../steps/Step.ts"
import type { Dialect } from "./Dialect.ts"
import { valueIn, writerOf } from "./rowsOf.ts"
import { type Statement, sql } from "./Script.ts"
import * as tables from "./tables.ts"
import type { UsersTable } from "./usersTable.ts"

/** A row of the outbox. */
export interface OutboxRow extends NotificationRow {
  readonly state: string
  readonly attempts: number
  readonly availableAt: number
  readonly leaseOwner: string | null
  readonly lastError: string | null
  readonly updatedAt: number
}

export const makeStepChanges = (dialect: Dialect) => {
  const put = valueIn(dialect)
  const writeDelivery = writerOf<DeliveryRow>(dialect, tables.deliveries, "replace")
  const writeLink = writerOf<LinkRow>(dialect, tables.customers, "replace")
  const writeRecord = writerOf<RecordRow & { readonly recordKey: string }>(dialect, tables.records, "replace")
  const insertNotification = writerOf<OutboxRow>(dialect, tables.notifications, "leave")
  const insertCheckout = writerOf<CheckoutRow>(dialect, tables.checkouts, "leave")

  const adopt = ({ id, kind, ownedBy, updatedAt, userId }: Changes["adoptions"][number]): Statement =>
    sql`UPDATE ${dialect.table(tables.records.name)} SET user_id = ${put(userId, "key")}, owned_by = ${put(ownedBy, "word")}, updated_at = ${put(updatedAt, "time")} WHERE record_key = ${put(recordKey({ kind, id }), "key")}`

  /** One that several of them release gets the user of the first. */
  const release = ({ by, id, updatedAt, userId }: Changes["releases"][number]): Statement =>
    sql`UPDATE ${dialect.table(tables.deliveries.name)} SET state = 'applied', user_id = ${put(userId, "key")}, updated_at = ${put(updatedAt, "time")} WHERE state = 'unlinked' AND ${by === "customerId" ? "customer_id" : "record_id"} = ${put(id, "id")}`

  return (changes: Changes, users: UsersTable | undefined): ReadonlyArray<Statement> => [
    ...changes.deliveries.map(writeDelivery),
    ...changes.links.map(writeLink),
    ...changes.records.map((row) => writeRecord({ ...row, recordKey: recordKey(row) })),
    ...changes.adoptions.map(adopt),
    ...changes.releases.map(release),
    // An app that writes several of these rows in the order of their ids never waits in a circle with this.
    ...(users === undefined
      ? []
      : [...changes.projections]
          .sort((a, b) => (a.userId < b.userId ? -1 : 1))
          .flatMap((projection) => users.project(projection))),
    ...changes.notifications.map(({ lease, ...row }) =>
      insertNotification({
        ...row,
        state: "pending",
        attempts: lease === null ? 0 : 1,
        availableAt: lease?.until ?? row.createdAt,
        leaseOwner: lease?.owner ?? null,
        lastError: null,
        updatedAt: row.createdAt
      })
    ),
    ...changes.checkouts.map(insertCheckout)
  ]
}

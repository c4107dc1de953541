/** Access to whole rows of each table, for whatever reads them: the columns stand here once. */
import type {
  ActionRow,
  CheckoutRow,
  DeliveryHead,
  DeliveryRow,
  LinkChangeRow,
  LinkRow,
  NotificationStateRow,
  RecordRow
} from "../records/rows.ts"
import type { Dialect } from "./Dialect.ts"
import { accessTo, type RowAccess } from "./rowsOf.ts"
import { factFields } from "./stepFacts.ts"
import * as tables from "./tables.ts"

const headFields: ReadonlyArray<keyof DeliveryHead & string> = [
  "id",
  "type",
  "state",
  "eventAt",
  "receivedAt",
  "updatedAt",
  "customerId",
  "recordKind",
  "recordId",
  "userId",
  "attempts",
  "lastError"
]

export const actionRows = (dialect: Dialect) =>
  accessTo<ActionRow>(dialect, tables.actions, ["id", "at", "who", "action", "subject", "detail", "result"])

export const checkoutRows = (dialect: Dialect) =>
  accessTo<CheckoutRow>(dialect, tables.checkouts, ["id", "userId", "productId", "createdAt"])

export const deliveryHeads = (dialect: Dialect) => accessTo<DeliveryHead>(dialect, tables.deliveries, headFields)

export const deliveryRows = (dialect: Dialect) =>
  accessTo<DeliveryRow>(dialect, tables.deliveries, [...headFields, "body"])

export const linkRows = (dialect: Dialect) =>
  accessTo<LinkRow>(dialect, tables.customers, ["customerId", "userId", "linkedBy", "linkedAt", "deletedAt"])

export const linkChangeRows = (dialect: Dialect) =>
  accessTo<LinkChangeRow>(dialect, tables.linkChanges, [
    "id",
    "action",
    "customerId",
    "recordKey",
    "fromUserId",
    "toUserId",
    "changedBy",
    "changedAt"
  ])

/** Of the time before there were other handlers. */
export const named = <Row extends { readonly handler: string }>(row: Row): Row => ({
  ...row,
  handler: (row.handler as string | null) ?? "onSubscriptionChange"
})

export const notificationRows = (dialect: Dialect): RowAccess<NotificationStateRow> => {
  const { rows, select } = accessTo<NotificationStateRow>(dialect, tables.notifications, [
    "id",
    "handler",
    "subject",
    "userId",
    "eventAt",
    "precedence",
    "payload",
    "createdAt",
    "state",
    "attempts",
    "availableAt",
    "leaseOwner",
    "lastError"
  ])
  return { select, rows: (found) => rows(found).map(named) }
}

export const recordRows = (dialect: Dialect) => accessTo<RecordRow>(dialect, tables.records, [...factFields, "data"])

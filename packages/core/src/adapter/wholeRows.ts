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
import { accessTo } from "./rowsOf.ts"
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

export const notificationRows = (dialect: Dialect) =>
  accessTo<NotificationStateRow>(dialect, tables.notifications, [
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

export const recordRows = (dialect: Dialect) => accessTo<RecordRow>(dialect, tables.records, [...factFields, "data"])

/** The inbox: deliveries as they came. */
import * as Effect from "effect/Effect"
import type { RecordedDelivery } from "../../records/Delivery.ts"
import type { DeliveryRow } from "../../records/rows.ts"
import type { UserId } from "../../values/ids.ts"
import type { EpochMicros } from "../../values/Timestamp.ts"
import type { BillingStoreService, DeliveryQuery } from "../BillingStoreService.ts"
import { type DeliveryBodies, type OpenedBody, openedBodies, unopenedBodies } from "../deliveryBodies.ts"
import type { DeliveryRowQuery } from "../StoreDriver.ts"
import type { DriverCalls } from "./driverCalls.ts"

export const inboxCalls = ({ ask, attempt, driver, span }: DriverCalls, bodies: DeliveryBodies) =>
  ({
    deliveries: (query) =>
      attempt("deliveries", () => driver.deliveries(deliveryRows(query))).pipe(
        Effect.flatMap((rows) =>
          query.decrypt === false ? Effect.succeed(unopenedBodies(rows)) : openedBodies(bodies, rows)
        ),
        Effect.map((rows) => rows.map(recordedDelivery)),
        span("deliveries")
      ),

    countDeliveries: (query) => ask("countDeliveries", () => driver.countDeliveries(deliveryRows(query))),

    pruneDeliveryBodies: (before, limit) =>
      ask("pruneDeliveryBodies", () => driver.pruneDeliveryBodies(before.getTime(), limit)),

    deleteSettledDeliveries: (before, limit) =>
      ask("deleteSettledDeliveries", () => driver.deleteSettledDeliveries(before.getTime(), limit))
  }) satisfies Partial<BillingStoreService>

const deliveryRows = (query: DeliveryQuery): DeliveryRowQuery => ({
  ids: query.ids,
  states: query.states,
  types: query.types,
  userId: query.userId,
  receivedBefore: query.receivedBefore?.getTime(),
  receivedAfter: query.receivedAfter?.getTime(),
  order: query.order ?? "newest",
  after: query.after === undefined ? undefined : { receivedAt: query.after.receivedAt.getTime(), id: query.after.id },
  limit: query.limit ?? 100
})

const recordedDelivery = (row: DeliveryRow & OpenedBody): RecordedDelivery => ({
  id: row.id,
  type: row.type,
  state: row.state,
  eventAt: row.eventAt as EpochMicros | null,
  receivedAt: new Date(row.receivedAt),
  customerId: row.customerId,
  recordKind: row.recordKind,
  recordId: row.recordId,
  userId: row.userId as UserId | null,
  attempts: row.attempts,
  lastError: row.lastError,
  body: row.body,
  isEncrypted: row.isEncrypted
})

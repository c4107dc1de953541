/**
 * Invoices and receipts of orders. Polar writes each when it is asked for first, which takes a moment. Its addresses need no
 * sign-in, so they are only given for orders that this app knows, and that are the user's for whom it is asked.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { PolarClient } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { orderKind } from "../records/Order.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import type { OrderId } from "../values/ids.ts"
import { DocumentUnavailable, OrderNotFound } from "./OrderError.ts"

/**
 * @example
 * await billing.orders.invoice(orderId, { userId: "user_1" })
 */
export interface DocumentOptions {
  /** For whom it is asked: the order of anybody else is not found. Default: for the app itself. */
  readonly userId?: string
}

/** Where it is, for some minutes: send the user there at once. Or it is being written: ask again in a few seconds. */
export type OrderDocument = { readonly url: string } | { readonly pending: true }

export type DocumentError = PolarError | StoreError | OrderNotFound | DocumentUnavailable

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
}

const pending: OrderDocument = { pending: true }

export const makeOrderDocuments = ({ client, store }: Ports) => {
  const known = (orderId: OrderId, { userId }: DocumentOptions = {}): Effect.Effect<void, StoreError | OrderNotFound> =>
    Effect.flatMap(store.record(orderKind, orderId), (found) =>
      Option.isSome(found) && (userId === undefined || found.value.userId === userId)
        ? Effect.void
        : new OrderNotFound({ orderId })
    )

  const request = (orderId: OrderId): Effect.Effect<OrderDocument, PolarError | DocumentUnavailable> =>
    client.requestInvoice(orderId).pipe(
      Effect.as(pending),
      Effect.catchTags({
        PolarConflict: () => new DocumentUnavailable({ orderId, document: "invoice", reason: "not payable" }),
        PolarRejected: (error) =>
          error.code === "MissingInvoiceBillingDetails"
            ? new DocumentUnavailable({ orderId, document: "invoice", reason: "billing details" })
            : Effect.fail(error)
      })
    )

  const invoice = (orderId: OrderId, options?: DocumentOptions): Effect.Effect<OrderDocument, DocumentError> =>
    Effect.zipRight(
      known(orderId, options),
      Effect.flatMap(
        client.getInvoice(orderId),
        Option.match({ onNone: () => request(orderId), onSome: (url) => Effect.succeed<OrderDocument>({ url }) })
      )
    )

  const receipt = (orderId: OrderId, options?: DocumentOptions): Effect.Effect<OrderDocument, DocumentError> =>
    Effect.zipRight(
      known(orderId, options),
      Effect.flatMap(client.getReceipt(orderId), (found) =>
        Option.isNone(found)
          ? new DocumentUnavailable({ orderId, document: "receipt", reason: "not paid" })
          : Effect.succeed(found.value === "writing" ? pending : found.value)
      )
    )

  return { invoice, receipt }
}

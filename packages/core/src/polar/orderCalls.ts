/** Calls about one order: the order itself, its invoice, its receipt, and money that goes back. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { orderKind } from "../records/Order.ts"
import { refundKind } from "../records/Refund.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import type { Metadata, OrderId } from "../values/ids.ts"
import { fromMillis } from "../values/Timestamp.ts"
import { reported, WebUrl } from "./PolarApi.ts"
import type { PolarError } from "./PolarError.ts"
import type { PolarHttp } from "./polarHttp.ts"

/** Why money goes back. */
export const refundReasons = [
  "duplicate",
  "fraudulent",
  "customer_request",
  "service_disruption",
  "satisfaction_guarantee",
  "other"
] as const
export type RefundReason = (typeof refundReasons)[number]

export interface CreateRefund {
  readonly orderId: OrderId
  readonly reason: RefundReason
  /** In minor units, without the tax, which Polar adds. */
  readonly amount: number
  readonly comment?: string | undefined
  readonly revokeBenefits?: boolean | undefined
  readonly metadata: Metadata
}

/** A receipt is written when it is asked for first: `writing` until it is there. */
export type ReceiptAnswer = { readonly url: string } | "writing"

export interface OrderCalls {
  /** The order with this id; `None` if Polar has none, or the token may not see it. */
  readonly getOrder: (id: OrderId) => Effect.Effect<Option.Option<Snapshot>, PolarError>
  /** Where the invoice is; `None` until it was asked for and written. */
  readonly getInvoice: (id: OrderId) => Effect.Effect<Option.Option<string>, PolarError>
  /** Asks for the invoice to be written, which takes a moment. */
  readonly requestInvoice: (id: OrderId) => Effect.Effect<void, PolarError>
  /** Where the receipt is; `None` where nothing was paid. */
  readonly getReceipt: (id: OrderId) => Effect.Effect<Option.Option<ReceiptAnswer>, PolarError>
  /** Sends money back. Asking twice sends it twice. */
  readonly createRefund: (input: CreateRefund) => Effect.Effect<Snapshot, PolarError>
}

const Document = Schema.Struct({ url: WebUrl })

export const makeOrderCalls = (call: PolarHttp["call"]): OrderCalls => {
  const ofOrder = (operation: string, method: "GET" | "POST", id: OrderId, what = "") => ({
    operation,
    method,
    path: `/v1/orders/${encodeURIComponent(id)}${what}`,
    template: `/v1/orders/{id}${what}`
  })

  const snapshotOf = (read: Effect.Effect<Snapshot["report"], PolarError>): Effect.Effect<Snapshot, PolarError> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.map(read, (report) => ({ report, fetchedAt: fromMillis(now) }))
    )

  return {
    getOrder: Effect.fn("PolarClient.getOrder")((id: OrderId) =>
      orNone(snapshotOf(call(ofOrder("get order", "GET", id), reported(orderKind))))
    ),

    getInvoice: Effect.fn("PolarClient.getInvoice")((id: OrderId) =>
      orNone(Effect.map(call(ofOrder("get invoice", "GET", id, "/invoice"), Document), ({ url }) => url))
    ),

    requestInvoice: Effect.fn("PolarClient.requestInvoice")((id: OrderId) =>
      call(ofOrder("request invoice", "POST", id, "/invoice"), Schema.Unknown)
    ),

    getReceipt: Effect.fn("PolarClient.getReceipt")((id: OrderId) =>
      orNone(
        Effect.map(
          call(ofOrder("get receipt", "GET", id, "/receipt"), Schema.NullOr(Document)),
          (document): ReceiptAnswer => document ?? "writing"
        )
      )
    ),

    createRefund: Effect.fn("PolarClient.createRefund")((input: CreateRefund) =>
      snapshotOf(
        call(
          { operation: "create refund", method: "POST", path: "/v1/refunds/", body: refundBody(input) },
          reported(refundKind)
        )
      )
    )
  }
}

const orNone = <A>(effect: Effect.Effect<A, PolarError>): Effect.Effect<Option.Option<A>, PolarError> =>
  effect.pipe(
    Effect.asSome,
    Effect.catchTag("PolarNotFound", () => Effect.succeedNone)
  )

const refundBody = ({ amount, comment, metadata, orderId, reason, revokeBenefits }: CreateRefund): object => ({
  order_id: orderId,
  reason,
  amount,
  comment,
  revoke_benefits: revokeBenefits,
  metadata
})

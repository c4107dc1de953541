/** Orders of the Polar in memory: their documents are there at once, and refunds succeed at once. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { isPaid, type Order, orderKind } from "../records/Order.ts"
import type { RecordReport } from "../records/RecordReport.ts"
import { type Refund, refundKind } from "../records/Refund.ts"
import { leftToRefund } from "../rules/refunding.ts"
import type { OrderId } from "../values/ids.ts"
import { fromMillis } from "../values/Timestamp.ts"
import type { CreateRefund, OrderCalls } from "./orderCalls.ts"
import { type PolarError, type PolarIssue, PolarNotFound, PolarRejected } from "./PolarError.ts"

interface Memory {
  readonly reports: (kind: "order" | "refund") => ReadonlyArray<RecordReport>
  readonly put: (report: RecordReport) => void
  readonly answer: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | PolarError>
  readonly uuid: Effect.Effect<string>
}

export const makeMemoryOrderCalls = ({ answer, put, reports, uuid }: Memory): OrderCalls => {
  const orderOf = (id: OrderId) =>
    Option.fromNullable(reports("order").find((report) => report.id === id)).pipe(
      Option.flatMap((report) => Option.map(orderKind.fromStored(report.data), (order) => ({ report, order })))
    )

  const refundsOf = (id: OrderId): ReadonlyArray<Refund> =>
    reports("refund")
      .filter(({ orderId }) => orderId === id)
      .flatMap(({ data }) => Option.toArray(refundKind.fromStored(data)))

  const createRefund = ({ amount, metadata, orderId, reason, revokeBenefits = false }: CreateRefund) =>
    Effect.gen(function* () {
      const found = orderOf(orderId)
      if (Option.isNone(found)) return yield* refused([{ path: ["order_id"], message: "Order not found" }])
      const { order, report } = found.value
      const left = leftToRefund(order, refundsOf(orderId))
      if (order.status === "refunded" || (left === 0 && isPaid(order.status))) {
        return yield* rejected(403, "RefundedAlready", `Order is already fully refunded: ${orderId}`)
      }
      if (revokeBenefits && order.subscriptionId !== null) {
        return yield* rejected(
          400,
          "RevokeSubscriptionBenefitsProhibited",
          "Subscription benefits can only be revoked upon cancellation"
        )
      }
      if (!isPaid(order.status)) {
        return yield* new PolarNotFound({ operation: "create refund", code: "RefundUnknownPayment" })
      }
      if (amount > left) {
        return yield* refused([{ path: ["amount"], message: `Refund amount exceeds remaining order balance: ${left}` }])
      }
      const at = yield* Clock.currentTimeMillis
      const refund = yield* Either.mapLeft(
        refundKind.read({
          id: yield* uuid,
          status: "succeeded",
          order_id: orderId,
          customer_id: order.customerId,
          subscription_id: order.subscriptionId,
          reason,
          amount,
          tax_amount: Math.round((amount * (order.taxAmount ?? 0)) / (order.netAmount ?? 1)),
          currency: order.currency,
          revoke_benefits: revokeBenefits,
          created_at: new Date(at).toISOString(),
          metadata
        }),
        () => unreadable
      )
      put(refund)
      put(withRefunded(report, order, amount))
      return { report: refund, fetchedAt: fromMillis(at) }
    })

  return {
    getOrder: (id) =>
      answer(
        Effect.map(Clock.currentTimeMillis, (now) =>
          Option.map(orderOf(id), ({ report }) => ({ report, fetchedAt: fromMillis(now) }))
        )
      ),
    getInvoice: (id) => answer(Effect.sync(() => Option.map(orderOf(id), () => addressOf("invoice", id)))),
    requestInvoice: () => answer(Effect.void),
    getReceipt: (id) =>
      answer(
        Effect.sync(() =>
          orderOf(id).pipe(
            Option.filter(({ order }) => order.status === "refunded" || isPaid(order.status)),
            Option.map(() => ({ url: addressOf("receipt", id) }))
          )
        )
      ),
    createRefund: (input) => answer(createRefund(input))
  }
}

const addressOf = (what: "invoice" | "receipt", id: OrderId): string => `https://sandbox.polar.sh/memory/${what}/${id}`

/** The order as it is when that went back. */
const withRefunded = (report: RecordReport, order: Order, amount: number): RecordReport => {
  const refunded = (order.refundedAmount ?? 0) + amount
  const status = refunded >= (order.netAmount ?? 0) ? "refunded" : "partially_refunded"
  return {
    ...report,
    status,
    live: isPaid(status),
    summary: JSON.stringify({ ...JSON.parse(report.summary), refunded_amount: refunded }),
    data: JSON.stringify({ ...JSON.parse(report.data), status, refunded_amount: refunded })
  }
}

const rejected = (status: number, code: string, detail: string) =>
  new PolarRejected({ operation: "create refund", status, code, detail, issues: [] })

const refused = (issues: ReadonlyArray<PolarIssue>) =>
  new PolarRejected({
    operation: "create refund",
    status: 422,
    code: "PolarRequestValidationError",
    detail: null,
    issues
  })

const unreadable = rejected(422, "PolarRequestValidationError", "The order is not one that can be refunded.")

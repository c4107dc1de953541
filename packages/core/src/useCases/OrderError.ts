/** How what is asked of an order comes to nothing for a reason that the app can react to; each says what to do. */
import * as Schema from "effect/Schema"

/** This app's own database has no such order, or it is not the order of the user for whom it was asked. */
export class OrderNotFound extends Schema.TaggedError<OrderNotFound>()("OrderNotFound", {
  orderId: Schema.String
}) {
  override get message(): string {
    return `There is no order ${this.orderId} in this app's database, or it is not this user's. If Polar has it, no webhook has brought it yet: \`reconcile\` the user, or all with \`reconcileAll\`.`
  }
}

const why = {
  "not payable": "it is a draft or void, so there is nothing to invoice.",
  "billing details":
    "it lacks the buyer's billing name or address. The buyer can add them in Polar's portal, and you in its dashboard; then ask again.",
  "not paid": "nothing was paid for it, so there is nothing to give a receipt for."
} as const

/** Polar has no such document of the order, and will not have one as things stand. */
export class DocumentUnavailable extends Schema.TaggedError<DocumentUnavailable>()("DocumentUnavailable", {
  orderId: Schema.String,
  document: Schema.Literal("invoice", "receipt"),
  reason: Schema.Literal("not payable", "billing details", "not paid")
}) {
  override get message(): string {
    return `There is no ${this.document} of the order ${this.orderId}: ${why[this.reason]}`
  }
}

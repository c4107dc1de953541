/** Calls that change one subscription, or ask what a change would cost (Polar docs: api-reference/subscriptions/update). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import type { PlanChange, SubscriptionUpdate } from "../rules/subscriptionUpdate.ts"
import type { SubscriptionId } from "../values/ids.ts"
import { fromMillis } from "../values/Timestamp.ts"
import { reported } from "./PolarApi.ts"
import type { PolarError } from "./PolarError.ts"
import type { PolarHttp } from "./polarHttp.ts"

const Amount = Schema.Int

/** What a change would cost, in minor units (cents). Polar may change it without notice, so little is relied on. */
const ChangePreviewAnswer = Schema.Struct({
  base_amount: Amount,
  metered_amount: Schema.optionalWith(Amount, { default: () => 0 }),
  proration_amount: Amount,
  prorations: Schema.Array(Schema.Struct({ label: Schema.String, amount: Amount })),
  subtotal_amount: Amount,
  discount_amount: Schema.optionalWith(Amount, { default: () => 0 }),
  net_amount: Amount,
  tax_amount: Amount,
  total_amount: Amount,
  applied_balance_amount: Schema.optionalWith(Amount, { default: () => 0 }),
  due_amount: Amount
})

/** What a change of a subscription would cost. All amounts are in minor units (cents) of the subscription's currency. */
export interface ChangePreview {
  /** The price of a whole period; 0, because a change is charged with `prorations`. */
  readonly baseAmount: number
  readonly meteredAmount: number
  /** The sum of `prorations`: below 0, the unused time is worth more than the new plan costs for it. */
  readonly prorationAmount: number
  /** One line for each, to be shown. */
  readonly prorations: ReadonlyArray<{ readonly label: string; readonly amount: number }>
  readonly subtotal: number
  readonly discount: number
  readonly net: number
  readonly tax: number
  readonly total: number
  /** Below 0, credit of the customer's that is used up; above, debt that is collected. */
  readonly appliedBalance: number
  /** What the buyer is charged. */
  readonly due: number
}

const DiscountPage = Schema.Struct({
  items: Schema.Array(Schema.Struct({ id: Schema.String, code: Schema.NullOr(Schema.String) }))
})

export interface SubscriptionCalls {
  /** Changes the subscription, and succeeds with what it is then. */
  readonly updateSubscription: (id: SubscriptionId, update: SubscriptionUpdate) => Effect.Effect<Snapshot, PolarError>
  /** What the change would cost; `None` where this Polar has no previews, or one that cannot be read. */
  readonly previewChange: (
    id: SubscriptionId,
    change: PlanChange
  ) => Effect.Effect<Option.Option<ChangePreview>, PolarError>
  /** The id of the discount that buyers get with this code, in whichever case. Needs the scope `discounts:read`. */
  readonly findDiscount: (code: string) => Effect.Effect<Option.Option<string>, PolarError>
}

export const makeSubscriptionCalls = (call: PolarHttp["call"]): SubscriptionCalls => ({
  updateSubscription: Effect.fn("PolarClient.updateSubscription")(function* (
    id: SubscriptionId,
    update: SubscriptionUpdate
  ) {
    const fetchedAt = fromMillis(yield* Clock.currentTimeMillis)
    const report = yield* call(
      {
        operation: operationOf(update),
        method: "PATCH",
        path: `/v1/subscriptions/${encodeURIComponent(id)}`,
        template: "/v1/subscriptions/{id}",
        body: updateBody(update)
      },
      reported(subscriptionKind)
    )
    return { report, fetchedAt }
  }),

  previewChange: Effect.fn("PolarClient.previewChange")((id: SubscriptionId, change: PlanChange) =>
    call(
      {
        operation: "preview change",
        method: "POST",
        path: `/v1/subscriptions/${encodeURIComponent(id)}/change-preview`,
        template: "/v1/subscriptions/{id}/change-preview",
        body: updateBody(change)
      },
      ChangePreviewAnswer
    ).pipe(
      Effect.map((answer) => Option.some(previewIn(answer))),
      Effect.catchIf(isNoPreview, (error) =>
        Effect.as(
          Effect.logInfo(`What a change would cost is not known: ${error.message}`),
          Option.none<ChangePreview>()
        )
      )
    )
  ),

  findDiscount: Effect.fn("PolarClient.findDiscount")((code: string) =>
    call(
      {
        operation: "find discount",
        method: "GET",
        path: "/v1/discounts/",
        query: [
          ["query", code],
          ["limit", "100"]
        ]
      },
      DiscountPage
    ).pipe(
      Effect.map(({ items }) =>
        Option.map(
          Option.fromNullable(items.find((discount) => discount.code?.toLowerCase() === code.toLowerCase())),
          ({ id }) => id
        )
      )
    )
  )
})

const operations: Readonly<Record<SubscriptionUpdate["_tag"], string>> = {
  Product: "change product",
  Seats: "change seats",
  Units: "change units",
  Cancel: "cancel subscription",
  Uncancel: "uncancel subscription",
  Revoke: "revoke subscription",
  Pause: "pause subscription",
  UnschedulePause: "unschedule pause",
  Resume: "resume subscription",
  TrialEnd: "change trial",
  Discount: "change discount",
  DropPendingUpdate: "drop pending update"
}

/** What it is called in errors and logs. */
export const operationOf = ({ _tag }: SubscriptionUpdate): string => operations[_tag]

/** The body that Polar takes for it. A field of another kind of change would be refused. */
export const updateBody = (update: SubscriptionUpdate): object => {
  switch (update._tag) {
    case "Product":
      return { product_id: update.productId, proration_behavior: update.prorationBehavior }
    case "Seats":
      return { seats: update.seats, proration_behavior: update.prorationBehavior }
    case "Units":
      return { units: update.units, proration_behavior: update.prorationBehavior }
    case "Cancel":
      return { cancel_at_period_end: true, ...farewellBody(update) }
    case "Uncancel":
      return { cancel_at_period_end: false }
    case "Revoke":
      return { revoke: true, ...farewellBody(update) }
    case "Pause":
      return { pause_at_period_end: true, resumes_at: update.resumesAt?.toISOString() }
    case "UnschedulePause":
      return { pause_at_period_end: false }
    case "Resume":
      return { resume: true }
    case "TrialEnd":
      return { trial_end: update.trialEnd === "now" ? "now" : update.trialEnd.toISOString() }
    case "Discount":
      return { discount_id: update.discountId }
    case "DropPendingUpdate":
      return { pending_update: null }
  }
}

const farewellBody = ({ comment, reason }: Extract<SubscriptionUpdate, { _tag: "Cancel" | "Revoke" }>): object => ({
  customer_cancellation_reason: reason,
  customer_cancellation_comment: comment
})

const previewIn = (answer: typeof ChangePreviewAnswer.Type): ChangePreview => ({
  baseAmount: answer.base_amount,
  meteredAmount: answer.metered_amount,
  prorationAmount: answer.proration_amount,
  prorations: answer.prorations,
  subtotal: answer.subtotal_amount,
  discount: answer.discount_amount,
  net: answer.net_amount,
  tax: answer.tax_amount,
  total: answer.total_amount,
  appliedBalance: answer.applied_balance_amount,
  due: answer.due_amount
})

/** An older Polar does not know the address, one of another shape cannot be read: both are no mistake of the app's. */
const isNoPreview = (error: PolarError): boolean =>
  error._tag === "PolarUnexpectedAnswer"
    ? error.status === 404 || error.status < 300
    : error._tag === "PolarNotFound" || (error._tag === "PolarRejected" && error.status === 405)

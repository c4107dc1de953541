/** What the calls that change a subscription take, each option with its check. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  type CancellationReason,
  cancellationReasons,
  type ProrationBehavior,
  prorationBehaviors
} from "../rules/subscriptionUpdate.ts"
import {
  anyText,
  date,
  given,
  InvalidOption,
  oneOf,
  optional,
  optionsCheck,
  positiveWhole,
  said,
  text
} from "../values/options.ts"

/**
 * @example
 * await billing.subscriptions.uncancel("user_1", { subscriptionId })
 */
export interface WhichSubscription {
  /** Which of the user's subscriptions. Default: the one that is live. */
  readonly subscriptionId?: string
}

interface Proration {
  /** When it is charged. Default: what the organization is set to at Polar. */
  readonly prorationBehavior?: ProrationBehavior | undefined
}

/**
 * What to change: the product, or how many of it.
 *
 * @example
 * await billing.subscriptions.change("user_1", { product: productId, prorationBehavior: "invoice", subscriptionId })
 * await billing.subscriptions.change("user_1", { seats: 5 })
 */
export type ChangeOptions = WhichSubscription &
  Proration &
  (
    | { /** A name in `products`, or an id of Polar's. */ readonly product: string }
    | { readonly seats: number }
    | { readonly units: number }
  )

/**
 * @example
 * await billing.subscriptions.revoke("user_1", { reason: "other", comment: "Asked by phone", subscriptionId })
 */
export interface RevokeOptions extends WhichSubscription {
  readonly reason?: CancellationReason | undefined
  /** The customer's words. They see them in the portal. */
  readonly comment?: string | undefined
}

/**
 * @example
 * await billing.subscriptions.cancel("user_1", {
 *   atPeriodEnd: false,
 *   reason: "too_expensive",
 *   comment: "Half of it is not used",
 *   subscriptionId
 * })
 */
export interface CancelOptions extends RevokeOptions {
  /** `false` ends it at once, as `revoke` does. Default: true. */
  readonly atPeriodEnd?: boolean | undefined
}

/**
 * @example
 * await billing.subscriptions.pause("user_1", { resumesAt: new Date("2027-03-01"), atPeriodEnd: true, subscriptionId })
 */
export interface PauseOptions extends WhichSubscription {
  /** When it goes on by itself: after the end of the period. Default: when `resume` is called. */
  readonly resumesAt?: Date | undefined
  /** Polar pauses at the end of the period and at no other time. */
  readonly atPeriodEnd?: true | undefined
}

// An unset id would be any subscription.
const which = { subscriptionId: given(text("a subscription's id")) }
const proration = { prorationBehavior: optional(oneOf(...prorationBehaviors)) }
const farewell = { reason: optional(oneOf(...cancellationReasons)), comment: optional(anyText) }
const quantity = positiveWhole("a whole number, 1 or more")

/** Checked one by one, so that what is wrong is said of the option and not of all three. */
interface AnyChange extends WhichSubscription, Proration {
  readonly product?: string
  readonly seats?: number
  readonly units?: number
}

const anyChange: Schema.Schema<AnyChange> = Schema.Struct({
  ...which,
  ...proration,
  product: given(text("a product's name or id")),
  seats: given(quantity),
  units: given(quantity)
})

const whichSubscription: Schema.Schema<WhichSubscription> = Schema.Struct(which)
const revokeOptions: Schema.Schema<RevokeOptions> = Schema.Struct({ ...which, ...farewell })
const cancelOptions: Schema.Schema<CancelOptions> = Schema.Struct({
  ...which,
  ...farewell,
  atPeriodEnd: optional(said(Schema.Boolean, "it must be true or false"))
})
const pauseOptions: Schema.Schema<PauseOptions> = Schema.Struct({
  ...which,
  resumesAt: optional(date),
  atPeriodEnd: optional(said(Schema.Literal(true), "Polar pauses at the end of the period: leave it out"))
})

const checked = <A, I>(call: string, schema: Schema.Schema<A, I>) => {
  const check = optionsCheck(call, schema)
  return (options: unknown = {}): Effect.Effect<void> => Effect.sync(() => check(options))
}

const changeNames = ["product", "seats", "units"] as const

/** One of them, because Polar takes one at a time. */
const checkedChange = (call: string) => {
  const check = optionsCheck(call, anyChange)
  return (options: unknown): Effect.Effect<void> =>
    Effect.sync(() => {
      check(options ?? {})
      const named = changeNames.filter((name) => Object.hasOwn(Object(options), name))
      if (named.length === 1) return
      throw new InvalidOption({
        call,
        option: named[1] ?? "options",
        problem:
          named.length === 0
            ? "say what to change: product, seats or units"
            : `Polar changes one thing at a time: leave out all of ${named.join(", ")} but one`
      })
    })
}

export const checkSubscriptionOptions = {
  change: checkedChange("subscriptions.change()"),
  preview: checkedChange("subscriptions.preview()"),
  cancel: checked("subscriptions.cancel()", cancelOptions),
  uncancel: checked("subscriptions.uncancel()", whichSubscription),
  revoke: checked("subscriptions.revoke()", revokeOptions),
  pause: checked("subscriptions.pause()", pauseOptions),
  resume: checked("subscriptions.resume()", whichSubscription),
  extendTrial: checked("subscriptions.extendTrial()", whichSubscription),
  until: checked("subscriptions.extendTrial()", Schema.Struct({ until: date })),
  endTrial: checked("subscriptions.endTrial()", whichSubscription),
  applyDiscount: checked("subscriptions.applyDiscount()", whichSubscription),
  discount: checked(
    "subscriptions.applyDiscount()",
    Schema.Struct({ codeOrId: Schema.NullOr(text("a discount's code or id, or null for none")) })
  ),
  undoPending: checked("subscriptions.undoPending()", whichSubscription)
}

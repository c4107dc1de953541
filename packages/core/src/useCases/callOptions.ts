/**
 * What the calls of a billing take, each option with its check: one line in an interface, and one in the schema below it.
 * What the schema lacks does not compile.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { refundReasons } from "../polar/PolarClient.ts"
import { type DeliveryState, deliveryStates } from "../records/DeliveryState.ts"
import type { BuryQuery, DeadNotification, DeadNotificationQuery } from "../records/Notification.ts"
import type { OrderStatus } from "../records/Order.ts"
import { Metadata } from "../values/ids.ts"
import {
  anyText,
  boolean,
  callback,
  date,
  duration,
  foreign,
  given,
  InvalidOption,
  listOfTexts,
  oneOf,
  optional,
  optionsCheck,
  positiveWhole,
  said,
  shaped,
  text
} from "../values/options.ts"
import type { CompleteOptions, GetCheckoutOptions } from "./checkouts.ts"
import type { LinkChangeOptions, MoveOptions, WaitingOptions } from "./customers.ts"
import type { EraseOptions } from "./erasures.ts"
import type { ActivateOptions, ValidateOptions } from "./licenseKeys.ts"
import type { DocumentOptions } from "./orderDocuments.ts"
import type { ReplayOptions, ReplayQuery } from "./Replay.ts"
import type { ReconcileOptions, ReconcileUserOptions } from "./reconcile.ts"
import type { RefundOptions } from "./refundOrder.ts"
import type { TimelineOptions } from "./timeline.ts"

/**
 * @example
 * await billing.createPortalSession("user_1", { returnUrl: "https://app.example.com/account", memberId })
 */
export interface PortalOptions {
  /** Where the portal's back button leads. http(s). */
  readonly returnUrl?: string | undefined
  /** For a customer that is a team: the member who opens it. Default: the one who is the user. */
  readonly memberId?: string | undefined
}

/**
 * @example
 * await billing.access("user_1", { product: "team", at: new Date("2027-01-01") })
 * await billing.access("user_1", { products: ["pro", "team"] })
 */
export interface AccessOptions {
  /** Another time than now: for a clock of the app's own. */
  readonly at?: Date | undefined
  /** Only subscriptions to this product: its name in `products`, or its id at Polar. */
  readonly product?: string
  /** Only subscriptions to one of these. */
  readonly products?: ReadonlyArray<string>
}

/**
 * Which of a user's orders; every condition given must hold.
 *
 * @example
 * await billing.orders.list("user_1", { status: "paid", productId })
 */
export interface OrderQuery {
  readonly status?: OrderStatus | undefined
  readonly productId?: string | undefined
}

const portalOptions: Schema.Schema<PortalOptions> = Schema.Struct({
  returnUrl: optional(anyText),
  memberId: optional(anyText)
})

const severalProducts = "it must be a list of products' names or ids"
const aProduct = text("a product's name or id")

// One that is undefined would be forgotten, and any subscription do: it is refused, as is an empty list.
const accessOptions: Schema.Schema<AccessOptions> = Schema.Struct({
  at: optional(date),
  product: given(aProduct),
  products: given(shaped(shaped(Schema.Array(aProduct), severalProducts).pipe(Schema.minItems(1)), severalProducts))
})

// An unset user would be nobody in particular, to whom all of it is shown.
const getCheckoutOptions: Schema.Schema<GetCheckoutOptions> = Schema.Struct({ userId: given(text("a user's id")) })

const completeOptions: Schema.Schema<CompleteOptions> = Schema.Struct({
  wait: optional(duration)
})

const orderQuery: Schema.Schema<OrderQuery> = Schema.Struct({
  status: optional(anyText),
  productId: optional(anyText)
})

// An unset user would be nobody in particular, to whom all of it is shown.
const documentOptions: Schema.Schema<DocumentOptions> = Schema.Struct({ userId: given(text("a user's id")) })

const refundOptions: Schema.Schema<RefundOptions> = Schema.Struct({
  // One that is undefined would be forgotten, and all of it go back.
  amount: given(positiveWhole("an amount in minor units, a whole number above 0")),
  reason: oneOf(...refundReasons),
  comment: optional(anyText),
  revokeBenefits: optional(boolean),
  idempotencyKey: said(
    Schema.Trimmed.pipe(Schema.minLength(1), Schema.maxLength(255)),
    "it must be text of 1 to 255 characters, the same each time this refund is asked for"
  )
})

const metadata = said(Metadata, "it must be an object of texts, numbers and booleans")

const validateOptions: Schema.Schema<ValidateOptions> = Schema.Struct({
  activationId: optional(anyText),
  benefitId: optional(anyText),
  conditions: optional(metadata),
  incrementUsage: optional(said(Schema.NonNegativeInt, "it must be a whole number from 0"))
})

const activateOptions: Schema.Schema<ActivateOptions> = Schema.Struct({
  label: text("what the user knows the place by"),
  conditions: optional(metadata),
  meta: optional(metadata)
})

const states = said(
  Schema.Array(Schema.Literal(...(deliveryStates as ReadonlyArray<DeliveryState>))),
  `it must be a list of ${deliveryStates.join(", ")}`
)

const replayQuery: Schema.Schema<ReplayQuery> = Schema.Struct({
  ids: optional(listOfTexts),
  types: optional(listOfTexts),
  states: optional(states),
  receivedAfter: optional(date),
  receivedBefore: optional(date)
})

const deadNotificationQuery: Schema.Schema<DeadNotificationQuery> = Schema.Struct({
  ids: optional(listOfTexts),
  userId: optional(anyText),
  handler: optional(anyText),
  subscriptionId: optional(anyText),
  subscriptionIds: optional(listOfTexts),
  before: optional(date),
  after: optional(date),
  // One of the list itself is given, whatever else it has.
  following: optional(foreign<Pick<DeadNotification, "id" | "diedAt">>("it must be a dead notification")),
  limit: optional(positiveWhole("a whole number, 1 or more"))
})

const buryQuery: Schema.Schema<BuryQuery> = Schema.Struct({
  ids: listOfTexts,
  by: optional(text("the name or id of whoever does it"))
})

const waitingOptions: Schema.Schema<WaitingOptions> = Schema.Struct({
  limit: optional(positiveWhole("a whole number, 1 or more"))
})

const timelineOptions: Schema.Schema<TimelineOptions> = Schema.Struct({
  polar: optional(boolean)
})

const linkChangeOptions: Schema.Schema<LinkChangeOptions> = Schema.Struct({
  by: optional(anyText),
  dryRun: optional(boolean)
})

const moveOptions: Schema.Schema<MoveOptions<string>> = Schema.Struct({
  to: anyText,
  by: optional(anyText),
  dryRun: optional(boolean)
})

/** A wrong option is a mistake in the app's code: it dies with an `InvalidOption`, and is no failure to recover from. */
const checked = <A, I>(call: string, schema: Schema.Schema<A, I>): ((options: unknown) => Effect.Effect<void>) => {
  const check = optionsCheck(call, schema)
  return (options) => (options === undefined ? Effect.void : Effect.sync(() => check(options)))
}

const eraseOptions = Schema.Struct({
  polar: oneOf("keep", "anonymize", "delete"),
  subscriptions: optional(oneOf("keep", "cancel", "revoke"))
} satisfies { readonly [Option in keyof EraseOptions]: Schema.Struct.Field })

/** What nobody can want is refused, and so is what would be paid for by somebody who is gone, unless somebody says so. */
const eraseProblem = ({
  polar,
  subscriptions
}: {
  readonly polar: string
  readonly subscriptions?: string | undefined
}) => {
  if (polar === "keep" && subscriptions === undefined) {
    return 'say what becomes of them while the customer stays at Polar: "keep", "cancel" (at the end of the period) or "revoke" (now)'
  }
  if (polar !== "keep" && subscriptions !== undefined && subscriptions !== "revoke") {
    return `Polar ends all subscriptions of a customer that it deletes now: leave it out, or use polar: "keep" first`
  }
  return undefined
}

const checkErase = checked("privacy.erase()", eraseOptions)

const privacyErase = (options: EraseOptions): Effect.Effect<void> =>
  Effect.zipRight(
    checkErase(options),
    Effect.sync(() => {
      const problem = eraseProblem(options)
      if (problem !== undefined) {
        throw new InvalidOption({ call: "privacy.erase()", option: "subscriptions", problem })
      }
    })
  )

const replayOptions: Schema.Schema<ReplayOptions> = Schema.Struct({
  dryRun: optional(boolean),
  tellAgain: optional(boolean),
  onProgress: optional(callback<NonNullable<ReplayOptions["onProgress"]>>())
})

const reconcileUserOptions: Schema.Schema<ReconcileUserOptions> = Schema.Struct({
  dryRun: optional(boolean),
  timeout: optional(duration)
})

const reconcileOptions: Schema.Schema<ReconcileOptions> = Schema.Struct({
  since: optional(date),
  dryRun: optional(boolean),
  onProgress: optional(callback<NonNullable<ReconcileOptions["onProgress"]>>())
})

export const checkOptionsOf = {
  createPortalSession: checked("createPortalSession()", portalOptions),
  checkoutsGet: checked("checkouts.get()", getCheckoutOptions),
  checkoutsComplete: checked("checkouts.complete()", completeOptions),
  portalUrl: checked("portal.url()", portalOptions),
  access: checked("access()", accessOptions),
  ordersList: checked("orders.list()", orderQuery),
  ordersInvoice: checked("orders.invoice()", documentOptions),
  ordersReceipt: checked("orders.receipt()", documentOptions),
  ordersRefund: checked("orders.refund()", refundOptions),
  licenseKeysValidate: checked("licenseKeys.validate()", validateOptions),
  licenseKeysActivate: checked("licenseKeys.activate()", activateOptions),
  notificationsDead: checked("notifications.dead()", deadNotificationQuery),
  notificationsBury: checked("notifications.bury()", buryQuery),
  notificationsRetry: checked("notifications.retry()", deadNotificationQuery),
  customersWaiting: checked("customers.waiting()", waitingOptions),
  customersTimeline: checked("customers.timeline()", timelineOptions),
  customersLink: checked("customers.link()", linkChangeOptions),
  customersMove: checked("customers.move()", moveOptions),
  customersUnlink: checked("customers.unlink()", linkChangeOptions),
  privacyErase,
  replay: checked("replay()", replayQuery),
  replayOptions: checked("replay()", replayOptions),
  reconcile: checked("reconcile()", reconcileUserOptions),
  reconcileAll: checked("reconcileAll()", reconcileOptions)
} as const

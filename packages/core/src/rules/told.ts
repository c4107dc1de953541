/** What is the app told? Each notification is one of these, for one handler. */
import type { Order } from "../records/Order.ts"
import type { ChangedSubscription } from "../records/Subscription.ts"
import type { UserId } from "../values/ids.ts"
import type { AccessChange } from "./accessChange.ts"
import type { GrantedBenefit } from "./grantedBenefits.ts"
import type { Refunded } from "./orderChange.ts"

/** Money was given back of an order. */
export interface OrderRefund extends Refunded {
  readonly order: Order
  /** Whether all of it was given back by now. */
  readonly isFull: boolean
  /** Whether the user owns the order's product all the same, because it is paid in part, or was bought twice. */
  readonly stillOwned: boolean
}

/** An event as Polar sent it, without what is not kept of it: secrets, tokens, addresses. */
export interface ToldEvent {
  readonly type: string
  /** When it happened, as Polar says. */
  readonly timestamp: Date
  /** As in Polar's API reference: webhooks. Only `id`, where the body is kept no longer. */
  readonly data: Readonly<Record<string, unknown>>
}

export type Told =
  | { readonly _tag: "SubscriptionChange"; readonly subscription: ChangedSubscription }
  | { readonly _tag: "AccessChange"; readonly change: AccessChange }
  | { readonly _tag: "BenefitChange"; readonly isGranted: boolean; readonly benefit: GrantedBenefit }
  | { readonly _tag: "Purchase"; readonly order: Order }
  | { readonly _tag: "Refund"; readonly refund: OrderRefund }
  | { readonly _tag: "Event"; readonly event: ToldEvent; readonly deliveryId: string }

/** A notification that this process holds the lease of. */
export interface ClaimedNotification {
  /** The same on every attempt. */
  readonly id: string
  /** What is told of one subject is told in order. */
  readonly subject: string
  /** Whose call it is: see `handlers.ts`. */
  readonly handler: string
  /** `null` of an event that belongs to no user, or belonged to none when it came. */
  readonly userId: UserId | null
  /** 1 for the first try. */
  readonly attempt: number
  readonly queuedAt: Date
  /** The span that it was queued in, where that was traced: see `runtime/traceparent.ts`. */
  readonly traceparent: string | null
  readonly told: Told
}

/**
 * What the routes answer. Times are texts as JSON has them (ISO 8601, UTC), everywhere: `new Date(text)` where one is needed.
 * Amounts are in the currency's smallest unit, such as cents.
 */

/** The signed-in user's current subscription. */
export interface CurrentSubscription {
  readonly id: string
  /** Polar's word: `active`, `trialing`, `past_due`, … */
  readonly status: string
  readonly productId: string
  readonly currentPeriodEnd: string | null
  readonly cancelAtPeriodEnd: boolean
}

/** A subscription after a change of it. */
export interface UsersSubscription extends CurrentSubscription {
  readonly pauseAtPeriodEnd: boolean
  readonly resumesAt: string | null
  readonly trialEnd: string | null
  readonly seats: number | null
  readonly units: number | null
  /** A change that waits for the next period. */
  readonly pendingUpdate: {
    readonly appliesAt: string
    readonly productId: string | null
    readonly seats: number | null
    readonly units: number | null
  } | null
}

/** What the user may use. */
export interface Access {
  /** `granted`, `grace`: the payment is overdue, and access goes on until `until`; or `denied`. */
  readonly entitlement: "granted" | "grace" | "denied"
  /** A sentence for a log or a support page. */
  readonly reason: string
  /** When the entitlement ends by itself, if that is known. */
  readonly until: string | null
}

/** The same, with the answer to "yes or no?". */
export interface AccessAnswer extends Access {
  /** Whether `entitlement` is another than `denied`. */
  readonly hasAccess: boolean
}

/** A benefit that the user was granted. */
export interface UsersBenefit {
  readonly benefitId: string
  /** The benefit's `metadata.key` at Polar, or its id where it has none. */
  readonly key: string
  readonly type: string
  readonly description: string | null
  /** The merchant's own values, such as those of a feature flag. */
  readonly metadata: { readonly [name: string]: unknown }
  readonly properties: { readonly [name: string]: unknown }
  readonly grantedAt: string | null
  readonly source: { readonly subscriptionId: string } | { readonly orderId: string } | null
}

/** An order of the user's. */
export interface UsersOrder {
  readonly id: string
  /** Polar's word: `pending`, `paid`, `refunded`, … */
  readonly status: string
  readonly productId: string | null
  readonly subscriptionId: string | null
  readonly billingReason: string | null
  readonly description: string | null
  readonly currency: string | null
  readonly netAmount: number | null
  readonly taxAmount: number | null
  readonly totalAmount: number | null
  readonly refundedAmount: number | null
  readonly refundedTaxAmount: number | null
  readonly invoiceNumber: string | null
  readonly receiptNumber: string | null
  readonly createdAt: string | null
}

/** What a change would cost, where Polar says so. */
export type ChangePreview =
  | { readonly available: false }
  | {
      readonly available: true
      readonly currency: string | null
      readonly baseAmount: number
      readonly meteredAmount: number
      readonly prorationAmount: number
      readonly prorations: ReadonlyArray<{ readonly label: string; readonly amount: number }>
      readonly subtotal: number
      readonly discount: number
      readonly net: number
      readonly tax: number
      readonly total: number
      readonly appliedBalance: number
      /** What the buyer is charged. */
      readonly due: number
    }

/** What became of a checkout. */
export interface CompletedCheckout {
  /** `succeeded`: bought, and stored; `confirmed`: being paid; `open`: not paid; `expired` and `failed`: over. */
  readonly status: string
  readonly subscription: UsersSubscription | null
  readonly order: UsersOrder | null
  readonly access: Access
}

/** A checkout that was made. */
export interface CreatedCheckout {
  readonly id: string
  /** Polar's checkout page. */
  readonly url: string
}

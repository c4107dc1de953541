/** What is known of one of Polar's objects, whatever its kind, and where it was read: an event, the API, or the store. */
import type { CustomerId, UserId } from "../values/ids.ts"
import type { EpochMicros } from "../values/Timestamp.ts"

/** The columns by which records are found. */
export interface RecordColumns {
  readonly organizationId: string | null
  /** What it hangs on; `null` where it hangs on none, or is one itself. */
  readonly productId: string | null
  readonly subscriptionId: string | null
  readonly orderId: string | null
  readonly benefitId: string | null
  readonly checkoutId: string | null
  readonly status: string
  /** Whether it may still give its user something: a subscription that runs, an order that is paid. */
  readonly live: boolean
  /** When it ends by itself, in epoch milliseconds, if that is known. */
  readonly endsAt: number | null
  /** The few fields that decisions need, as JSON, so that most reads need not decode `data`. */
  readonly summary: string
  /** All that is kept of it, as JSON. */
  readonly data: string
}

/** One of Polar's objects as Polar says it is. */
export interface RecordReport extends RecordColumns {
  readonly kind: string
  readonly id: string
  readonly customer: { readonly id: CustomerId | null; readonly externalId: string | null }
  /** The user that the metadata names. A claim, not a proof: see `rules/identity.ts`. */
  readonly metadataUserId: UserId | null
  /** Decides between states with equal timestamps: see `rules/order.ts`. */
  readonly precedence: number
  /** When Polar last changed it, by its own clock; `null` where it does not say. */
  readonly changedAt: EpochMicros | null
}

/** The name of a record among all: ids are unique within a kind. */
export const recordKey = ({ id, kind }: { readonly kind: string; readonly id: string }): string => `${kind} ${id}`

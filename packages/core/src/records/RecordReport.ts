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

export const columnsOf = (columns: RecordColumns): RecordColumns => ({
  organizationId: columns.organizationId,
  productId: columns.productId,
  subscriptionId: columns.subscriptionId,
  orderId: columns.orderId,
  benefitId: columns.benefitId,
  checkoutId: columns.checkoutId,
  status: columns.status,
  live: columns.live,
  endsAt: columns.endsAt,
  summary: columns.summary,
  data: columns.data
})

/** One of Polar's objects as Polar says it is. */
export interface RecordReport extends RecordColumns {
  readonly kind: string
  readonly id: string
  readonly customer: {
    readonly id: CustomerId | null
    readonly externalId: string | null
    /** `null` where Polar does not say. */
    readonly email: string | null
  }
  /** The user that the metadata names. A claim, not a proof: see `rules/identity.ts`. */
  readonly metadataUserId: UserId | null
  /** Whether it comes from a checkout of which whoever made it has a record. */
  readonly isRecorded: boolean
  /** Decides between states with equal timestamps: see `rules/order.ts`. */
  readonly precedence: number
  /** When Polar last changed it, by its own clock; `null` where it does not say. */
  readonly changedAt: EpochMicros | null
}

/** What hangs on nothing, and of which nothing says whose it is: what a kind begins with. */
export const unattached = {
  customer: { id: null, externalId: null, email: null },
  metadataUserId: null,
  isRecorded: false,
  organizationId: null,
  productId: null,
  subscriptionId: null,
  orderId: null,
  benefitId: null,
  checkoutId: null,
  endsAt: null
} satisfies Partial<RecordReport>

/** The name of a record among all: ids are unique within a kind. */
export const recordKey = ({ id, kind }: { readonly kind: string; readonly id: string }): string => `${kind} ${id}`

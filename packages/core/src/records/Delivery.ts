/** Deliveries: the HTTP requests that carry Polar's events, and what became of each. */

import type { UserId } from "../values/ids.ts"
import type { EpochMicros } from "../values/Timestamp.ts"
import type { DeliveryState } from "./DeliveryState.ts"
import type { PolarEvent, UnreadableEvent } from "./PolarEvent.ts"

export { type DeliveryState, deliveryStates } from "./DeliveryState.ts"

/** What an authentic delivery carries. */
export type DeliveryContent =
  | PolarEvent
  | UnreadableEvent
  /** An event of an organization that this app does not serve. */
  | {
      readonly _tag: "ForeignEvent"
      readonly type: string
      readonly at: EpochMicros
      readonly problem: string
      /** What it names, if that can be read. */
      readonly organizationId: string | null
    }

/** An authentic delivery, ready to be applied. */
export interface Delivery {
  /** Polar's `webhook-id`: the same on every attempt. */
  readonly id: string
  /** Epoch milliseconds. */
  readonly receivedAt: number
  /** What is kept of the body, or that encrypted; `null` where nothing is. See `storedBody.ts`. */
  readonly body: string | null
  readonly content: DeliveryContent
  /** Users of whom the app has said that they exist, when this came. */
  readonly existingUsers?: ReadonlySet<string> | undefined
  /** Its span, where it is traced: see `runtime/traceparent.ts`. */
  readonly traceparent?: string | undefined
}

/** What applying a delivery did. */
export interface DeliveryOutcome {
  readonly id: string
  readonly state: DeliveryState
  /** It had been dealt with before, and nothing was done this time. */
  readonly duplicate: boolean
  readonly userId: UserId | null
  /** Whether a notification was queued. */
  readonly notified: boolean
}

/** A delivery as the inbox keeps it. */
export interface RecordedDelivery {
  readonly id: string
  readonly type: string
  readonly state: DeliveryState
  /** `null` where the body was no event. */
  readonly eventAt: EpochMicros | null
  readonly receivedAt: Date
  readonly customerId: string | null
  /** The record that it is about; both `null` where it is about none. */
  readonly recordKind: string | null
  readonly recordId: string | null
  readonly userId: UserId | null
  /** How often it has run. */
  readonly attempts: number
  readonly lastError: string | null
  /** JSON text. `null` once it was pruned, where bodies are not kept, and where it could not be decrypted. */
  readonly body: string | null
  /** A body is kept that could not be decrypted here, or that was not asked for. */
  readonly isEncrypted: boolean
}

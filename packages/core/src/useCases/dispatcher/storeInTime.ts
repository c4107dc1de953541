/** How the dispatcher asks the store. */
import * as Effect from "effect/Effect"
import type { BillingStore } from "../../store/BillingStore.ts"
import type { DispatcherSettings } from "./settings.ts"

/** The part of the store that holds the queue, and as whom this process takes from it. */
export interface DispatcherStore {
  readonly store: typeof BillingStore.Service
  readonly owner: string
  readonly settings: DispatcherSettings
}

/** A store that does not answer holds up nothing for long, also if its driver does not heed the interruption. */
export const inTime = <A, E>({ storeLimit }: DispatcherSettings, call: () => Effect.Effect<A, E>) =>
  Effect.suspend(call).pipe(Effect.disconnect, Effect.timeout(storeLimit))

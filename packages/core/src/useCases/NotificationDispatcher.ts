/**
 * Delivers queued notifications to the app's handlers: outside of requests, at least once, in order per subject.
 *
 * Notifications are claimed from the store under a lease, so several processes share the work, and what a dead process
 * held is taken over when its lease runs out.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { DeliveryOutcome } from "../records/Delivery.ts"
import type { HandlerNames } from "../rules/handlers.ts"
import { BillingStore, type NotificationClaim, type ReceivedDeliveries } from "../store/BillingStore.ts"
import { makeDispatch } from "./dispatcher/dispatch.ts"
import { checkOptions, type DispatcherOptions } from "./dispatcher/settings.ts"
import { rememberedHandlers } from "./knownHandlers.ts"
import type { SubscriptionListener } from "./SubscriptionListener.ts"

export type { DispatcherOptions } from "./dispatcher/settings.ts"

export class NotificationDispatcher extends Context.Tag("@kavach-polar/core/NotificationDispatcher")<
  NotificationDispatcher,
  {
    /** Whoever is told. For others nothing need be queued. */
    readonly handlers: HandlerNames
    /** Says that something was queued. Returns at once. */
    readonly wake: Effect.Effect<void>
    /**
     * Receives deliveries, and delivers at once what the step claims for this process; sees to the rest as after a `wake`.
     * `most` is how many notifications the step may have a use for.
     */
    readonly receiving: <E>(
      most: number,
      receive: (claim: NotificationClaim) => Effect.Effect<ReceivedDeliveries, E>
    ) => Effect.Effect<ReceivedDeliveries["outcomes"], E>
    /** Of an outcome of `receiving`: ends when the app was told what that delivery queued, or did not take it. */
    readonly told: (outcome: DeliveryOutcome) => Effect.Effect<void>
  }
>() {}

/**
 * Starts with the layer and drains with its scope: calls under way get their time limit to finish, and eight seconds at most;
 * then their signals are aborted, and a second later they are left to whoever takes over. Throws an
 * `InvalidOption` for options that there are not.
 *
 * @example
 * NotificationDispatcher.layer({ concurrency: 4 }).pipe(Layer.provide(SubscriptionListener.layerNoop))
 */
export const layer = (
  options?: DispatcherOptions
): Layer.Layer<NotificationDispatcher, never, BillingStore | SubscriptionListener> => {
  checkOptions(options)
  return Layer.scoped(NotificationDispatcher, makeDispatch(options))
}

/**
 * For a process that changes what is stored and has no handlers, such as a command: what it queues, for the handlers that the app
 * had when it started last, is delivered by the app's processes at their next look.
 */
export const layerElsewhere: Layer.Layer<NotificationDispatcher, never, BillingStore> = Layer.effect(
  NotificationDispatcher,
  Effect.map(Effect.flatMap(BillingStore, rememberedHandlers), (handlers) => ({
    handlers,
    wake: Effect.void,
    receiving: (_most, receive) =>
      Effect.map(receive({ owner: "", limit: 0, lease: Duration.zero }), ({ outcomes }) => outcomes),
    told: () => Effect.void
  }))
)

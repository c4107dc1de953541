/** The port to the app: whom to tell when a user's subscription visibly changed. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type { Notification } from "../records/Notification.ts"

/** The app's callback did not take the notification; it will be tried again. */
export class ListenerFailed extends Schema.TaggedError<ListenerFailed>()("ListenerFailed", {
  detail: Schema.String
}) {
  override get message(): string {
    return `The subscription callback failed: ${this.detail}`
  }
}

export class SubscriptionListener extends Context.Tag("@kavach-polar/core/SubscriptionListener")<
  SubscriptionListener,
  {
    /**
     * Called after the change is committed, outside of any request, at least once for each change, in order for each
     * subscription. A failure, a defect or a call that takes too long is tried again later.
     */
    readonly onSubscriptionChange: (notification: Notification) => Effect.Effect<void, ListenerFailed>
    /** `false` when nobody is told, so that nothing need be queued. Default: true. */
    readonly listens?: boolean | undefined
  }
>() {}

/** A listener in Effect. */
export const layer = (
  onSubscriptionChange: (notification: Notification) => Effect.Effect<void, ListenerFailed>
): Layer.Layer<SubscriptionListener> => Layer.succeed(SubscriptionListener, { onSubscriptionChange })

/** A listener in plain TypeScript: it fails by throwing or rejecting. */
export const layerCallback = (
  callback: (notification: Notification, signal: AbortSignal) => Promise<void> | void
): Layer.Layer<SubscriptionListener> =>
  layer((notification) =>
    Effect.tryPromise({
      try: async (signal) => callback(notification, signal),
      catch: (error) => new ListenerFailed({ detail: error instanceof Error ? error.message : String(error) })
    })
  )

/** For apps that ask and need not be told. */
export const layerNoop: Layer.Layer<SubscriptionListener> = Layer.succeed(SubscriptionListener, {
  onSubscriptionChange: () => Effect.void,
  listens: false
})

/** What a `layerMemory` listener was told, oldest first. */
export class ReceivedNotifications extends Context.Tag("@kavach-polar/core/ReceivedNotifications")<
  ReceivedNotifications,
  Ref.Ref<ReadonlyArray<Notification>>
>() {}

/** A listener that remembers: for tests. */
export const layerMemory: Layer.Layer<SubscriptionListener | ReceivedNotifications> = Layer.effectContext(
  Effect.map(Ref.make<ReadonlyArray<Notification>>([]), (received) =>
    Context.make(ReceivedNotifications, received).pipe(
      Context.add(SubscriptionListener, {
        onSubscriptionChange: (notification) => Ref.update(received, (before) => [...before, notification])
      })
    )
  )
)

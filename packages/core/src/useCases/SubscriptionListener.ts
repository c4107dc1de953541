/** The port to the app: whom to tell when a user's subscription visibly changed. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type { Notification } from "../records/Notification.ts"
import { untilAborted } from "./untilAborted.ts"

/** The app's handler did not take the notification; it will be tried again. */
export class ListenerFailed extends Schema.TaggedError<ListenerFailed>()("ListenerFailed", {
  detail: Schema.String
}) {
  override get message(): string {
    return `The handler failed: ${this.detail}`
  }
}

export class SubscriptionListener extends Context.Tag("@kavach-polar/core/SubscriptionListener")<
  SubscriptionListener,
  {
    /**
     * Called after the change is committed, at least once for each change, in order for each subscription. After a failure
     * or a defect it is called again later. `signal` is aborted when its time is over: it should end soon then, and is waited
     * for until it does.
     */
    readonly onSubscriptionChange: (
      notification: Notification,
      signal: AbortSignal
    ) => Effect.Effect<void, ListenerFailed>
    /** `false` when nobody is told, so that nothing need be queued. Default: true. */
    readonly listens?: boolean | undefined
  }
>() {}

/**
 * A listener in Effect, with requirements and errors of its own: the layer requires what it requires, and whatever it fails
 * with is a call that is tried again. It is interrupted when its time is over.
 *
 * @example
 * import { SubscriptionListener } from "@kavach-polar/core"
 * import { Context, Data, Effect } from "effect"
 *
 * class MailDown extends Data.TaggedError("MailDown")<{ readonly message: string }> {}
 * class Mail extends Context.Tag("Mail")<Mail, { readonly send: (to: string) => Effect.Effect<void, MailDown> }>() {}
 *
 * export const Listener = SubscriptionListener.layer(({ userId }) => Effect.flatMap(Mail, (mail) => mail.send(userId)))
 */
export const layer = <E, R>(
  onSubscriptionChange: (notification: Notification) => Effect.Effect<void, E, R>
): Layer.Layer<SubscriptionListener, never, R> =>
  Layer.effect(
    SubscriptionListener,
    Effect.map(Effect.context<R>(), (context) => ({
      onSubscriptionChange: (notification, signal) =>
        untilAborted(
          onSubscriptionChange(notification).pipe(
            Effect.mapError((error) => (error instanceof ListenerFailed ? error : listenerFailed(error))),
            Effect.provide(context)
          ),
          signal
        )
    }))
  )

const listenerFailed = (error: unknown): ListenerFailed =>
  new ListenerFailed({ detail: error instanceof Error ? error.message || error.name : String(error) })

/**
 * A listener in plain TypeScript: it fails by throwing or rejecting. What it does cannot be ended from here, so it is waited
 * for; one that should end in time passes the signal on, or looks at it.
 *
 * @example
 * SubscriptionListener.layerCallback(({ subscription, userId }) => console.log(userId, subscription.status))
 */
export const layerCallback = (
  callback: (notification: Notification, signal: AbortSignal) => Promise<void> | void
): Layer.Layer<SubscriptionListener> =>
  Layer.succeed(SubscriptionListener, {
    onSubscriptionChange: (notification, signal) =>
      Effect.tryPromise({
        try: async () => callback(notification, signal),
        catch: listenerFailed
      })
  })

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

/** Calls one handler of the app's, in a span of its own. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ClaimedNotification } from "../../rules/told.ts"
import { traced } from "../../runtime/traced.ts"
import { spanNamed } from "../../runtime/traceparent.ts"
import type { Handlers } from "../Handlers.ts"
import { ListenerFailed, type SubscriptionListener } from "../SubscriptionListener.ts"
import type { Call } from "./heldCalls.ts"

interface Told {
  readonly listener: typeof SubscriptionListener.Service
  readonly others: typeof Handlers.Service
  readonly maxAttempts: number
}

/** A process that dies in a call cannot say that it failed; one that does so whenever it is called is not called for ever. */
export const callHandler = ({ listener, maxAttempts, others }: Told, { abort, one }: Call) => {
  if (one.attempt > maxAttempts) {
    return Effect.fail(new ListenerFailed({ detail: "the process ended during its last call" }))
  }
  const { id, told, userId } = one
  return Effect.suspend(() =>
    told._tag === "SubscriptionChange" && userId !== null
      ? listener.onSubscriptionChange({ id, userId, subscription: told.subscription }, abort.signal)
      : others.tell(one, abort.signal)
  )
}

/** A trace of its own, perhaps hours later and in another process, that names the one it comes from. */
export const callSpan = (one: ClaimedNotification) =>
  traced("NotificationDispatcher.deliver", () => ({
    root: true,
    kind: "consumer",
    links: Option.toArray(
      Option.map(spanNamed(one.traceparent), (span) => ({ _tag: "SpanLink" as const, span, attributes: {} }))
    ),
    attributes: {
      "messaging.system": "kavach_polar",
      "messaging.operation.type": "process",
      "messaging.operation.name": "tell",
      "messaging.destination.name": one.handler,
      "messaging.message.id": one.id,
      "kavach_polar.notification.attempt": one.attempt
    }
  }))

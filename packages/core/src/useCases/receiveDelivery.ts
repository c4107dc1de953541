/** Receives an authentic delivery: keeps it and what it says in one step with others that are in flight, and tells the app. */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AnySpan } from "effect/Tracer"
import type { Delivery, DeliveryOutcome } from "../records/Delivery.ts"
import * as DeliveryContent from "../records/deliveryContent.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import * as GroupCommit from "../runtime/groupCommit.ts"
import { logDebug } from "../runtime/logDebug.ts"
import { annotate, currentSpan, tracedForAll } from "../runtime/traced.ts"
import { traceparentOf } from "../runtime/traceparent.ts"
import type { BillingStore } from "../store/BillingStore.ts"
import { isOfOneRow, StoreError } from "../store/StoreError.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import { typeLabel } from "../telemetry/typeLabel.ts"
import type { EpochMicros } from "../values/Timestamp.ts"
import { type AskAppUsers, usersNamedIn } from "./appUsers.ts"
import type { NotificationDispatcher } from "./NotificationDispatcher.ts"
import type { makeOrganizationWatch } from "./organizationWatch.ts"

/**
 * @example
 * Effect.flatMap(Billing.Billing, (billing) =>
 *   billing.receiveWebhook(headers, body, { afterAnswer: (call) => Effect.asVoid(Effect.forkDaemon(call)) })
 * )
 */
export interface ReceiveOptions {
  /**
   * Gets what ends when the app was told of the delivery, once that is stored: to keep the process until then, on hosts that
   * stop it after the answer. The answer does not wait for it, also not with `beforeAnswer`.
   */
  readonly afterAnswer?: ((told: Effect.Effect<void>) => Effect.Effect<void>) | undefined
}

/** An authentic delivery whose body is no event: Polar is set to another format, or it is not Polar. */
export class NotAnEvent extends Schema.TaggedError<NotAnEvent>()("NotAnEvent", { problem: Schema.String }) {
  override get message(): string {
    return `The delivery is authentic, but not an event of Polar: ${this.problem}. Set the webhook endpoint's format to "raw".`
  }
}

interface Ports {
  readonly store: typeof BillingStore.Service
  readonly dispatcher: typeof NotificationDispatcher.Service
  readonly policy: AccessPolicy
  readonly organizationId: string | undefined
  readonly askAppUsers: AskAppUsers
  /** Hears which organization a delivery is of. */
  readonly organization: Pick<ReturnType<typeof makeOrganizationWatch>, "received">
  /** `beforeAnswer`: Polar has its answer once the app was told, and not as soon as the delivery is stored. */
  readonly answer: "background" | "beforeAnswer" | undefined
}

const refusals = {
  late: "the delivery was not stored within five seconds",
  full: "too many deliveries wait to be stored"
} as const

/** Polar waits for ten seconds (Polar docs: webhooks/delivery), and the answer has to get there. */
const answerMillis = 8000

interface Received {
  readonly delivery: Delivery
  /** Where its request is traced. */
  readonly span: AnySpan | undefined
}

/** How deliveries that are in flight at once share steps, and so commits. */
const sharedSteps = {
  maxSize: 100,
  // In characters of bodies: less than what any server takes in one statement, with everything that comes along.
  maxWeight: 2 * 1024 * 1024,
  weigh: ({ delivery }: Received) => delivery.body?.length ?? 0,
  // Polar waits for ten seconds (Polar docs: webhooks/delivery), and what is told to be late is delivered again.
  deadline: Duration.seconds(5),
  // Many times what Polar has under way at once; each of them holds a body.
  maxWaiting: 512,
  refuse: (why: "late" | "full") =>
    new StoreError({ operation: "receiveDeliveries", reason: "busy", detail: refusals[why] }),
  // A row of one user's that the app has locked.
  isHeldUp: ({ reason }: StoreError) => reason === "busy",
  blamesOne: isOfOneRow
}

/** The bytes that were verified, under their `webhook-id`. */
interface Verified {
  readonly id: string
  readonly body: Uint8Array
}

export const makeReceiveDelivery = ({
  answer,
  askAppUsers,
  dispatcher,
  organization,
  organizationId,
  policy,
  store
}: Ports) =>
  Effect.gen(function* () {
    const apply = yield* GroupCommit.make({
      commit: (received: Arr.NonEmptyReadonlyArray<Received>, patience) => {
        const deliveries = Arr.map(received, ({ delivery }) => delivery)
        return dispatcher
          .receiving(deliveries.length, (claim) =>
            store.receiveDeliveries(deliveries, policy, claim, {
              handlers: dispatcher.handlers,
              users: askAppUsers.users,
              patience
            })
          )
          .pipe(
            tracedForAll(
              "Billing.commit",
              received.map(({ span }) => span)
            )
          )
      },
      concurrency: store.parallelSteps,
      ...sharedSteps
    })

    const receive = Effect.fnUntraced(function* ({ body, id }: Verified, options: ReceiveOptions) {
      const receivedAt = yield* Clock.currentTimeMillis
      const read = DeliveryContent.readBytes(body, organizationId)
      const { existing } = yield* askAppUsers.among(new Set(usersNamedIn(read)))
      const span = yield* currentSpan
      const traceparent = span === undefined ? undefined : (traceparentOf(span) ?? undefined)
      const delivery: Delivery = { id, receivedAt, ...read, existingUsers: existing, traceparent }
      const { content } = delivery
      const outcome = yield* apply({ delivery, span })
      yield* organization.received(content)
      const type = content._tag === "UnreadableEvent" ? (content.type ?? "unreadable") : content.type
      yield* countDelivery(type, content.at, outcome)
      yield* annotate({
        "messaging.destination.name": type,
        "messaging.message.id": outcome.id,
        "messaging.message.body.size": body.length,
        "kavach_polar.delivery.state": outcome.state,
        "kavach_polar.delivery.duplicate": outcome.duplicate
      })
      if (content._tag === "UnreadableEvent") {
        if (!content.isEnvelope) return yield* new NotAnEvent({ problem: content.problem })
        yield* Effect.logError(
          `A delivery of type ${type} could not be read and is kept as failed: ${content.problem}.`
        ).pipe(Effect.annotateLogs({ delivery: outcome.id }))
      } else {
        yield* logDebug("Received a delivery.", () => ({
          delivery: outcome.id,
          type,
          state: outcome.state,
          duplicate: outcome.duplicate
        }))
      }
      if (outcome.notified) yield* tell(outcome, receivedAt, options)
      return outcome
    })

    const tell = (outcome: DeliveryOutcome, receivedAt: number, { afterAnswer }: ReceiveOptions) => {
      const told = dispatcher.told(outcome)
      if (afterAnswer !== undefined) return afterAnswer(told)
      if (answer !== "beforeAnswer") return Effect.void
      return Effect.flatMap(Clock.currentTimeMillis, (now) =>
        // What was not told by then goes on, and Polar need not know.
        Effect.timeoutOption(told, Math.max(receivedAt + answerMillis - now, 0))
      )
    }

    return receive
  })

const countDelivery = (type: string, at: EpochMicros | null, { duplicate, state }: DeliveryOutcome) =>
  Effect.zipRight(
    Metrics.deliveries.update(1, { type: typeLabel(type), state: duplicate ? "duplicate" : state }),
    duplicate || at === null
      ? Effect.void
      : // By the clocks of two machines.
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Metrics.deliveryLag.update(Math.max(0, now - at / 1000) / 1000, {})
        )
  )

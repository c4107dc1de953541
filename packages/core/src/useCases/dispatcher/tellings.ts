/** For requests whose answer waits until the app was told. */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { DeliveryOutcome } from "../../records/Delivery.ts"
import type { HandlerNames } from "../../rules/handlers.ts"
import type { Alarm } from "./alarm.ts"
import type { EndedCalls } from "./endedCalls.ts"
import type { Call } from "./heldCalls.ts"
import { type DispatcherStore, inTime } from "./storeInTime.ts"

/** How often it is looked whether something was told that this process does not tell. */
const elsewhereMillis = 250

export interface Tellings {
  /** These outcomes queued what these calls tell, and what of these subjects others tell, or this process later. */
  readonly remember: (
    outcomes: ReadonlyArray<DeliveryOutcome>,
    calls: ReadonlyArray<Call>,
    subjects: ReadonlyArray<string>
  ) => void
  readonly told: (outcome: DeliveryOutcome) => Effect.Effect<void>
}

export const makeTellings = (
  { settings, store }: DispatcherStore,
  handlers: HandlerNames,
  ended: EndedCalls,
  { ring }: Alarm
): Tellings => {
  // Few ask, and whoever does has the outcome.
  const tellings = new WeakMap<DeliveryOutcome, Effect.Effect<void>>()

  const dealtWith = (calls: ReadonlyArray<Call>) =>
    Effect.suspend(() => {
      for (const call of calls) {
        call.isAwaited = true
        if (ended.has(call)) ended.hurry()
      }
      return Effect.zipRight(
        ring,
        Effect.forEach(calls, ({ settled }) => Deferred.await(settled), { concurrency: "unbounded", discard: true })
      )
    })

  /** Of these subjects nothing is due any more, and nobody tells it. */
  const toldElsewhere = (subjects: ReadonlyArray<string>) =>
    inTime(settings, () => store.countNotifications({ subjects, handlers })).pipe(
      Effect.map(({ unsettled }) => unsettled === 0),
      Effect.catchAllCause(() => Effect.succeed(false)),
      Effect.repeat({ schedule: Schedule.spaced(elsewhereMillis), until: (isSettled) => isSettled })
    )

  return {
    remember: (outcomes, calls, subjects) => {
      const telling = Effect.zipRight(dealtWith(calls), subjects.length === 0 ? Effect.void : toldElsewhere(subjects))
      for (const outcome of outcomes) if (outcome.notified) tellings.set(outcome, telling)
    },
    told: (outcome) =>
      Effect.asVoid(
        // A call that hangs is not waited for without end.
        Effect.timeoutOption(tellings.get(outcome) ?? Effect.void, Duration.sum(settings.timeout, settings.storeLimit))
      )
  }
}

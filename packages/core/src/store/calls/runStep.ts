/** Runs a step: the driver reads its facts, and writes in the same transaction what it decides. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { currentTraceparent } from "../../runtime/traceparent.ts"
import { both, type ChangedUsers, changedUsers, nobodyChanged } from "../../steps/changedUsers.ts"
import type { Changes, Step } from "../../steps/Step.ts"
import { callTime } from "../callTime.ts"
import type { Patience } from "../StoreDriver.ts"
import type { StoreError } from "../StoreError.ts"
import type { DriverCalls } from "./driverCalls.ts"

export interface StepRunner {
  readonly run: <A>(operation: string, step: Step<A>, patience?: Patience) => Effect.Effect<A, StoreError>
  /** Hears whose answers may have become others, until the scope ends. */
  readonly watchUsers: (changed: (users: ChangedUsers) => void) => Effect.Effect<void, never, Scope.Scope>
}

export const makeStepRunner = ({ attempt, driver }: DriverCalls): StepRunner => {
  const watchers = new Set<(users: ChangedUsers) => void>()

  const run = <A>(operation: string, step: Step<A>, patience: Patience = "full"): Effect.Effect<A, StoreError> =>
    Effect.gen(function* () {
      const time = yield* callTime
      const traceparent = yield* currentTraceparent
      let answer: Option.Option<A> = Option.none()
      let isFault = false
      let changed = nobodyChanged
      return yield* attempt(operation, () =>
        driver.atomically(
          step.keys,
          (facts) => {
            isFault = true
            const decision = step.decide(facts)
            isFault = false
            answer = Option.some(decision.answer)
            if (watchers.size > 0) changed = both(changed, changedUsers(facts, decision.changes))
            return traceparent === null ? decision.changes : tracedAs(traceparent, decision.changes)
          },
          time,
          patience
        )
      ).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            if (changed !== nobodyChanged) for (const watcher of watchers) watcher(changed)
          })
        ),
        // No database has refused it: whoever is answered 503 comes back to the same, so it must not stay unseen.
        Effect.tapError((error) =>
          isFault
            ? Effect.logError(
                `A step could not be decided, which is a fault of this program: ${operation}.`,
                Cause.die(error.cause)
              )
            : Effect.void
        ),
        Effect.flatMap(() => answer),
        Effect.catchTag("NoSuchElementException", () =>
          Effect.dieMessage(`The ${driver.name} driver ran a step without deciding it.`)
        )
      )
    })

  return {
    run,
    watchUsers: (changed) =>
      Effect.acquireRelease(
        Effect.sync(() => void watchers.add(changed)),
        () => Effect.sync(() => void watchers.delete(changed))
      )
  }
}

/** What was queued by no delivery is of the step's own trace. */
const tracedAs = (traceparent: string, changes: Changes): Changes => ({
  ...changes,
  notifications: changes.notifications.map((row) => ({ ...row, traceparent: row.traceparent ?? traceparent }))
})

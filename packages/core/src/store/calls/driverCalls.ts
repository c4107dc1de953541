/** Calls of a store's driver: what fails is explained in words of the store's. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { traced } from "../../runtime/traced.ts"
import { oneLine } from "../../values/logText.ts"
import { errorCause } from "../errorCause.ts"
import type { StoreDriver } from "../StoreDriver.ts"
import { StoreError } from "../StoreError.ts"

export interface DriverCalls {
  readonly driver: StoreDriver
  readonly attempt: <A>(operation: string, call: () => Promise<A> | A) => Effect.Effect<A, StoreError>
  readonly span: (operation: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** One attempt in a span of its own. */
  readonly ask: <A>(operation: string, call: () => Promise<A> | A) => Effect.Effect<A, StoreError>
}

export const driverCalls = (driver: StoreDriver): DriverCalls => {
  const attempt: DriverCalls["attempt"] = (operation, call) =>
    Effect.suspend(() => {
      const explained = (error: unknown) => {
        const { detail, reason } = driver.explain(error)
        const line = oneLine(detail)
        return new StoreError({ operation, reason, detail: line }).causedBy(errorCause(error, line))
      }
      try {
        const result = call()
        // A driver that answers at once is not made to wait.
        return Predicate.isPromiseLike(result)
          ? Effect.tryPromise({ try: () => result, catch: explained })
          : Effect.succeed(result)
      } catch (error) {
        return Effect.fail(explained(error))
      }
    })

  const span: DriverCalls["span"] = (operation) =>
    traced(`BillingStore.${operation}`, () => ({
      kind: "client",
      attributes: { "db.system.name": driver.name, "db.operation.name": operation }
    }))

  return { driver, attempt, span, ask: (operation, call) => attempt(operation, call).pipe(span(operation)) }
}

/** A subscription at which Polar is for a moment, such as for its renewal: whoever wants to change it has to come again. */
import * as Either from "effect/Either"
import { notFound, type Refusal, refused } from "./Refusal.ts"
import type { Step } from "./Step.ts"

/** The next so many changes of it are refused. */
export const lock =
  (id: string, requests: number) =>
  (step: Step): Either.Either<void, Refusal> => {
    if (step.find("subscriptions", id) === undefined) return Either.left(notFound)
    step.world = { ...step.world, locks: { ...step.world.locks, [id]: requests } }
    return Either.void
  }

export const check = (step: Step, id: string): Either.Either<void, Refusal> => {
  const left = step.world.locks[id] ?? 0
  if (left === 0) return Either.void
  step.world = { ...step.world, locks: { ...step.world.locks, [id]: left - 1 } }
  return Either.left(refused(409, "SubscriptionLocked", "This subscription is pending an update."))
}

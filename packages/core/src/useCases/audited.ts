/** The audit trail is written around what is done: first that it has begun, then what came of it. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Action } from "../records/Action.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { causeLine, oneLine } from "../values/logText.ts"

export interface Audited<A, E> {
  /** As it is kept, with its result. */
  readonly action: Action
  readonly exit: Exit.Exit<A, E>
}

/**
 * Does it and keeps who did what with what result, also when it fails. What cannot be kept is not done; when the process dies in
 * between, it is kept as begun. `says`: what came of it, as a sentence.
 */
export const audited = <A, E extends { readonly message: string }>(
  store: BillingStoreService,
  action: Omit<Action, "id" | "at" | "result">,
  work: Effect.Effect<A, E>,
  says: (outcome: A) => string
): Effect.Effect<Audited<A, E>, StoreError> =>
  Effect.gen(function* () {
    const begun = yield* store.recordAction({ ...action, result: "begun" })
    const exit = yield* Effect.exit(work)
    const result = Exit.isSuccess(exit) ? `done: ${says(exit.value)}` : `failed: ${yield* whyFailed(exit.cause)}`
    const done = { ...begun, result: oneLine(result) }
    yield* store.finishAction(done)
    return { action: done, exit }
  }).pipe(
    // Whoever asked for it may have gone: it is done to its end, and kept.
    Effect.uninterruptible,
    Effect.withSpan("Billing.operations.audited", { attributes: { action: action.action } })
  )

/** What nobody foresaw is for the log: it may say more than a page should. */
const whyFailed = <E extends { readonly message: string }>(cause: Cause.Cause<E>): Effect.Effect<string> =>
  Option.match(Cause.failureOption(cause), {
    onNone: () =>
      Effect.as(
        Effect.logError("What an operator did has failed.", causeLine(cause)),
        "an error that nobody foresaw; the log has it"
      ),
    onSome: ({ message }) => Effect.succeed(message)
  })

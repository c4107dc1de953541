/** Leases of calls that take long. */
import * as Effect from "effect/Effect"
import { rewriteMillis } from "./endedCalls.ts"
import { type HeldCalls, named } from "./heldCalls.ts"
import { type DispatcherStore, inTime } from "./storeInTime.ts"

/** Nobody else begins a call that still runs. */
export const renewLeases = (
  calls: HeldCalls,
  { owner, settings, store }: DispatcherStore,
  at: number
): Effect.Effect<void> =>
  Effect.suspend(() => {
    // Those too whose turn comes soon, so that it is one write.
    const due = calls.running().filter(({ renewAt }) => renewAt <= at + settings.renewMillis / 2)
    const ids = due.map(({ one }) => one.id)
    return inTime(settings, () => store.renewNotifications(ids, { owner, lease: settings.lease })).pipe(
      Effect.matchCauseEffect({
        onSuccess: (renewed) => {
          const isRenewed = new Set(renewed)
          for (const call of due) {
            call.renewAt = isRenewed.has(call.one.id) ? at + settings.renewMillis : Number.POSITIVE_INFINITY
          }
          return Effect.forEach(
            due.filter(({ isRunning, one }) => isRunning && !isRenewed.has(one.id)),
            ({ one }) =>
              Effect.logWarning(
                "The lease of a handler that still runs was lost; another process may have called again."
              ).pipe(Effect.annotateLogs(named(one))),
            { discard: true }
          )
        },
        onFailure: (cause) => {
          for (const call of due) call.renewAt = at + rewriteMillis.first * 4
          return Effect.logWarning("The lease of a handler could not be renewed; trying again.", cause)
        }
      })
    )
  })

/** Calls that take longer than they may. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type Call, type HeldCalls, mostOverdue, named } from "./heldCalls.ts"
import type { DispatcherSettings } from "./settings.ts"

/** How often it is said that a call still runs. */
const repeatMillis = 600_000

/** The loop looks after the time of all calls: a timer for each would take longer than the rest of a call. */
export const abortOverdue = (calls: HeldCalls, settings: DispatcherSettings, at: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const running = calls.running()
    const entries = running.filter(({ overdueAt }) => overdueAt <= at).map((call) => abortOne(call, settings, at))
    const overdue = running.reduce((count, { isOverdue }) => count + (isOverdue ? 1 : 0), 0)
    const most = mostOverdue(settings)
    return Effect.zipRight(
      Effect.all(entries, { discard: true }),
      overdue > most
        ? Effect.logError(`More than ${most} handlers are over their time; those further on take places from others.`)
        : Effect.void
    )
  })

const abortOne = (call: Call, { timeout }: DispatcherSettings, at: number): Effect.Effect<void> => {
  const limit = Duration.format(timeout)
  const isFirst = !call.isOverdue
  call.isOverdue = true
  call.overdueAt = at + repeatMillis
  if (isFirst) call.abort.abort(new Error(`it took longer than ${limit}`))
  const entry = isFirst
    ? Effect.logWarning(
        `A handler takes longer than ${limit}: its signal is aborted. It is not called again before it ends.`
      )
    : Effect.logError(
        "A handler still runs. Nothing more of its subject is told to it before it ends, or this process does."
      )
  return Effect.annotateLogs(entry, { ...named(call.one), seconds: Math.round((at - call.begunAt) / 1000) })
}

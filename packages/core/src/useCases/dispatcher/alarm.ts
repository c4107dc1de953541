/** What wakes the dispatcher's loop. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { idly } from "../../runtime/idly.ts"

/** What the loop lives by. */
interface Agenda {
  /** When there is something to do next. Epoch milliseconds. */
  readonly dueAt: () => number
  /** Nothing is held, and so the process may end. */
  readonly isIdle: () => boolean
  readonly isClosing: () => boolean
}

export interface Alarm {
  /** Until something is due, or it is rung. `at` is the present time in epoch milliseconds. */
  readonly rest: (at: number) => Effect.Effect<void>
  /**
   * After each change that the loop may wait for. It is not woken where it wakes in time by itself: that takes as long as all the
   * rest of a call.
   */
  readonly ring: Effect.Effect<void>
}

export const makeAlarm = ({ dueAt, isClosing, isIdle }: Agenda): Effect.Effect<Alarm> =>
  Effect.map(Queue.sliding<void>(1), (bell) => {
    // What the loop waits for; `undefined` while it does something, and looks at everything anew afterwards.
    let resting: { readonly until: number; readonly isIdle: boolean } | undefined
    return {
      ring: Effect.suspend(() => {
        const isEarlier = resting !== undefined && (dueAt() < resting.until || (resting.isIdle && !isIdle()))
        return isClosing() || isEarlier ? Effect.asVoid(Queue.offer(bell, undefined)) : Effect.void
      }),
      rest: (at) =>
        Effect.suspend(() => {
          resting = { until: dueAt(), isIdle: isIdle() }
          const rung = Queue.take(bell).pipe(Effect.timeoutOption(resting.until - at), Effect.asVoid)
          return Effect.ensuring(
            resting.isIdle ? idly(rung) : rung,
            Effect.sync(() => {
              resting = undefined
            })
          )
        })
    }
  })

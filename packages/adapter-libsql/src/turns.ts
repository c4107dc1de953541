/** One after the other, in the order they came. A database that has one writer at a time gains nothing by more of them. */
import { callMillis, DriverError, deadlineIn, retryConflicts, withinDeadline } from "@kavach-polar/core/adapter"

/** Ends by the deadline, which it is given, whatever the database does. */
export type Attempt<A> = (deadline: number) => Promise<A>

export interface Turns {
  /** Tries until nobody else is in the way. The time of each runs from when it came, however many are before it. */
  readonly inTurn: <A>(attempt: Attempt<A>, millis?: number) => Promise<A>
}

export const makeTurns = (isConflict: (error: unknown) => boolean): Turns => {
  let last: Promise<unknown> = Promise.resolve()
  return {
    inTurn: (attempt, millis = callMillis) => {
      const deadline = deadlineIn(millis)
      let isLate = false
      const turn = last.then(() => {
        // The caller has its answer already, that it took too long: nothing of this may come true.
        if (isLate) throw new DriverError("busy", "others before it took too long")
        return retryConflicts(attempt, { isConflict }, deadline - performance.now())
      })
      last = turn.catch(() => {})
      return withinDeadline(turn, deadline, () => {
        isLate = true
      })
    }
  }
}

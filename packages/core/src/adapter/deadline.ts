/**
 * Time limits for drivers. Polar waits ten seconds for its answer, and a request is answered within five, whatever the
 * database does: so a call to it ends before.
 */
import type { Patience } from "../store/StoreDriver.ts"
import { DriverError } from "./DriverError.ts"

/** How long a call to the database may take altogether, in milliseconds, with everything that is tried again. */
export const callMillis = 4000

export interface TransactionOptions {
  /** The commit need not wait for the disk: what it says may be said again. */
  readonly relaxed?: boolean | undefined
  /** How long others are waited for who are in its way. Default: `full`. */
  readonly patience?: Patience | undefined
}

/** How a database says that others are in a transaction's way. */
export interface Conflicts {
  /** Whether the same transaction, run again from its beginning, may well succeed. */
  readonly isConflict: (error: unknown) => boolean
  /** Of conflicts: whether it waited for a lock that did not come, or found one taken that it would not wait for. */
  readonly isLockWait?: (error: unknown) => boolean
}

/** A moment until when a call may take, on this process's own clock. */
export const deadlineIn = (millis: number): number => performance.now() + millis

/**
 * What the promise becomes, or a failure when it takes until after the deadline. `giveUp` is called then: it ends what is
 * still under way, so that nothing of it comes true later (a connection is destroyed, and the server rolls back).
 */
export const withinDeadline = <A>(promise: Promise<A>, deadline: number, giveUp: () => void): Promise<A> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => {
        giveUp()
        reject(new DriverError("unavailable", "the database did not answer in time"))
      },
      Math.max(deadline - performance.now(), 0)
    )
    promise.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      }
    )
  })

/**
 * Runs it again while others are in its way, until the deadline. Nothing of an attempt stays that ended in a conflict. The
 * pause differs each time, so that rivals do not meet again. With brief patience it is not run again once it has waited for a
 * lock in vain.
 */
export const retryConflicts = async <A>(
  attempt: (deadline: number) => Promise<A>,
  { isConflict, isLockWait = () => false }: Conflicts,
  millis: number = callMillis,
  { patience = "full" }: TransactionOptions = {}
): Promise<A> => {
  const deadline = deadlineIn(millis)
  let conflict: { readonly error: unknown } | undefined
  for (let failures = 1; ; failures++) {
    try {
      return await attempt(deadline)
    } catch (error) {
      const pause = 10 * 2 ** Math.min(failures, 5) * (0.5 + Math.random())
      if (isConflict(error)) conflict = { error }
      // What it waited for says more than that the time is over. Timers are a little early at times.
      else if (conflict !== undefined && performance.now() > deadline - 10) throw conflict.error
      if (!isConflict(error) || performance.now() + pause > deadline) throw error
      if (patience === "brief" && isLockWait(error)) throw error
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}

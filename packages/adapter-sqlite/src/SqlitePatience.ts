/**
 * Waiting for other writers of the same file. SQLite's own wait holds up the whole process, sign-in included, and one step
 * after the other; so it is kept short, and the rest of the wait is between attempts, while the process does other work.
 */
import { innermostCause } from "@kavach-polar/core/adapter"

/** How long SQLite itself may wait within an attempt, in milliseconds. */
export const blockMillis = 5

/** How long a step is tried, in milliseconds. */
const stepPatience = 5000

/** Migrations of many processes that start at once take turns. */
export const migrationPatience = 30_000

/**
 * Tries until nobody else writes, or the time is over. `attempt` is a transaction: when it could not begin, or not commit,
 * nothing of it stays.
 */
export type Patiently = <A>(attempt: () => A, patienceMillis?: number) => Promise<A>

/**
 * For one connection. Steps go one after the other, in the order they came: so however many wait, one of them asks. The
 * time of each runs from when it came.
 */
export const make = (): Patiently => {
  let last: Promise<unknown> = Promise.resolve()
  return (attempt, patienceMillis = stepPatience) => {
    const deadline = performance.now() + patienceMillis
    const next = last.then(() => untilDeadline(attempt, deadline))
    last = next.catch(() => {})
    return next
  }
}

/** The pause differs each time, so that rivals do not meet again. */
const untilDeadline = async <A>(attempt: () => A, deadline: number): Promise<A> => {
  for (let tries = 1; ; tries++) {
    try {
      return attempt()
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error
      const pause = Math.min(5 * tries, 50) * (0.5 + Math.random())
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}

const isBusy = (error: unknown): boolean => {
  const cause = innermostCause(error)
  return (
    cause instanceof Error && "code" in cause && typeof cause.code === "string" && cause.code.startsWith("SQLITE_BUSY")
  )
}

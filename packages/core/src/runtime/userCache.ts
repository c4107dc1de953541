/** What was read of users, kept in memory for a while: for what is asked at every request and seldom changes. */
import * as Effect from "effect/Effect"

export interface UserCache<A, E> {
  /** What is kept of the user, or read and then kept. */
  readonly get: (userId: string) => Effect.Effect<A, E>
  /** Forgets what is kept of them. What is being read meanwhile is not kept, because it may have been read before. */
  readonly forget: (users: ReadonlySet<string> | "everybody") => void
}

interface Entry<A> {
  readonly value: A
  readonly until: number
}

/** `most`: whoever was kept longest ago makes way. */
export const makeUserCache = <A, E>(
  read: (userId: string) => Effect.Effect<A, E>,
  { maxAgeMillis, most }: { readonly maxAgeMillis: number; readonly most: number }
): UserCache<A, E> => {
  const entries = new Map<string, Entry<A>>()
  let forgotten = 0

  const readAnew = (userId: string, now: number): Effect.Effect<A, E> => {
    const before = forgotten
    return Effect.tap(read(userId), (value) => {
      if (forgotten !== before) return
      entries.delete(userId)
      entries.set(userId, { value, until: now + maxAgeMillis })
      const [oldest] = entries.keys()
      if (entries.size > most && oldest !== undefined) entries.delete(oldest)
    })
  }

  return {
    get: (userId) =>
      Effect.clockWith((clock) => {
        const now = clock.unsafeCurrentTimeMillis()
        const entry = entries.get(userId)
        // Nothing is good for longer because the clock was set back.
        const isGood = entry !== undefined && now < entry.until && entry.until - now <= maxAgeMillis
        return isGood ? Effect.succeed(entry.value) : readAnew(userId, now)
      }),
    forget: (users) => {
      forgotten += 1
      if (users === "everybody") entries.clear()
      else for (const userId of users) entries.delete(userId)
    }
  }
}

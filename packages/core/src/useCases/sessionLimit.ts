/**
 * How many sessions (checkouts, or visits of the portal) one user may open in a minute, so that nobody uses up what Polar
 * allows everybody. Equal clicks at the same time get one session; a click too many gets the one that is open already, or is
 * told when to come back. Each process counts for itself.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TooManySessions } from "./BuyerError.ts"

export const defaultSessionsPerMinute = 10

const minute = 60_000
/** How long a session that was opened is handed out again. */
const reusedFor = 5 * minute
/** Users that are remembered; the one longest ago is forgotten. */
const mostUsers = 10_000

interface Opened<A> {
  readonly value: A
  readonly at: number
}

interface OneUser<A, E> {
  readonly starts: Array<number>
  readonly opened: Map<string, Opened<A>>
  /** `undefined` when whoever opened it gave up. */
  readonly underWay: Map<string, Deferred.Deferred<Exit.Exit<A, E> | undefined>>
}

export interface Click<A, E, R> {
  readonly userId: string
  /** Clicks with the same text ask for the same. */
  readonly same: string
  readonly open: Effect.Effect<A, E, R>
  /** Whether a session that was opened before still does. */
  readonly isOpen: (value: A) => Effect.Effect<boolean, E, R>
}

export const makeSessionLimit = <A, E>(what: string, perMinute: number = defaultSessionsPerMinute) => {
  const users = new Map<string, OneUser<A, E>>()

  const userOf = (userId: string): OneUser<A, E> => {
    const known = users.get(userId) ?? { starts: [], opened: new Map(), underWay: new Map() }
    users.delete(userId)
    users.set(userId, known)
    if (users.size > mostUsers) {
      for (const [oldest] of users) {
        users.delete(oldest)
        break
      }
    }
    return known
  }

  const click = <R>({ isOpen, open, same, userId }: Click<A, E, R>): Effect.Effect<A, E | TooManySessions, R> =>
    Effect.gen(function* () {
      const user = userOf(userId)
      const other = user.underWay.get(same)
      if (other !== undefined) {
        const exit = yield* Deferred.await(other)
        return exit === undefined ? yield* click({ isOpen, open, same, userId }) : yield* exit
      }
      const now = yield* Clock.currentTimeMillis
      while (user.starts[0] !== undefined && user.starts[0] <= now - minute) user.starts.shift()
      for (const [key, { at }] of user.opened) if (at <= now - reusedFor) user.opened.delete(key)
      if (user.starts.length >= perMinute) {
        const opened = user.opened.get(same)
        if (opened !== undefined && (yield* isOpen(opened.value))) return opened.value
        const wait = (user.starts[0] ?? now) + minute - now
        return yield* new TooManySessions({ what, userId, perMinute, retryAfterSeconds: Math.ceil(wait / 1000) })
      }
      user.starts.push(now)
      const done = yield* Deferred.make<Exit.Exit<A, E> | undefined>()
      user.underWay.set(same, done)
      return yield* Effect.onExit(open, (exit) => {
        user.underWay.delete(same)
        if (Exit.isSuccess(exit)) user.opened.set(same, { value: exit.value, at: now })
        return Deferred.succeed(done, Exit.isInterrupted(exit) ? undefined : exit)
      })
    })

  return click
}

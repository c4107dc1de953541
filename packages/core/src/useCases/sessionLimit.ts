/**
 * How many sessions (checkouts, or visits of the portal) one user may open in a minute, so that nobody uses up what Polar
 * allows everybody. Equal clicks at the same time get one session, and later ones too where it is to be used again; a click too
 * many gets the one that is open already, or is told when to come back. Each process counts for itself.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
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
  readonly underWay: Map<string, Deferred.Deferred<Exit.Exit<A, E | TooManySessions> | undefined>>
}

export interface Click<A, E, R> {
  readonly userId: string
  /** Clicks with the same text ask for the same. */
  readonly same: string
  readonly open: Effect.Effect<A, E, R>
  /** Whether a later click gets the same session, also when there is room for another. */
  readonly reuse: boolean
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

  /** The session that was opened for the same not long ago, if it still is. */
  const openedBefore = <R>(user: OneUser<A, E>, { isOpen, same }: Click<A, E, R>) => {
    const opened = user.opened.get(same)
    return opened === undefined
      ? Effect.succeedNone
      : Effect.map(isOpen(opened.value), (open) => (open ? Option.some(opened.value) : Option.none<A>()))
  }

  const openOne = <R>(user: OneUser<A, E>, asked: Click<A, E, R>) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      while (user.starts[0] !== undefined && user.starts[0] <= now - minute) user.starts.shift()
      for (const [key, { at }] of user.opened) if (at <= now - reusedFor) user.opened.delete(key)
      const isFull = user.starts.length >= perMinute
      if (asked.reuse || isFull) {
        const before = yield* openedBefore(user, asked)
        if (Option.isSome(before)) return before.value
      }
      if (isFull) {
        const wait = (user.starts[0] ?? now) + minute - now
        return yield* new TooManySessions({
          what,
          userId: asked.userId,
          perMinute,
          retryAfterSeconds: Math.ceil(wait / 1000)
        })
      }
      user.starts.push(now)
      return yield* Effect.tap(asked.open, (value) =>
        Effect.sync(() => user.opened.set(asked.same, { value, at: now }))
      )
    })

  const click = <R>(asked: Click<A, E, R>): Effect.Effect<A, E | TooManySessions, R> =>
    Effect.gen(function* () {
      const user = userOf(asked.userId)
      const other = user.underWay.get(asked.same)
      if (other !== undefined) {
        const exit = yield* Deferred.await(other)
        return exit === undefined ? yield* click(asked) : yield* exit
      }
      const done = Deferred.unsafeMake<Exit.Exit<A, E | TooManySessions> | undefined>(FiberId.none)
      user.underWay.set(asked.same, done)
      return yield* Effect.onExit(openOne(user, asked), (exit) => {
        user.underWay.delete(asked.same)
        return Deferred.succeed(done, Exit.isInterrupted(exit) ? undefined : exit)
      })
    })

  return click
}

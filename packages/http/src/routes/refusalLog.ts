/**
 * The log of what is refused: whoever finds a route can have a request refused as often as they like, so there is one line
 * a minute for each kind of refusal, which says how many it stands for.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import type * as Scope from "effect/Scope"

export interface Refusal {
  readonly kind: string
  readonly entry: string
  readonly level: LogLevel.LogLevel
}

export type RefusalLog = (refusal: Refusal) => Effect.Effect<void>

const lineEveryMillis = 60_000

interface Unsaid {
  readonly last: Refusal
  readonly since: number
  readonly count: number
}

/** The first of a kind is said at once; what was not yet said when the scope ends is said then. */
export const makeRefusalLog: Effect.Effect<RefusalLog, never, Scope.Scope> = Effect.gen(function* () {
  const kinds = new Map<string, Unsaid>()
  yield* Effect.addFinalizer(() =>
    Effect.forEach(
      [...kinds.values()].filter(({ count }) => count > 0),
      say,
      { discard: true }
    )
  )
  return (refusal) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const before = kinds.get(refusal.kind)
      if (before !== undefined && now - before.since < lineEveryMillis) {
        kinds.set(refusal.kind, { last: refusal, since: before.since, count: before.count + 1 })
        return Effect.void
      }
      kinds.set(refusal.kind, { last: refusal, since: now, count: 0 })
      return say({ last: refusal, count: (before?.count ?? 0) + 1 })
    })
})

const say = ({ count, last: { entry, level } }: Pick<Unsaid, "count" | "last">): Effect.Effect<void> =>
  Effect.logWithLevel(level, count === 1 ? entry : `${entry} (${count} of this kind since the last such line)`)

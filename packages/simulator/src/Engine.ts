/** The state in memory, and the one way to change it: a step at a time, at the simulator's own time. */
import * as Timestamp from "@kavach-polar/core/Timestamp"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as PubSub from "effect/PubSub"
import * as Random from "effect/Random"
import { PCGRandom } from "effect/Utils"
import { plus } from "./Calendar.ts"
import * as Due from "./Due.ts"
import type { World } from "./Records.ts"
import type { Refusal } from "./Refusal.ts"
import * as Seed from "./Seed.ts"
import { type Emitted, Step } from "./Step.ts"

/** A transition: what is asked of the state, answered or refused. A refusal leaves the state as it was. */
export type Transition<A> = (step: Step) => Either.Either<A, Refusal>

export interface Engine {
  /** Does what has fallen due, and then this. */
  readonly run: <A>(transition: Transition<A>) => Effect.Effect<A, Refusal>
  /** Looks at the state, after doing what has fallen due. */
  readonly read: <A>(look: (world: World) => A) => Effect.Effect<A>
  /** The simulator's time, in microseconds. */
  readonly now: Effect.Effect<Timestamp.EpochMicros>
  /** Moves the simulator's time on, and does what falls due, each at its own time. */
  readonly advance: (duration: Duration.DurationInput) => Effect.Effect<void>
  /** Milliseconds until something falls due; `undefined` when nothing ever does. */
  readonly untilDue: Effect.Effect<number | undefined>
  /** Everything that happened, the oldest first; the last ten thousand events are kept. */
  readonly emitted: Effect.Effect<ReadonlyArray<Emitted>>
  /** Says that something changed. */
  readonly changes: PubSub.PubSub<void>
}

const logLimit = 10_000

/** Runs one transition; a pure function of the state, the time and the randomness. */
export const transition = <A>(
  world: World,
  at: Timestamp.EpochMicros,
  random: PCGRandom,
  change: Transition<A>
): {
  readonly world: World
  readonly answer: Either.Either<A, Refusal>
  readonly emitted: ReadonlyArray<Emitted>
  /** When it was over: the next one begins no earlier. */
  readonly last: Timestamp.EpochMicros
} => {
  const step = new Step(world, at, random)
  const answer = change(step)
  return Either.isRight(answer)
    ? { world: step.finish(), answer, emitted: step.emitted, last: step.last }
    : // A card that was asked was asked, and a lock that was met was met, whatever became of the rest.
      {
        world: { ...world, declines: step.world.declines, locks: step.world.locks },
        answer,
        emitted: [],
        last: step.last
      }
}

export const make = (options: Seed.WorldOptions): Effect.Effect<Engine> =>
  Effect.gen(function* () {
    const clock = Effect.map(Clock.currentTimeMillis, Timestamp.fromMillis)
    const changes = yield* PubSub.sliding<void>(1)
    const start = yield* clock
    let world = Seed.world(options, start)
    let offset = 0
    let log: Array<Emitted> = []

    // Never backwards, and never the same twice: a clock that stands still, or is set back, changes no order.
    let last = start
    const later = (at: Timestamp.EpochMicros): Timestamp.EpochMicros => plus(at, Math.max(0, last - at))
    const now = Effect.map(clock, (at) => later(plus(at, offset)))

    // Seeded once: a transition is a plain function, and the same seed makes the same ids whatever else uses `Random`.
    const random = new PCGRandom(yield* Random.nextIntBetween(0, 2 ** 31), yield* Random.nextIntBetween(0, 2 ** 31))

    const apply = <A>(at: Timestamp.EpochMicros, change: Transition<A>) => {
      const result = transition(world, later(at), random, change)
      world = result.world
      last = result.last
      log.push(...result.emitted)
      if (log.length > 2 * logLimit) log = log.slice(-logLimit)
      return result.answer
    }

    // Synchronous from here to the answer, so that nobody sees a half-done state.
    const settle = (until: Timestamp.EpochMicros): boolean => {
      let due = Due.first(world)
      const some = due !== undefined && due.at <= until
      while (due !== undefined && due.at <= until) {
        const { at, run } = due
        apply(at, (step) => Either.right(run(step)))
        due = Due.first(world)
      }
      return some
    }

    const settled = Effect.map(now, (at) => ({ at, changed: settle(at) }))

    const run = <A>(change: Transition<A>): Effect.Effect<A, Refusal> =>
      settled.pipe(
        Effect.flatMap(({ at }) => apply(at, change)),
        Effect.ensuring(PubSub.publish(changes, undefined))
      )

    const read = <A>(look: (world: World) => A): Effect.Effect<A> =>
      settled.pipe(
        Effect.tap(({ changed }) => (changed ? PubSub.publish(changes, undefined) : Effect.void)),
        Effect.map(() => look(world))
      )

    return {
      run,
      read,
      now,
      advance: (duration) =>
        Effect.sync(() => {
          offset += Duration.toMillis(duration) * 1000
        }).pipe(Effect.zipRight(settled), Effect.zipRight(PubSub.publish(changes, undefined)), Effect.asVoid),
      untilDue: Effect.map(now, (at) => {
        const due = Due.first(world)
        return due === undefined ? undefined : Math.max(0, Math.ceil((due.at - at) / 1000))
      }),
      emitted: read(() => log.slice(-logLimit)),
      changes
    }
  })

/**
 * Group commit: what comes while a commit is under way shares the next one. A commit waits for the disk, whatever is in it,
 * so under load this does many times as much; and what comes alone does not wait for company.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"

export interface GroupCommitOptions<In, Out, E> {
  /** Does all of them in one atomic step. Succeeds with one outcome for each, in the same order. */
  readonly commit: (inputs: Arr.NonEmptyReadonlyArray<In>) => Effect.Effect<ReadonlyArray<Out>, E>
  /** Whether one of several may be to blame. Then they are tried in halves, so that it fails alone. */
  readonly blamesOne: (error: E) => boolean
  /**
   * When a step fails and nobody is to blame, who has waited longer than this, in milliseconds, is given the same answer: the
   * next step may take as long to fail, and nobody is to wait for both.
   */
  readonly longestWait: number
  /** How many steps may run at once. */
  readonly concurrency: number
  /** At most so many share a step. */
  readonly maxSize: number
  /** At most so much shares a step, by `weigh`; one that is heavier goes alone. */
  readonly maxWeight: number
  readonly weigh: (input: In) => number
  /** What a step waits for before it begins, so that more may share it. Default: what has arrived at the same time. */
  readonly gather?: Effect.Effect<void> | undefined
}

interface Waiting<In, Out, E> {
  readonly input: In
  /** By the process's own clock. */
  readonly since: number
  readonly resume: (outcome: Effect.Effect<Out, E>) => void
}

/** Runs until the scope ends; who still waits then, or comes later, is interrupted. */
export const make = <In, Out, E>(
  options: GroupCommitOptions<In, Out, E>
): Effect.Effect<(input: In) => Effect.Effect<Out, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const waiting: Array<Waiting<In, Out, E>> = []
    let ended = false
    const someWait = yield* Effect.makeLatch()

    let idle = options.concurrency

    /** Those who came first: all, or of many as much as leaves work for the others that are idle. */
    const take = (): ReadonlyArray<Waiting<In, Out, E>> => {
      const share = waiting.length < worthSharing ? waiting.length : Math.ceil(waiting.length / Math.max(idle, 1))
      const most = Math.min(share, options.maxSize)
      let weight = 0
      let size = 0
      for (const { input } of waiting) {
        weight += options.weigh(input)
        if (size > 0 && (size === most || weight > options.maxWeight)) break
        size++
      }
      const taken = waiting.splice(0, size)
      if (waiting.length === 0) someWait.unsafeClose()
      return taken
    }

    const takeOld = (): ReadonlyArray<Waiting<In, Out, E>> => {
      const before = performance.now() - options.longestWait
      const first = waiting.findIndex(({ since }) => since > before)
      return waiting.splice(0, first < 0 ? waiting.length : first)
    }

    const commit = (group: ReadonlyArray<Waiting<In, Out, E>>): Effect.Effect<void> => {
      const [first, ...rest] = group
      if (first === undefined) return Effect.void
      // Suspended, so that one that throws is its own failure and not the end of who works here.
      const step = Effect.suspend(() => options.commit([first.input, ...rest.map(({ input }) => input)]))
      return Effect.matchCauseEffect(step, {
        onSuccess: (outcomes) => Effect.sync(() => answerEach(group, outcomes)),
        onFailure: (cause) => {
          const blamesOne = mayBlameOne(cause)
          if (rest.length === 0 || !blamesOne) {
            return Effect.sync(() => answer([...group, ...(blamesOne ? [] : takeOld())], Effect.failCause(cause)))
          }
          const half = group.length >> 1
          return Effect.zipRight(commit(group.slice(0, half)), commit(group.slice(half)))
        }
      }).pipe(Effect.onInterrupt(() => Effect.sync(() => answer(group, Effect.interrupt))))
    }

    const mayBlameOne = (cause: Cause.Cause<E>): boolean =>
      Option.match(Cause.failureOption(cause), { onNone: () => false, onSome: options.blamesOne })

    // Those who wait go with the scope; what the workers had taken, they answer themselves.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        ended = true
        answer(waiting.splice(0), Effect.interrupt)
      })
    )
    const work = someWait.await.pipe(
      Effect.zipRight(options.gather ?? restArrived),
      Effect.zipRight(
        Effect.suspend(() => {
          const group = take()
          idle--
          return Effect.ensuring(
            commit(group),
            Effect.sync(() => {
              idle++
            })
          )
        })
      ),
      Effect.forever
    )
    yield* Effect.forEach(Array.from({ length: options.concurrency }), () => Effect.forkScoped(work), { discard: true })

    return (input) =>
      Effect.async<Out, E>((resume) => {
        if (ended) return resume(Effect.interrupt)
        const one = { input, since: performance.now(), resume }
        waiting.push(one)
        someWait.unsafeOpen()
        return Effect.sync(() => {
          const index = waiting.indexOf(one)
          if (index >= 0) waiting.splice(index, 1)
        })
      })
  })

/** Fewer than these go in one step, even if another could begin at the same time. */
const worthSharing = 16

/** Whoever was answered before hears nothing of a second answer. */
const answer = <In, Out, E>(group: ReadonlyArray<Waiting<In, Out, E>>, outcome: Effect.Effect<Out, E>): void => {
  for (const { resume } of group) resume(outcome)
}

const answerEach = <In, Out, E>(group: ReadonlyArray<Waiting<In, Out, E>>, outcomes: ReadonlyArray<Out>): void => {
  for (const [index, { resume }] of group.entries()) {
    const outcome = outcomes[index]
    resume(
      outcome === undefined ? Effect.dieMessage("A step has fewer outcomes than inputs.") : Effect.succeed(outcome)
    )
  }
}

/** Until Node has gone through what had arrived at the same time: it is to be in the same group. */
export const restArrived = Effect.async<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})

/**
 * Group commit: what comes while a commit is under way shares the next one. A commit waits for the disk, whatever is in it,
 * so a burst takes as long as two; and what comes alone does not wait for company.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { restArrived } from "./restArrived.ts"

export interface GroupCommitOptions<In, Out, E> {
  /** Does all of them in one atomic step. Succeeds with one outcome for each, in the same order. */
  readonly commit: (inputs: Arr.NonEmptyReadonlyArray<In>) => Effect.Effect<ReadonlyArray<Out>, E>
  /** Whether one of several may be to blame. Then they are tried in halves, so that it fails alone. */
  readonly blamesOne: (error: E) => boolean
  /** How many commits may run at once. */
  readonly concurrency: number
  /** At most so many share a commit. */
  readonly maxSize: number
  /** At most so much shares a commit, by `weigh`; one that is heavier goes alone. */
  readonly maxWeight: number
  readonly weigh: (input: In) => number
  /** Each is answered within this time of its arrival, whatever the commit does. One that takes longer is interrupted. */
  readonly deadline: Duration.Duration
  /** At most so many wait for a commit; who comes beyond that fails at once. */
  readonly maxWaiting: number
  /** What they fail with: `late` after the deadline, `full` when too many wait. */
  readonly refuse: (why: "late" | "full") => E
}

interface Waiting<In, Out, E> {
  readonly input: In
  readonly resume: (outcome: Effect.Effect<Out, E>) => void
}

/** Runs until the scope ends; who still waits then, or comes later, is interrupted. */
export const make = <In, Out, E>(
  options: GroupCommitOptions<In, Out, E>
): Effect.Effect<(input: In) => Effect.Effect<Out, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    type Member = Waiting<In, Out, E>
    const { deadline, refuse } = options
    const line: Array<Member> = []
    // Those for whose answer somebody waits, in line or in a commit.
    const open = new Set<Member>()
    const someWait = yield* Effect.makeLatch()
    let hasEnded = false

    const answer = (member: Member, outcome: Effect.Effect<Out, E>) => {
      if (open.delete(member)) member.resume(outcome)
    }

    /** Those who came first, as many as one commit may have. */
    const take = (): ReadonlyArray<Member> => {
      let weight = 0
      let size = 0
      for (const { input } of line.slice(0, options.maxSize)) {
        weight += options.weigh(input)
        if (size > 0 && weight > options.maxWeight) break
        size++
      }
      const taken = line.splice(0, size)
      if (line.length === 0) someWait.unsafeClose()
      return taken
    }

    const commit = (group: ReadonlyArray<Member>): Effect.Effect<void> =>
      Effect.suspend(() => {
        const members = group.filter((member) => open.has(member))
        const [first, ...rest] = members
        if (first === undefined) return Effect.void
        // Suspended, so that one that throws is its own failure and not the end of who works here.
        return Effect.suspend(() => options.commit([first.input, ...rest.map(({ input }) => input)])).pipe(
          // Whoever is in it has come before it began, so that nobody waits for it any more. It may not heed the interruption.
          Effect.disconnect,
          Effect.timeoutFail({ duration: deadline, onTimeout: () => refuse("late") }),
          Effect.matchCauseEffect({
            onSuccess: (outcomes) =>
              Effect.sync(() => {
                for (const [index, member] of members.entries()) {
                  const outcome = outcomes[index]
                  answer(member, outcome === undefined ? fewerOutcomes : Effect.succeed(outcome))
                }
              }),
            onFailure: (cause) => {
              if (rest.length === 0 || !Option.exists(Cause.failureOption(cause), options.blamesOne)) {
                return Effect.sync(() => {
                  for (const member of members) answer(member, Effect.failCause(cause))
                })
              }
              const half = members.length >> 1
              return Effect.zipRight(commit(members.slice(0, half)), commit(members.slice(half)))
            }
          })
        )
      })

    // Before the workers, so that they have ended when the rest is let go.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        hasEnded = true
        for (const member of open) answer(member, Effect.interrupt)
      })
    )
    const work = someWait.await.pipe(
      Effect.zipRight(restArrived),
      Effect.zipRight(Effect.suspend(() => commit(take()))),
      Effect.forever
    )
    yield* Effect.forEach(Array.from({ length: options.concurrency }), () => Effect.forkScoped(work), { discard: true })

    return (input) =>
      Effect.async<Out, E>((resume) => {
        if (hasEnded) return resume(Effect.interrupt)
        if (line.length >= options.maxWaiting) return resume(Effect.fail(refuse("full")))
        const member: Member = { input, resume }
        line.push(member)
        open.add(member)
        someWait.unsafeOpen()
        return Effect.sync(() => {
          open.delete(member)
          const index = line.indexOf(member)
          if (index >= 0) line.splice(index, 1)
        })
      }).pipe(Effect.timeoutFail({ duration: deadline, onTimeout: () => refuse("late") }))
  })

const fewerOutcomes = Effect.dieMessage("A commit has fewer outcomes than inputs.")

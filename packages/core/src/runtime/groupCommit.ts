/**
 * Group commit: what comes while a commit is under way shares the next one. A commit waits for the disk, whatever is in it,
 * so a burst takes as long as two; and what comes alone does not wait for company.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { restArrived } from "./restArrived.ts"

export interface GroupCommitOptions<In, Out, E> {
  /**
   * Does all of them in one atomic step. Succeeds with one outcome for each, in the same order. `brief`: others wait behind
   * it, so it is to give up soon when somebody is in its way.
   */
  readonly commit: (
    inputs: Arr.NonEmptyReadonlyArray<In>,
    patience: "brief" | "full"
  ) => Effect.Effect<ReadonlyArray<Out>, E>
  /** Whether one of several may be to blame. Then they are tried in halves, so that it fails alone. */
  readonly blamesOne: (error: E) => boolean
  /** Whether somebody is in the way of one of them. Then each is tried alone, and who is held up waits apart from the line. */
  readonly isHeldUp: (error: E) => boolean
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

interface Member<In, Out, E> {
  readonly input: In
  /** Epoch milliseconds. */
  readonly answerBy: number
  readonly resume: (outcome: Effect.Effect<Out, E>) => void
}

/** Runs until the scope ends; who still waits then, or comes later, is interrupted. */
export const make = <In, Out, E>(
  options: GroupCommitOptions<In, Out, E>
): Effect.Effect<(input: In) => Effect.Effect<Out, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    type Waiting = Member<In, Out, E>
    const { refuse } = options
    const deadlineMillis = Duration.toMillis(options.deadline)
    const line: Array<Waiting> = []
    // Those for whose answer somebody waits, in line or in a commit, the first that came first.
    const open = new Set<Waiting>()
    const someWait = yield* Effect.makeLatch()
    const someOpen = yield* Effect.makeLatch()
    // What each worker has taken.
    const workers = new Map<Fiber.RuntimeFiber<void>, ReadonlyArray<Waiting>>()
    // Beside them: those that are held up. Each ends as soon as its commit does.
    const aside = new Set<Fiber.RuntimeFiber<void>>()
    const roomAside = Effect.unsafeMakeSemaphore(options.concurrency)
    // Where only one can commit at a time, nobody gets on faster apart.
    const canWaitAside = options.concurrency > 1
    let hasEnded = false

    /** Nobody waits for its answer any more. */
    const close = (member: Waiting): boolean => {
      const wasOpen = open.delete(member)
      if (open.size === 0) someOpen.unsafeClose()
      return wasOpen
    }

    const answer = (member: Waiting, outcome: Effect.Effect<Out, E>) => {
      if (close(member)) member.resume(outcome)
    }

    /** Those who came first, as many as one commit may have. */
    const take = (): ReadonlyArray<Waiting> => {
      let weight = 0
      let size = 0
      for (const { input } of line) {
        weight += options.weigh(input)
        if (size === options.maxSize || (size > 0 && weight > options.maxWeight)) break
        size++
      }
      const taken = line.splice(0, size)
      if (line.length === 0) someWait.unsafeClose()
      return taken
    }

    const leave = (member: Waiting) => {
      const index = line.indexOf(member)
      if (index >= 0) line.splice(index, 1)
      if (line.length === 0) someWait.unsafeClose()
    }

    const commit = (
      group: ReadonlyArray<Waiting>,
      patience: "brief" | "full" = canWaitAside ? "brief" : "full"
    ): Effect.Effect<void> =>
      Effect.suspend(() => {
        const members = group.filter((member) => open.has(member))
        const [first, ...rest] = members
        if (first === undefined) return Effect.void
        // Suspended, so that one that throws is its own failure and not the end of who works here.
        const step = Effect.suspend(() => options.commit([first.input, ...rest.map(({ input }) => input)], patience))
        return Effect.matchCauseEffect(step, {
          onSuccess: (outcomes) =>
            Effect.sync(() => {
              for (const [index, member] of members.entries()) {
                const outcome = outcomes[index]
                answer(member, outcome === undefined ? fewerOutcomes : Effect.succeed(outcome))
              }
            }),
          onFailure: (cause) => {
            const error = Cause.failureOption(cause)
            if (patience === "brief" && Option.exists(error, options.isHeldUp)) {
              return rest.length === 0
                ? waitAside(first)
                : Effect.forEach(members, (member) => commit([member]), {
                    concurrency: options.concurrency,
                    discard: true
                  })
            }
            if (rest.length === 0 || !Option.exists(error, options.blamesOne)) {
              return Effect.sync(() => {
                for (const member of members) answer(member, Effect.failCause(cause))
              })
            }
            const half = members.length >> 1
            return Effect.zipRight(commit(members.slice(0, half)), commit(members.slice(half)))
          }
        })
      })

    /** So that whoever is held up does not hold up the line. */
    const waitAside = (member: Waiting): Effect.Effect<void> =>
      Effect.map(Effect.forkDaemon(roomAside.withPermits(1)(commit([member], "full"))), (fiber) => {
        aside.add(fiber)
        fiber.addObserver(() => aside.delete(fiber))
      })

    const work = Effect.withFiberRuntime<void>((fiber) =>
      someWait.await.pipe(
        Effect.zipRight(restArrived),
        Effect.zipRight(
          Effect.suspend(() => {
            const group = take()
            workers.set(fiber, group)
            return commit(group)
          })
        ),
        Effect.forever
      )
    )

    const hire = Effect.map(Effect.forkDaemon(work), (fiber) => {
      workers.set(fiber, [])
    })

    /** A commit of which nobody hears any more is given up, and another worker goes on; it may not heed the interruption. */
    const replace = (fiber: Fiber.RuntimeFiber<void>) => {
      workers.delete(fiber)
      return Effect.zipRight(Fiber.interruptFork(fiber), hire)
    }

    /** One looks after all deadlines: a timer for each would take longer than the rest of a commit. */
    const watch = Effect.gen(function* () {
      yield* someOpen.await
      const [first] = open
      if (first === undefined) return
      const now = yield* Clock.currentTimeMillis
      // No longer than that, also when the clock was set back.
      if (first.answerBy > now) return yield* Effect.sleep(Math.min(first.answerBy - now, deadlineMillis))
      for (const member of open) {
        if (member.answerBy > now) break
        leave(member)
        answer(member, Effect.fail(refuse("late")))
      }
      const hopeless = [...workers].filter(
        ([, group]) => group.some(({ answerBy }) => answerBy <= now) && !group.some((member) => open.has(member))
      )
      yield* Effect.forEach(hopeless, ([fiber]) => replace(fiber), { discard: true })
    })

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        hasEnded = true
        for (const member of open) answer(member, Effect.interrupt)
        // What is under way gets its time to end, and not more.
        return Fiber.interruptAll([...workers.keys(), ...aside]).pipe(
          Effect.disconnect,
          Effect.timeoutOption(options.deadline)
        )
      })
    )
    yield* Effect.forkScoped(Effect.forever(watch))
    yield* Effect.replicateEffect(hire, options.concurrency, { discard: true })

    return (input) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.async<Out, E>((resume) => {
          if (hasEnded) return resume(Effect.interrupt)
          if (line.length >= options.maxWaiting) return resume(Effect.fail(refuse("full")))
          const member: Waiting = { input, answerBy: now + deadlineMillis, resume }
          line.push(member)
          open.add(member)
          someOpen.unsafeOpen()
          someWait.unsafeOpen()
          return Effect.sync(() => {
            close(member)
            leave(member)
          })
        })
      )
  })

const fewerOutcomes = Effect.dieMessage("A commit has fewer outcomes than inputs.")

import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Scheduler, Scope, TestClock } from "effect"
import * as GroupCommit from "../src/runtime/groupCommit.ts"
import { restArrived } from "../src/runtime/restArrived.ts"

type Commit = GroupCommit.GroupCommitOptions<string, string, string>["commit"]

const defaults = {
  isHeldUp: (error: string) => error === "busy",
  blamesOne: (error: string) => error === "poison",
  concurrency: 1,
  maxSize: 100,
  maxWeight: 1000,
  weigh: (input: string) => input.length,
  deadline: Duration.seconds(5),
  maxWaiting: 1000,
  refuse: (why: "late" | "full"): string => why
}

/** A commit that can be held up, and that remembers what went into each step. */
const recording = (answer: (inputs: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>, string>) => {
  const steps: Array<ReadonlyArray<string>> = []
  const commit: Commit = (inputs) =>
    Effect.suspend(() => {
      steps.push(inputs)
      return answer(inputs)
    })
  return { steps, commit }
}

const done = (inputs: ReadonlyArray<string>) => Effect.succeed(inputs.map((input) => `${input}!`))

/** Until the workers have taken what there is. */
const turns = Effect.repeatN(restArrived, 20)

describe("group commit", () => {
  it.scopedLive("one that comes alone goes alone, and each gets its own outcome", () =>
    Effect.gen(function* () {
      const { commit, steps } = recording(done)
      const submit = yield* GroupCommit.make({ ...defaults, commit })
      assert.strictEqual(yield* submit("a"), "a!")
      assert.strictEqual(yield* submit("b"), "b!")
      assert.deepStrictEqual(steps, [["a"], ["b"]])
    })
  )

  it.scopedLive("those that come while a step runs share the next one, in their order", () =>
    Effect.gen(function* () {
      const held = yield* Deferred.make<void>()
      const { commit, steps } = recording((inputs) =>
        inputs.includes("first") ? Effect.zipRight(Deferred.await(held), done(inputs)) : done(inputs)
      )
      const submit = yield* GroupCommit.make({ ...defaults, commit })
      const first = yield* Effect.fork(submit("first"))
      yield* turns
      const others = yield* Effect.fork(Effect.forEach(["a", "b", "c"], submit, { concurrency: "unbounded" }))
      yield* turns
      assert.deepStrictEqual(steps, [["first"]])
      yield* Deferred.succeed(held, undefined)
      assert.deepStrictEqual(yield* Fiber.join(others), ["a!", "b!", "c!"])
      assert.strictEqual(yield* Fiber.join(first), "first!")
      assert.deepStrictEqual(steps, [["first"], ["a", "b", "c"]])
    })
  )

  it.scopedLive("no step is larger or heavier than allowed, except for one that is heavier by itself", () =>
    Effect.gen(function* () {
      const { commit, steps } = recording(done)
      const submit = yield* GroupCommit.make({ ...defaults, commit, maxSize: 3, maxWeight: 10 })
      const inputs = ["1", "2", "3", "4", "x".repeat(50), "aaaaa", "bbbbb", "ccccc"]
      const outcomes = yield* Effect.forEach(inputs, submit, { concurrency: "unbounded" })
      assert.deepStrictEqual(
        outcomes,
        inputs.map((input) => `${input}!`)
      )
      assert.deepStrictEqual(steps, [["1", "2", "3"], ["4"], ["x".repeat(50)], ["aaaaa", "bbbbb"], ["ccccc"]])
    })
  )

  it.scopedLive("one that is to blame fails alone", () =>
    Effect.gen(function* () {
      const { commit, steps } = recording((inputs) => (inputs.includes("bad") ? Effect.fail("poison") : done(inputs)))
      const submit = yield* GroupCommit.make({ ...defaults, commit })
      const exits = yield* Effect.forEach(["a", "b", "bad", "c", "d"], (input) => Effect.exit(submit(input)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(exits, [
        Exit.succeed("a!"),
        Exit.succeed("b!"),
        Exit.fail("poison"),
        Exit.succeed("c!"),
        Exit.succeed("d!")
      ])
      assert.deepStrictEqual(steps, [["a", "b", "bad", "c", "d"], ["a", "b"], ["bad", "c", "d"], ["bad"], ["c", "d"]])
    })
  )

  it.scoped("one that is held up holds up the others once, and not again", () =>
    Effect.gen(function* () {
      const steps: Array<string> = []
      const submit = yield* GroupCommit.make({
        ...defaults,
        concurrency: 2,
        commit: (inputs, patience) =>
          Effect.suspend(() => {
            steps.push(`${inputs} ${patience}`)
            if (!inputs.includes("locked")) return done(inputs)
            return patience === "brief" ? Effect.fail("busy") : Effect.delay(Effect.fail("busy"), "4 seconds")
          })
      })
      const answers = yield* Effect.forEach(["locked", "a", "b", "c"], (input) => Effect.fork(submit(input)))
      yield* turns
      const [locked, ...free] = yield* Effect.forEach(answers, (fiber) => fiber.poll)
      assert.strictEqual(locked?._tag, "None")
      for (const answer of free) assert.strictEqual(answer._tag, "Some")
      assert.strictEqual(steps[0], "locked,a,b,c brief")
      assert.deepStrictEqual(steps.slice(1).sort(), ["a brief", "b brief", "c brief", "locked brief", "locked full"])
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(yield* Effect.forEach(answers, Fiber.await), [
        Exit.fail("busy"),
        Exit.succeed("a!"),
        Exit.succeed("b!"),
        Exit.succeed("c!")
      ])
    })
  )

  it.scoped("those that are held up wait apart from the line, and no more of them at once than commits may run", () =>
    Effect.gen(function* () {
      let waiting = 0
      let most = 0
      const submit = yield* GroupCommit.make({
        ...defaults,
        concurrency: 2,
        commit: (inputs, patience) => {
          if (inputs.every((input) => input !== "locked")) return done(inputs)
          if (patience === "brief") return Effect.fail("busy")
          most = Math.max(most, ++waiting)
          return Effect.delay(Effect.fail("busy"), "4 seconds").pipe(Effect.ensuring(Effect.sync(() => waiting--)))
        }
      })
      yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.fork(Effect.exit(submit("locked"))))
      yield* turns
      assert.strictEqual(yield* submit("a"), "a!")
      assert.strictEqual(most, 2)
    })
  )

  it.scopedLive("where nobody is to blame all fail, without another try", () =>
    Effect.gen(function* () {
      const { commit, steps } = recording(() => Effect.fail("outage"))
      const submit = yield* GroupCommit.make({ ...defaults, commit })
      const exits = yield* Effect.forEach(["a", "b", "c"], (input) => Effect.exit(submit(input)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(exits, [Exit.fail("outage"), Exit.fail("outage"), Exit.fail("outage")])
      assert.strictEqual(steps.length, 1)
    })
  )

  it.scoped("who waits behind a step that fails is in the next, within its deadline", () =>
    Effect.gen(function* () {
      const held = yield* Deferred.make<void>()
      const { commit, steps } = recording((inputs) =>
        inputs.includes("first") ? Effect.zipRight(Deferred.await(held), Effect.fail("outage")) : done(inputs)
      )
      const submit = yield* GroupCommit.make({ ...defaults, commit })
      const first = yield* Effect.fork(submit("first"))
      yield* turns
      const old = yield* Effect.fork(submit("old"))
      yield* TestClock.adjust("1 second")
      const young = yield* Effect.fork(submit("young"))
      yield* TestClock.adjust("3 seconds")
      assert.isTrue((yield* old.poll)._tag === "None")
      yield* Deferred.succeed(held, undefined)
      assert.deepStrictEqual(yield* Fiber.await(first), Exit.fail("outage"))
      yield* turns
      assert.deepStrictEqual(yield* Fiber.await(old), Exit.succeed("old!"))
      assert.deepStrictEqual(yield* Fiber.await(young), Exit.succeed("young!"))
      assert.deepStrictEqual(steps, [["first"], ["old", "young"]])
    })
  )

  for (const [kind, hang] of [
    ["", Effect.never],
    [", also one that does not heed it", Effect.uninterruptible(Effect.never)]
  ] as const) {
    it.scoped(`a step that hangs is interrupted, and the next goes on${kind}`, () =>
      Effect.gen(function* () {
        const { commit, steps } = recording((inputs) => (inputs.includes("first") ? hang : done(inputs)))
        const submit = yield* GroupCommit.make({ ...defaults, commit })
        const first = yield* Effect.fork(submit("first"))
        yield* turns
        yield* TestClock.adjust("1 second")
        const second = yield* Effect.fork(submit("second"))
        yield* TestClock.adjust("3 seconds")
        const third = yield* Effect.fork(submit("third"))
        assert.isTrue((yield* first.poll)._tag === "None")
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.await(first), Exit.fail("late"))
        assert.deepStrictEqual(yield* Fiber.await(second), Exit.succeed("second!"))
        assert.deepStrictEqual(yield* Fiber.await(third), Exit.succeed("third!"))
        assert.deepStrictEqual(steps, [["first"], ["second", "third"]])
      })
    )
  }

  it.scoped("whose deadline passes in line is taken out of it", () =>
    Effect.gen(function* () {
      const { commit, steps } = recording((inputs) =>
        inputs[0]?.startsWith("slow") ? Effect.zipRight(Effect.sleep("4 seconds"), done(inputs)) : done(inputs)
      )
      const submit = yield* GroupCommit.make({ ...defaults, maxSize: 1, commit })
      const fibers: Array<Fiber.RuntimeFiber<string, string>> = []
      for (const input of ["slow", "slow 2", "late", "late 2"]) fibers.push(yield* Effect.fork(submit(input)))
      yield* TestClock.adjust("5 seconds")
      const next = yield* Effect.fork(submit("next"))
      yield* TestClock.adjust("3 seconds")
      yield* turns
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      assert.deepStrictEqual(exits, [Exit.succeed("slow!"), ...Array(3).fill(Exit.fail("late"))])
      assert.deepStrictEqual(yield* Fiber.await(next), Exit.succeed("next!"))
      // The second had begun when its time was over.
      assert.deepStrictEqual(steps, [["slow"], ["slow 2"], ["next"]])
    })
  )

  it.scoped("who is late is not tried again in halves", () =>
    Effect.gen(function* () {
      const { commit, steps } = recording(() => Effect.zipRight(Effect.sleep("3 seconds"), Effect.fail("poison")))
      const submit = yield* GroupCommit.make({ ...defaults, commit })
      const fibers = yield* Effect.forEach(["a", "b", "c", "d"], (input) => Effect.fork(submit(input)))
      yield* TestClock.adjust("1 minute")
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      assert.deepStrictEqual(exits, Array(4).fill(Exit.fail("late")))
      assert.deepStrictEqual(steps, [
        ["a", "b", "c", "d"],
        ["a", "b"]
      ])
    })
  )

  it.scopedLive("who finds too many waiting fails at once", () =>
    Effect.gen(function* () {
      const held = yield* Deferred.make<void>()
      const { commit } = recording((inputs) => Effect.zipRight(Deferred.await(held), done(inputs)))
      const submit = yield* GroupCommit.make({ ...defaults, maxWaiting: 2, commit })
      const first = yield* Effect.fork(submit("first"))
      yield* turns
      const waiting = yield* Effect.fork(Effect.forEach(["a", "b"], submit, { concurrency: "unbounded" }))
      yield* turns
      assert.deepStrictEqual(yield* Effect.exit(submit("c")), Exit.fail("full"))
      yield* Deferred.succeed(held, undefined)
      assert.strictEqual(yield* Fiber.join(first), "first!")
      assert.deepStrictEqual(yield* Fiber.join(waiting), ["a!", "b!"])
      assert.strictEqual(yield* submit("d"), "d!")
    })
  )

  it.scopedLive("a step that throws, dies or forgets an outcome ends nothing else", () =>
    Effect.gen(function* () {
      const submit = yield* GroupCommit.make({
        ...defaults,
        commit: ([input]) => {
          if (input === "throws") throw new Error("thrown")
          if (input === "dies") return Effect.die("dead")
          return input === "forgets" ? Effect.succeed([]) : done([input])
        }
      })
      for (const input of ["throws", "dies", "forgets"]) {
        const exit = yield* Effect.exit(submit(input))
        assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause), input)
      }
      assert.strictEqual(yield* submit("next"), "next!")
    })
  )

  it.scopedLive("who stops waiting is left out, if there is time", () =>
    Effect.gen(function* () {
      const held = yield* Deferred.make<void>()
      const { commit, steps } = recording((inputs) =>
        inputs.includes("first") ? Effect.zipRight(Deferred.await(held), done(inputs)) : done(inputs)
      )
      const submit = yield* GroupCommit.make({ ...defaults, commit })
      yield* Effect.fork(submit("first"))
      yield* turns
      const leaving = yield* Effect.fork(submit("leaving"))
      const staying = yield* Effect.fork(submit("staying"))
      yield* turns
      yield* Fiber.interrupt(leaving)
      yield* Deferred.succeed(held, undefined)
      assert.strictEqual(yield* Fiber.join(staying), "staying!")
      assert.deepStrictEqual(steps, [["first"], ["staying"]])
    })
  )

  it.scoped("when the only one stops waiting, nothing runs until the next comes", () =>
    Effect.gen(function* () {
      let ran = 0
      const counting: Scheduler.Scheduler = {
        shouldYield: Scheduler.defaultScheduler.shouldYield,
        scheduleTask: (task, priority) => {
          ran++
          Scheduler.defaultScheduler.scheduleTask(task, priority)
        }
      }
      const make = GroupCommit.make({ ...defaults, commit: () => Effect.never })
      const submit = yield* Effect.withScheduler(make, counting)
      const leaving = yield* Effect.fork(submit("leaving"))
      yield* turns
      yield* Fiber.interrupt(leaving)
      const before = ran
      yield* TestClock.adjust("5 seconds")
      yield* turns
      // Who looks after the deadlines wakes once.
      assert.isBelow(ran - before, 10)
    })
  )

  it.live("the end of the scope leaves nobody waiting", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const submit = yield* Scope.extend(GroupCommit.make({ ...defaults, commit: () => Effect.never }), scope)
      const running = yield* Effect.fork(submit("running"))
      yield* turns
      const queued = yield* Effect.fork(submit("queued"))
      yield* turns
      yield* Scope.close(scope, Exit.void)
      const late = yield* Effect.fork(submit("late"))
      for (const fiber of [running, queued, late]) {
        const exit = yield* Fiber.await(fiber)
        assert.isTrue(Exit.isFailure(exit) && Cause.isInterrupted(exit.cause))
      }
    })
  )

  it.scopedLive("as many steps run at once as may", () =>
    Effect.gen(function* () {
      const held = yield* Deferred.make<void>()
      const { commit, steps } = recording((inputs) => Effect.zipRight(Deferred.await(held), done(inputs)))
      const submit = yield* GroupCommit.make({ ...defaults, commit, concurrency: 2 })
      const fibers: Array<Fiber.RuntimeFiber<string, string>> = []
      for (const input of ["a", "b", "c"]) {
        fibers.push(yield* Effect.fork(submit(input)))
        yield* turns
      }
      assert.deepStrictEqual(steps, [["a"], ["b"]])
      yield* Deferred.succeed(held, undefined)
      assert.deepStrictEqual(yield* Fiber.join(Fiber.all(fibers)), ["a!", "b!", "c!"])
    })
  )
})

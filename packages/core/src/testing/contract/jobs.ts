import { randomUUID } from "node:crypto"
import { expect } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { BillingStore } from "../../store/BillingStore.ts"
import { makeOperations } from "../../useCases/operations.ts"
import type { ContractSuite } from "../ContractSuite.ts"

const lease = Duration.minutes(1)

/** What one process at a time does. */
export const jobs = ({ it }: ContractSuite): void => {
  it.effect("is nobody's until it is claimed, and then one owner's", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const name = randomUUID()
      expect(yield* store.job(name)).toEqual(Option.none())
      const claimed = Option.getOrThrow(yield* store.claimJob({ name, owner: "a", lease }))
      expect(claimed).toMatchObject({ name, position: null, finishedAt: null, report: null })
      expect(yield* store.job(name)).toEqual(Option.some(claimed))
      expect(yield* store.claimJob({ name, owner: "b", lease })).toEqual(Option.none())
      expect(yield* store.continueJob(name, "b", "mine", lease)).toBe(false)
      expect(yield* store.releaseJob(name, "b", null)).toBe(false)
      expect(yield* store.finishJob(name, "b", "done")).toBe(false)
      expect(yield* store.job(name)).toEqual(Option.some(claimed))
      // Another name is another job.
      expect(Option.isSome(yield* store.claimJob({ name: randomUUID(), owner: "b", lease }))).toBe(true)
    })
  )

  it.effect("goes on where it was left, by whoever takes it after", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const name = randomUUID()
      const { startedAt } = Option.getOrThrow(yield* store.claimJob({ name, owner: "a", lease }))
      expect(yield* store.continueJob(name, "a", '{"page":2}', lease)).toBe(true)
      expect(yield* store.releaseJob(name, "a", '{"page":3}')).toBe(true)
      expect(yield* store.continueJob(name, "a", '{"page":4}', lease)).toBe(false)
      yield* TestClock.adjust("5 seconds")
      const taken = Option.getOrThrow(yield* store.claimJob({ name, owner: "b", lease }))
      expect(taken).toMatchObject({ position: '{"page":3}', startedAt })
    })
  )

  it.effect("is taken over when its lease has run out, and is lost to the one before", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const name = randomUUID()
      yield* store.claimJob({ name, owner: "a", lease })
      yield* store.continueJob(name, "a", "here", lease)
      yield* TestClock.adjust("50 seconds")
      expect(yield* store.claimJob({ name, owner: "b", lease })).toEqual(Option.none())
      expect(yield* store.continueJob(name, "a", "there", lease)).toBe(true)
      yield* TestClock.adjust("50 seconds")
      expect(yield* store.claimJob({ name, owner: "b", lease })).toEqual(Option.none())
      yield* TestClock.adjust("10 seconds")
      expect(Option.getOrThrow(yield* store.claimJob({ name, owner: "b", lease })).position).toBe("there")
      expect(yield* store.continueJob(name, "a", "elsewhere", lease)).toBe(false)
      expect(yield* store.finishJob(name, "a", "done")).toBe(false)
      expect(Option.getOrThrow(yield* store.job(name)).position).toBe("there")
    })
  )

  it.effect("is done with a report, and begins anew the next time", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const name = randomUUID()
      const report = JSON.stringify({ text: "ünï ✓ 'quoted' \\ ".repeat(10_000) })
      yield* store.claimJob({ name, owner: "a", lease })
      yield* store.continueJob(name, "a", "half", lease)
      yield* TestClock.adjust("7 seconds")
      expect(yield* store.finishJob(name, "a", report)).toBe(true)
      const done = Option.getOrThrow(yield* store.job(name))
      expect(done).toMatchObject({ leaseUntil: null, position: null, report })
      expect(done.finishedAt?.getTime()).toBe(done.startedAt.getTime() + 7000)
      yield* TestClock.adjust("3 seconds")
      const next = Option.getOrThrow(yield* store.claimJob({ name, owner: "b", lease }))
      expect(next).toMatchObject({ position: null, finishedAt: done.finishedAt, report })
      expect(next.startedAt.getTime()).toBe(done.startedAt.getTime() + 10_000)
    })
  )

  it.effect("those that are under way are listed first, and of each the last that moved first", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const run = randomUUID().slice(0, 8)
      const named = (name: string) => `${run} ${name}`
      const begin = (name: string) =>
        Effect.zipRight(TestClock.adjust("1 second"), store.claimJob({ name: named(name), owner: "a", lease }))
      yield* begin("left")
      yield* store.releaseJob(named("left"), "a", "half")
      yield* begin("running")
      yield* begin("done")
      yield* store.finishJob(named("done"), "a", "{}")
      yield* begin("done later")
      yield* store.finishJob(named("done later"), "a", "{}")
      const jobs = (yield* store.latestJobs(1000)).filter(({ name }) => name.startsWith(run))
      expect(jobs.map(({ name }) => name)).toEqual(["running", "left", "done later", "done"].map(named))
      expect(jobs.map(({ owner }) => owner)).toEqual(["a", null, null, null])
      const [running, left] = jobs
      expect(running?.updatedAt.getTime()).toBe((left?.updatedAt.getTime() ?? 0) + 1000)
      expect(left).toEqual({ ...Option.getOrThrow(yield* store.job(named("left"))), isHeld: false })
      expect(running?.isHeld).toBe(true)
      expect(yield* store.latestJobs(1)).toHaveLength(1)
      // Others of the suite find it done.
      yield* store.finishJob(named("running"), "a", "{}")
      yield* store.claimJob({ name: named("left"), owner: "a", lease })
      yield* store.finishJob(named("left"), "a", "{}")
    })
  )

  it.effect("an operator sees what runs, what was left, what died and how it ended", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const run = randomUUID().slice(0, 8)
      const { jobs: seenBy } = makeOperations({ store, findings: Effect.succeed([]) })
      const seen = Effect.map(seenBy(1000), (all) =>
        Object.fromEntries(all.flatMap((job) => (job.name.startsWith(run) ? [[job.name.slice(9), job]] : [])))
      )
      for (const name of ["done", "failed", "left", "runs"]) {
        yield* store.claimJob({ name: `${run} ${name}`, owner: "a", lease })
      }
      yield* store.finishJob(`${run} done`, "a", "{}")
      yield* store.releaseJob(`${run} failed`, "a", null)
      yield* store.releaseJob(`${run} left`, "a", "half")
      expect(yield* seen).toMatchObject({
        done: { state: "done", owner: null, leaseUntil: null, finishedAt: expect.any(Date), progress: null },
        failed: { state: "failed", owner: null, finishedAt: null },
        left: { state: "waiting", owner: null },
        runs: { state: "running", owner: "a", leaseUntil: expect.any(Date) }
      })
      yield* TestClock.adjust("61 seconds")
      expect((yield* seen)["runs"]).toMatchObject({ state: "lapsed", owner: "a" })
      for (const name of ["left", "runs"]) {
        yield* store.claimJob({ name: `${run} ${name}`, owner: "b", lease })
        yield* store.finishJob(`${run} ${name}`, "b", "{}")
      }
      expect(yield* seen).toMatchObject({ left: { state: "done" }, runs: { state: "done" } })
    })
  )

  it.effect("of twenty who want it at once, one gets it", () =>
    Effect.gen(function* () {
      const store = yield* BillingStore
      const name = randomUUID()
      const claims = yield* Effect.forEach(
        Arr.range(1, 20),
        (owner) => store.claimJob({ name, owner: `owner ${owner}`, lease }),
        { concurrency: "unbounded" }
      )
      expect(Arr.getSomes(claims)).toHaveLength(1)
    })
  )
}

import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as WaitingLine from "../src/runtime/waitingLine.ts"

/** A line whose work ends when the test says so. */
const watched = (concurrency: number) =>
  Effect.map(Effect.clock, (clock) => {
    const begun: Array<string> = []
    const dismissed: Array<string> = []
    const late = new Set<string>()
    const ends = new Map<string, Effect.Effect<void>>()
    const line = WaitingLine.make<string>({
      clock,
      concurrency,
      start: (item, ended) => {
        begun.push(item)
        ends.set(item, ended)
      },
      isTimely: (item) => !late.has(item),
      dismiss: (item) => Effect.sync(() => void dismissed.push(item))
    })
    const end = (item: string) => ends.get(item) ?? Effect.die(`${item} has not begun`)
    return { line, begun, dismissed, late, end }
  })

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}`)

describe("a waiting line", () => {
  it.effect("begins as many as may run, and the next in turn as each ends", () =>
    Effect.gen(function* () {
      const { begun, end, line } = yield* watched(2)
      yield* line.add(["a", "b", "c", "d"])
      assert.deepStrictEqual(begun, ["a", "b"])
      yield* end("b")
      assert.deepStrictEqual(begun, ["a", "b", "c"])
      yield* line.add(["e"])
      yield* end("a")
      yield* end("c")
      assert.deepStrictEqual(begun, ["a", "b", "c", "d", "e"])
    })
  )

  it.effect("takes on as many as run and as many again, until it is known how long one takes", () =>
    Effect.gen(function* () {
      const { line } = yield* watched(4)
      assert.strictEqual(line.room(), 8)
      yield* line.add(names("a", 5))
      assert.strictEqual(line.room(), 3)
      yield* line.add(names("b", 9))
      assert.strictEqual(line.room(), 0)
    })
  )

  it.effect("takes on much more where work is quick, and hardly more than can begin where it is slow", () =>
    Effect.gen(function* () {
      const { end, line } = yield* watched(4)
      for (const name of names("quick", 100)) {
        yield* line.add([name])
        yield* end(name)
      }
      assert.strictEqual(line.room(), 4 * 17)
      for (const name of names("slow", 100)) {
        yield* line.add([name])
        yield* TestClock.adjust("10 seconds")
        yield* end(name)
      }
      assert.strictEqual(line.room(), 4)
    })
  )

  it.effect("who has waited for too long is sent away, which says nothing of how long one takes", () =>
    Effect.gen(function* () {
      const { begun, dismissed, end, late, line } = yield* watched(1)
      for (const name of names("slow", 50)) {
        yield* line.add([name])
        yield* TestClock.adjust("10 seconds")
        yield* end(name)
      }
      const room = line.room()
      yield* line.add(["a", ...names("late", 50), "b"])
      for (const name of names("late", 50)) late.add(name)
      yield* TestClock.adjust("10 seconds")
      yield* end("a")
      assert.deepStrictEqual(dismissed, names("late", 50))
      assert.strictEqual(begun.at(-1), "b")
      yield* TestClock.adjust("10 seconds")
      yield* end("b")
      assert.strictEqual(line.room(), room)
    })
  )

  it.effect("who still waits can be forgotten", () =>
    Effect.gen(function* () {
      const { begun, end, line } = yield* watched(1)
      yield* line.add(["a", "b"])
      line.clear()
      yield* end("a")
      assert.deepStrictEqual(begun, ["a"])
    })
  )
})

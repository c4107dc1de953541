import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import { makeKept } from "../src/runtime/kept.ts"
import { makeUserCache } from "../src/runtime/userCache.ts"

const counting = () => {
  const reads: Array<string> = []
  const read = (userId: string) => Effect.sync(() => reads.push(userId))
  return { reads, read }
}

it.effect("reads each user once until the age is over", () =>
  Effect.gen(function* () {
    const { read, reads } = counting()
    const cache = makeUserCache(read, { maxAgeMillis: 1000, most: 10 })
    assert.deepStrictEqual(yield* Effect.forEach(["a", "a", "b", "a"], cache.get), [1, 1, 2, 1])
    yield* TestClock.adjust(999)
    assert.strictEqual(yield* cache.get("a"), 1)
    yield* TestClock.adjust(1)
    assert.strictEqual(yield* cache.get("a"), 3)
    assert.deepStrictEqual(reads, ["a", "b", "a"])
  })
)

it.effect("keeps nothing for longer because the clock was set back", () =>
  Effect.gen(function* () {
    yield* TestClock.adjust("1 day")
    const cache = makeUserCache(counting().read, { maxAgeMillis: 1000, most: 10 })
    const refusals = makeKept<string>(1000, 10)
    assert.strictEqual(yield* cache.get("a"), 1)
    yield* refusals.put("a", "no")
    assert.strictEqual(yield* refusals.get("a"), "no")
    yield* TestClock.setTime(0)
    assert.strictEqual(yield* cache.get("a"), 2)
    assert.strictEqual(yield* refusals.get("a"), undefined)
  })
)

it.effect("forgets whom it is told to, or everybody", () =>
  Effect.gen(function* () {
    const cache = makeUserCache(counting().read, { maxAgeMillis: 1000, most: 10 })
    yield* Effect.forEach(["a", "b"], cache.get)
    cache.forget(new Set(["a"]))
    assert.deepStrictEqual(yield* Effect.forEach(["a", "b"], cache.get), [3, 2])
    cache.forget("everybody")
    assert.deepStrictEqual(yield* Effect.forEach(["a", "b"], cache.get), [4, 5])
  })
)

it.effect("keeps no more than it may: whoever was read longest ago makes way", () =>
  Effect.gen(function* () {
    const { read, reads } = counting()
    const cache = makeUserCache(read, { maxAgeMillis: 1000, most: 2 })
    yield* Effect.forEach(["a", "b", "c", "b", "c", "a"], cache.get)
    assert.deepStrictEqual(reads, ["a", "b", "c", "a"])
  })
)

it.effect("does not keep what was being read while something was stored", () =>
  Effect.gen(function* () {
    const isStored = yield* Deferred.make<string>()
    let answer: Effect.Effect<string> = Deferred.await(isStored)
    const cache = makeUserCache(() => Effect.suspend(() => answer), { maxAgeMillis: 1000, most: 10 })
    const reading = yield* Effect.fork(cache.get("a"))
    yield* Effect.yieldNow()
    cache.forget(new Set(["a"]))
    yield* Deferred.succeed(isStored, "before")
    assert.strictEqual(yield* Fiber.join(reading), "before")
    answer = Effect.succeed("after")
    assert.strictEqual(yield* cache.get("a"), "after")
  })
)

it.effect("keeps no failure", () =>
  Effect.gen(function* () {
    let answer: Effect.Effect<string, string> = Effect.fail("away")
    const cache = makeUserCache(() => Effect.suspend(() => answer), { maxAgeMillis: 1000, most: 10 })
    assert.strictEqual(yield* Effect.flip(cache.get("a")), "away")
    answer = Effect.succeed("there")
    assert.strictEqual(yield* cache.get("a"), "there")
  })
)

import { assert, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as RequestLimit from "../src/polar/requestLimit.ts"

it.effect("buyers leave a fifth of the limit to others, in any minute", () =>
  Effect.gen(function* () {
    const limit = yield* RequestLimit.make(10)
    const start = (who: "buyer" | "other") => Effect.merge(Effect.as(limit.take(0, who), "started"))
    for (let count = 0; count < 8; count++) assert.strictEqual(yield* start("buyer"), "started")
    assert.strictEqual(yield* start("buyer"), 60_000)
    assert.strictEqual(yield* start("other"), "started")
    assert.strictEqual(yield* start("other"), "started")
    assert.strictEqual(yield* start("other"), 60_000)
    yield* TestClock.adjust("1 minute")
    for (let count = 0; count < 10; count++) assert.strictEqual(yield* start("other"), "started")
    assert.strictEqual(yield* start("buyer"), 60_000)
  })
)

it.effect("a limit of one lets a buyer in", () =>
  Effect.gen(function* () {
    const limit = yield* RequestLimit.make(1)
    yield* limit.take(0, "buyer")
    assert.strictEqual(yield* Effect.flip(limit.take(0, "other")), 60_000)
  })
)

it.effect("looks for who was refused use a fifth of the limit, in any minute", () =>
  Effect.gen(function* () {
    const limit = yield* RequestLimit.make(10)
    yield* limit.take(0, "refresh")
    yield* limit.take(0, "refresh")
    assert.strictEqual(yield* Effect.flip(limit.take(0, "refresh")), 60_000)
    for (let count = 0; count < 8; count++) yield* limit.take(0, "buyer")
    yield* TestClock.adjust("1 minute")
    yield* limit.take(0, "refresh")
  })
)

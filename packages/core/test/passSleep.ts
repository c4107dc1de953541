/** Time that passes where a test waits for real sockets. */
import { assert } from "@effect/vitest"
import { Chunk, Effect, TestClock, TestServices } from "effect"

/** Waits until something sleeps until a time within the range, in milliseconds from now, and lets that time come. */
export const passSleep = (from: number, to: number) =>
  Effect.gen(function* () {
    const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    const inRange = (wake: number) => wake >= now + from && wake <= now + to
    for (let patience = 600; patience > 0; patience--) {
      const wakes = Chunk.filter(yield* TestClock.sleeps(), inRange)
      if (Chunk.isNonEmpty(wakes)) return yield* TestClock.setTime(Math.max(...wakes))
      yield* TestServices.provideLive(Effect.sleep("5 millis"))
    }
    assert.fail(`nothing sleeps for ${from} to ${to} ms; only until ${[...(yield* TestClock.sleeps())]}, now ${now}`)
  })

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, LogLevel, Scope, TestClock } from "effect"
import { makeRefusalLog } from "../src/routes/refusalLog.ts"
import { makeStrangers } from "../src/routes/strangers.ts"

describe("the log of refusals", () => {
  const logged = <A>(use: (lines: ReadonlyArray<string>) => Effect.Effect<A>): Effect.Effect<A> => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => lines.push(`${logLevel.label} ${String(message)}`))
    return Effect.provide(use(lines), Logger.replace(Logger.defaultLogger, logger))
  }
  const forged = { kind: "SignatureMismatch", entry: "SignatureMismatch: no", level: LogLevel.Warning }
  const old = { kind: "DeliveryTooOld", entry: "DeliveryTooOld: old", level: LogLevel.Warning }

  it.effect("has one line a minute for each kind, which says how many it stands for", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const log = yield* Scope.extend(makeRefusalLog, scope)
        for (let times = 0; times < 1000; times++) yield* log(forged)
        yield* log(old)
        assert.deepStrictEqual(lines, ["WARN SignatureMismatch: no", "WARN DeliveryTooOld: old"])
        yield* TestClock.adjust("60 seconds")
        yield* log(forged)
        assert.strictEqual(lines[2], "WARN SignatureMismatch: no (1000 of this kind since the last such line)")
        yield* log(forged)
        yield* log(forged)
        assert.lengthOf(lines, 3)
        // What was not said is said at the end.
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(lines.slice(3), ["WARN SignatureMismatch: no (2 of this kind since the last such line)"])
      })
    )
  )
})

describe("strangers", () => {
  /** How many of so many refusals at once are answered by now. */
  const answered = (fibers: ReadonlyArray<Fiber.RuntimeFiber<void>>) =>
    Effect.map(Effect.forEach(fibers, Fiber.poll), (polled) => polled.filter(({ _tag }) => _tag === "Some").length)

  it.effect("few are answered at once, and of a flood so many as a share of the time allows", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 hour")
      const strangers = makeStrangers()
      const few = yield* Effect.forEach(Array.from({ length: 200 }), () => Effect.fork(strangers.wait(5000)))
      yield* Effect.yieldNow()
      assert.strictEqual(yield* answered(few), 200)
      yield* TestClock.adjust("1 minute")

      const flood = yield* Effect.forEach(Array.from({ length: 200 }), () => Effect.fork(strangers.wait(1024 * 1024)))
      yield* Effect.yieldNow()
      const atOnce = yield* answered(flood)
      // A megabyte is hashed twice, which is some three milliseconds of a thread; the first fifty are few, the rest are a flood.
      assert.isAtLeast(atOnce, 45)
      assert.isAtMost(atOnce, 60)
      const next = yield* Effect.fork(strangers.wait(0))
      yield* Effect.yieldNow()
      assert.strictEqual(yield* answered([next]), 0)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* answered([...flood, next]), 201)
      // After a quiet time it is as before.
      yield* TestClock.adjust("1 minute")
      const later = yield* Effect.fork(strangers.wait(0))
      yield* Effect.yieldNow()
      assert.strictEqual(yield* answered([later]), 1)
    })
  )

  it.effect("no more wait than a process can hold connections of", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 hour")
      const strangers = makeStrangers()
      const flood = yield* Effect.forEach(Array.from({ length: 3000 }), () => Effect.fork(strangers.wait(1024 * 1024)))
      yield* Effect.yieldNow()
      assert.isAtLeast(yield* answered(flood), 3000 - 1024)
      yield* Fiber.interruptAll(flood)
    })
  )
})

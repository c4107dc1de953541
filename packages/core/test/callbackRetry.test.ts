import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, Duration, Option } from "effect"
import { defaultRetry, delayAfter } from "../src/rules/callbackRetry.ts"

const seconds = (attempt: number, random: number) =>
  Option.getOrNull(Option.map(delayAfter(defaultRetry, attempt, random), Duration.toSeconds))

describe("when a callback is called again", () => {
  it("the pauses double, up to an hour, and the twelfth failure is the last", () => {
    const pauses = Arr.makeBy(12, (index) => seconds(index + 1, 1))
    assert.deepStrictEqual(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, null])
  })

  it("a random half of each is left out", () => {
    assert.strictEqual(seconds(3, 0), 10)
    assert.strictEqual(seconds(3, 0.5), 15)
  })

  it("all pauses together take about five hours at the most", () => {
    const total = Arr.makeBy(11, (index) => seconds(index + 1, 1) ?? 0).reduce((sum, pause) => sum + pause, 0)
    assert.isBelow(total, 5 * 3600)
  })

  it("however many attempts are allowed", () => {
    const patient = { maxAttempts: Number.POSITIVE_INFINITY, firstDelay: Duration.millis(1) }
    assert.deepStrictEqual(delayAfter(patient, 10_000, 1), Option.some(Duration.hours(1)))
  })
})

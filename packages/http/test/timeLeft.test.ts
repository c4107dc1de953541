import { expect, test } from "vitest"
import { makeTimeLeft } from "../src/cli/timeLeft.ts"

test("the rest is judged by what is done, once there is something to judge by", () => {
  let now = 5000
  const timeLeft = makeTimeLeft(() => now)
  now += 1999
  expect(timeLeft(10, 100)).toBe("")
  now += 1
  expect(timeLeft(10, 100)).toBe(", about 18 seconds left")
  expect(timeLeft(2, 3)).toBe(", about 1 second left")
  expect(timeLeft(1, 1000)).toBe(", about 33 minutes left")
  expect(timeLeft(1, 10_000)).toBe(", about 6 hours left")
  // More came than there was, or nobody knows how much there is.
  expect(timeLeft(101, 100)).toBe("")
  expect(timeLeft(10, undefined)).toBe("")
  expect(timeLeft(0, 100)).toBe("")
})

/** How long a step of the database's waits for others. */
import { retryConflicts } from "@kavach-polar/core/adapter"
import { afterEach, describe, expect, test, vi } from "vitest"

afterEach(() => {
  vi.useRealTimers()
})

describe("a step that waits for a row that others hold", () => {
  const waits = async (isShared: boolean) => {
    vi.useFakeTimers()
    let tried = 0
    const held = async () => {
      tried += 1
      await new Promise((resolve) => setTimeout(resolve, 2000))
      throw new Error("held")
    }
    const from = performance.now()
    const failed = retryConflicts(held, () => true, 4000, { isShared }).catch(() => performance.now() - from)
    await vi.advanceTimersByTimeAsync(10_000)
    return { tried, millis: await failed }
  }

  test("alone is run again until its deadline", async () => {
    expect((await waits(false)).tried).toBe(2)
  })

  test("shared gives up after one wait, so that its members have time left", async () => {
    const { millis, tried } = await waits(true)
    expect(tried).toBe(1)
    expect(millis).toBeLessThan(2500)
  })
})

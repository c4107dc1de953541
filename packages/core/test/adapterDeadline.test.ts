/** How long a step of the database's waits for others. */
import { retryConflicts } from "@kavach-polar/core/adapter"
import { afterEach, describe, expect, test, vi } from "vitest"

afterEach(() => {
  vi.useRealTimers()
})

describe("a step that waits for a row that others hold", () => {
  const waits = async (patience: "brief" | "full") => {
    vi.useFakeTimers()
    let tried = 0
    const held = async () => {
      tried += 1
      await new Promise((resolve) => setTimeout(resolve, 2000))
      throw new Error("held")
    }
    const from = performance.now()
    const failed = retryConflicts(held, { isConflict: () => true, isLockWait: () => true }, 4000, { patience }).catch(
      () => performance.now() - from
    )
    await vi.advanceTimersByTimeAsync(10_000)
    return { tried, millis: await failed }
  }

  test("with full patience is run again until its deadline", async () => {
    expect((await waits("full")).tried).toBe(2)
  })

  test("with brief patience gives up after one wait, so that who shares it has time left", async () => {
    const { millis, tried } = await waits("brief")
    expect(tried).toBe(1)
    expect(millis).toBeLessThan(2500)
  })
})

import { describe, expect, test } from "vitest"
import { preparing, StatementsLost } from "../src/lostStatements.ts"
import { explain, isConflict } from "../src/PostgresProblem.ts"

const errorOf = (code: string) => Object.assign(new Error(`prepared statement "x" of ${code}`), { code })

describe("prepared statements that a pooler lost", () => {
  test.each(["26000", "42P05"])("%s is no fault of the tables, and says what to change", (code) => {
    const explained = explain(errorOf(code))
    expect(explained.reason).toBe("unavailable")
    expect(explained.detail).toMatch(new RegExp(`^${code}: .*\`prepare: false\``))
  })

  test.each(["26000", "42P05"])(
    "%s of a statement that was prepared: the transaction runs again, unprepared",
    (code) => {
      const statements = preparing(true)
      const error = statements.failed(errorOf(code))
      expect(error).toBeInstanceOf(StatementsLost)
      expect(isConflict(error)).toBe(true)
      expect(statements.isOn()).toBe(false)
    }
  )

  test("any other error leaves it as it is", () => {
    const statements = preparing(true)
    const error = errorOf("42P01")
    expect(statements.failed(error)).toBe(error)
    expect(isConflict(error)).toBe(false)
    expect(statements.isOn()).toBe(true)
  })
})

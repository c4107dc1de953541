import { assert, describe, it } from "@effect/vitest"
import { isOutdated, superseded, type Untold } from "../src/rules/supersession.ts"

const untold = (id: string, eventAt: number, changes: Partial<Untold> = {}): Untold => ({
  id,
  eventAt,
  precedence: 0,
  hasFailed: false,
  isBeingTold: false,
  ...changes
})

describe("which changes make way for a newer one", () => {
  it("none, as long as the oldest has not failed", () => {
    assert.deepStrictEqual(superseded([]), [])
    assert.deepStrictEqual(superseded([untold("a", 1), untold("b", 2), untold("c", 3)]), [])
    assert.deepStrictEqual(superseded([untold("a", 1), untold("b", 2, { hasFailed: true })]), [])
  })

  it("none, while somebody tells the oldest", () => {
    assert.deepStrictEqual(superseded([untold("a", 1, { hasFailed: true, isBeingTold: true }), untold("b", 2)]), [])
  })

  it("none, where there is nothing newer", () => {
    assert.deepStrictEqual(superseded([untold("a", 1, { hasFailed: true })]), [])
  })

  it("all but the newest, in whatever order they come", () => {
    const failed = untold("a", 1, { hasFailed: true })
    assert.deepStrictEqual(superseded([untold("c", 3), failed, untold("b", 2)]), ["a", "b"])
    assert.deepStrictEqual(superseded([untold("b", 1, { precedence: 1 }), failed]), ["a"])
  })
})

it("a change that was given up is told no more once there is a newer one", () => {
  const given = untold("b", 2)
  assert.isFalse(isOutdated(given, []))
  assert.isFalse(isOutdated(given, [given, untold("a", 1)]))
  assert.isTrue(isOutdated(given, [given, untold("c", 2, { precedence: 1 })]))
})

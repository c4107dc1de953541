import { assert, test } from "@effect/vitest"
import { makeBoundedSet } from "../src/runtime/boundedSet.ts"

test("knows as many as it may, and no more whatever comes", () => {
  const set = makeBoundedSet<number>(3)
  for (let item = 0; item < 1000; item++) set.add(item % 500)
  assert.deepStrictEqual(
    [0, 1, 2, 3, 499].map((item) => set.has(item)),
    [true, true, true, false, false]
  )
})

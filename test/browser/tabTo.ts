/** Somebody who uses no mouse. */
import { assert } from "vitest"
import type { Visited } from "./person.ts"

const nameOfFocused = `(() => {
  const focused = document.activeElement
  return (focused.getAttribute("aria-label") ?? focused.labels?.[0]?.innerText ?? focused.innerText ?? "").trim()
})()`

/** Presses Tab until something of this name has the focus, and sees that the focus can be seen. */
export const tabTo = async ({ page }: Visited, name: string | RegExp): Promise<void> => {
  for (let presses = 0; presses < 45; presses++) {
    await page.keyboard.press("Tab")
    const label = String(await page.evaluate(nameOfFocused))
    if (typeof name === "string" ? label !== name : !name.test(label)) continue
    const outline = await page.evaluate("getComputedStyle(document.activeElement).outline")
    assert.match(String(outline), /\b3px\b/, `the focus ring of "${name}"`)
    assert.match(String(outline), /\bsolid\b/)
    return
  }
  assert.fail(`"${name}" cannot be reached with the Tab key`)
}

/** What of a page does not fit into its window. */
import type { Page } from "playwright-core"

/**
 * Each part that reaches over an edge of the window, or holds more than it shows without being meant to scroll; and tables that are
 * no cards where the window is as narrow as a phone's. A sentence each; none where all is well.
 */
export const cutAtEdge = (page: Page): Promise<ReadonlyArray<string>> => page.evaluate(look)

const look = `(() => {
  const problems = []
  const named = (part) => part.outerHTML.slice(0, 120)
  const over = document.documentElement.scrollWidth - document.documentElement.clientWidth
  if (over > 0) problems.push("the document is " + over + " pixels too wide")
  for (const part of document.body.querySelectorAll("*")) {
    const { position, overflowX, display } = getComputedStyle(part)
    const box = part.getBoundingClientRect()
    // Such as what only a screen reader reads, and the link that is there when it has the focus.
    if (position === "absolute" || part.closest("thead, svg") !== null || box.width === 0) continue
    if (box.right > innerWidth + 0.5) problems.push("reaches over the edge: " + named(part))
    const isField = part.matches("input, select, textarea")
    if (!isField && overflowX !== "visible" && part.scrollWidth > part.clientWidth + 1)
      problems.push("is cut: " + named(part))
    if (innerWidth <= 390 && part.matches("tbody > tr") && display === "table-row")
      problems.push("is no card: " + named(part))
  }
  return problems
})()`

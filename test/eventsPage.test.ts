/** The page of Polar's events says of each type, and of each view, what the code does. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { views } from "@kavach-polar/core/adapter"
import { assert, test } from "vitest"
import { polarEventTypes } from "../packages/core/src/records/eventTypes.ts"
import { kindOfEvent } from "../packages/core/src/records/kinds.ts"

const page = readFileSync(join(import.meta.dirname, "../docs/events.md"), "utf8")

/** The rows of the tables, as the code in their first two cells. */
const rows = [...page.matchAll(/^\| (`.*?) \| (`.*?) \|/gm)].map(([, first = "", second = ""]) => [
  (first.match(/[\w.]+/) ?? [""])[0],
  [...second.matchAll(/`([\w.]+)`/g)].map(([, name]) => name)
])

test("each type of event stands there once, with the kind that keeps it", () => {
  const said = rows.filter(([type]) => String(type).includes("."))
  const made = [...polarEventTypes].map((type) => [
    type,
    [kindOfEvent(type)?.name, ...(type === "customer.state_changed" ? ["customer_state"] : [])]
  ])
  assert.sameDeepMembers(said, made)
  assert.lengthOf(said, 42)
})

test("each kind stands there with its view", () => {
  assert.sameDeepMembers(
    rows.filter(([kind]) => !String(kind).includes(".")),
    views.map(({ kind, name }) => [kind, [name]])
  )
})

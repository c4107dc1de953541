/** The README's examples are the files in `test/examples`, which are type-checked. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, test } from "vitest"

const examples = readdirSync(join(import.meta.dirname, "examples")).map((file) =>
  readFileSync(join(import.meta.dirname, "examples", file), "utf8").trim()
)

const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8")

test("every example of the README is one that is type-checked", () => {
  const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => (match[1] ?? "").trim())
  assert.isAtLeast(blocks.length, examples.length)
  for (const block of blocks) assert.include(examples, block)
})

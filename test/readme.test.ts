/** The examples in the documentation are the files in `test/examples`, which are type-checked. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, test } from "vitest"

const examples = readdirSync(join(import.meta.dirname, "examples")).map((file) =>
  readFileSync(join(import.meta.dirname, "examples", file), "utf8").trim()
)

const blocksOf = (page: string): ReadonlyArray<string> => {
  const text = readFileSync(join(import.meta.dirname, "..", page), "utf8")
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => (match[1] ?? "").trim())
}

const pages = ["README.md", "docs/simulator.md", "docs/contributing.md"]

/** What begins with the name of a file is an outline of that file. */
const isOutline = (block: string): boolean => /^\/\/ packages\//.test(block)

test("every example of the documentation is one that is type-checked", () => {
  const blocks = pages.flatMap(blocksOf)
  assert.isAtLeast(blocks.length, examples.length)
  for (const block of blocks) if (!isOutline(block)) assert.include(examples, block)
})

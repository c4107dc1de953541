/** The examples in the documentation are the files in `test/examples`, which are type-checked. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, test } from "vitest"

const examples = readdirSync(join(import.meta.dirname, "examples")).map((file) =>
  readFileSync(join(import.meta.dirname, "examples", file), "utf8").trim()
)

const blocksOf = (page: string): ReadonlyArray<string> => {
  const text = readFileSync(join(import.meta.dirname, "..", page), "utf8")
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => (match[1] ?? "").trim())
}

const pages = [
  "README.md",
  ...readdirSync(join(import.meta.dirname, "../docs"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => `docs/${file}`)
]

/** What begins with the name of a file is an outline of that file. */
const isOutline = (block: string): boolean => /^\/\/ packages\//.test(block)

test("every example of the documentation is one that is type-checked", () => {
  const blocks = pages.flatMap(blocksOf)
  assert.isAtLeast(blocks.length, examples.length)
  for (const block of blocks) if (!isOutline(block)) assert.include(examples, block)
})

test("README is three screens, and has the tables' names", () => {
  const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8")
  assert.isAtMost(readme.trimEnd().split("\n").length, 150)
  for (const line of readme.split("\n")) assert.isAtMost(line.length, 132, line)
  assert.include(readme, "kavach_polar_")
})

test("every link of the documentation leads somewhere", () => {
  const root = join(import.meta.dirname, "..")
  for (const page of pages) {
    const text = readFileSync(join(root, page), "utf8").replaceAll(/```[\s\S]*?```/g, "")
    const links = [...text.matchAll(/\]\(([^)\s]+)\)|src="([^"]+)"/g)].map((match) => match[1] ?? match[2] ?? "")
    for (const link of links.filter((target) => !/^https?:/.test(target))) {
      const [path = "", anchor] = link.split("#")
      const file = path === "" ? page : join(dirname(page), path)
      assert.isTrue(existsSync(join(root, file)), `${page}: ${link}`)
      if (anchor !== undefined) assert.include(headingsOf(join(root, file)), anchor, `${page}: ${link}`)
    }
  }
})

/** What a heading is called in an address. */
const headingsOf = (file: string): ReadonlyArray<string> =>
  [...readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .trim()
      .replaceAll(/\s/g, "-")
  )

/** What a page loads for it. */
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { expect, test } from "vitest"

const bundled = async (entry: string) => {
  const { metafile, outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "../src", entry)],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: "browser",
    external: ["react"],
    metafile: true,
    write: false
  })
  const [file] = outputFiles
  expect(file).toBeDefined()
  return { bytes: gzipSync(file?.contents ?? "", { level: 9 }).length, inputs: Object.keys(metafile.inputs) }
}

test("the main entry is at most 3 KB, and nothing but its own", async () => {
  const { bytes, inputs } = await bundled("index.ts")
  expect(bytes).toBeGreaterThan(1000)
  expect(bytes).toBeLessThanOrEqual(3072)
  expect(inputs.filter((input) => !input.startsWith("packages/client/src/"))).toEqual([])
})

test("the hooks are at most 1.5 KB, besides React", async () => {
  const { bytes, inputs } = await bundled("react.ts")
  expect(bytes).toBeLessThanOrEqual(1536)
  expect(inputs.filter((input) => !input.startsWith("packages/client/src/"))).toEqual([])
})

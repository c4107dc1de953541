/**
 * The bodies that the store contract sends, made of those in `test/fixtures`. A module, so that the contract is found
 * wherever the package is installed; and text, so that a compiler has nothing to do with it.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const folder = "test/fixtures/polar-webhooks"

export const bodiesFile = "packages/core/src/testing/polarBodies.ts"

export const bodiesCode = (): string => {
  const bodies = readdirSync(folder)
    .sort()
    .map((file) => {
      const body: unknown = JSON.parse(readFileSync(join(folder, file), "utf8"))
      return `${JSON.stringify(file.replace(/\.json$/, ""))}: ${JSON.stringify(JSON.stringify(body))}`
    })
  return `/** Made by \`npm run generate\` of ${folder}: bodies as Polar sends them, by the names of their files. */
export const polarBodies: Readonly<Record<string, string>> = {
${bodies.join(",\n")}
}
`
}

/**
 * Makes `dist/standalone`: `src/standalone.ts` with Effect, the core and the adapters inside, for Node.
 *
 * One file is what an app needs to call `polar()`; the rest is loaded by the first use, and of the adapters only that of
 * the chosen provider. drizzle-orm and the drivers stay outside: they are the app's.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"

const entry = join(import.meta.dirname, "src/standalone.ts")
const outdir = join(import.meta.dirname, "dist/standalone")

/**
 * What is loaded later also reaches the entry, by a re-export that nobody uses. Otherwise what both have in common would
 * be cut off into a third file, with hundreds of exports between it and the entry, and those are slow to compile.
 */
const reachingTheEntry = {
  name: "reaching-the-entry",
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: /^(\.|@kavach-polar\/)/ }, ({ kind, path, resolveDir }) =>
      kind === "dynamic-import" ? { path, namespace: "later", pluginData: resolveDir } : undefined
    )
    onLoad({ filter: /./, namespace: "later" }, ({ path, pluginData: resolveDir }) => ({
      contents: [path, entry].map((module) => `export * from ${JSON.stringify(module)}`).join("\n"),
      resolveDir
    }))
  }
}

const { metafile } = await build({
  entryPoints: { index: entry },
  outdir,
  plugins: [reachingTheEntry],
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  conditions: ["kavach-polar-source"],
  external: ["drizzle-orm", "better-sqlite3", "sql.js", "pg", "postgres", "mysql2", "@libsql/client"],
  // Names stay as they are, and lines short, so that stack traces can be read.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 120,
  sourcemap: "linked",
  sourcesContent: false,
  metafile: true,
  logLevel: "warning"
})

// What tsc made of the entry: only its types are needed.
for (const extension of [".js", ".js.map"]) rmSync(join(import.meta.dirname, "dist", `standalone${extension}`))

const isLicence = (file) => /^licen[cs]e(\.(md|txt))?$/i.test(file)

const licenceOf = (folder) => {
  const file = readdirSync(folder).find(isLicence)
  if (file === undefined) throw new Error(`There is no licence in ${folder}: it cannot be shipped`)
  const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`
}

const contents = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs))
const packageFolder = /^.*node_modules\/(@[^/]+\/)?[^/]+/
const folders = new Set(contents.flatMap((file) => packageFolder.exec(file)?.[0] ?? []))
writeFileSync(
  join(outdir, "THIRD_PARTY_LICENSES"),
  `The files in this folder contain parts of the following packages.\n\n${[...folders]
    .sort()
    .map(licenceOf)
    .join(`\n${"-".repeat(80)}\n\n`)}`
)

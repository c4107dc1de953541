/**
 * Makes what the package kavach-polar ships: `dist/standalone`, which is `src/standalone.ts` with Effect, drizzle-orm, the
 * core and the adapters inside, for Node; and the command line in the same way, `dist/bin.js`.
 *
 * One file is what an app needs to call `polar()`; the rest is loaded by the first use, and of the adapters only that of
 * the chosen provider. The drivers stay outside: they are the app's, and are imported only where they may be absent.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
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
    onResolve({ filter: /^(\.|@kavach-polar\/|drizzle-orm)/ }, ({ kind, path, resolveDir }) =>
      kind === "dynamic-import" ? { path, namespace: "later", pluginData: resolveDir } : undefined
    )
    onLoad({ filter: /./, namespace: "later" }, ({ path, pluginData: resolveDir }) => ({
      contents: [path, entry].map((module) => `export * from ${JSON.stringify(module)}`).join("\n"),
      resolveDir
    }))
  }
}

/**
 * drizzle-orm imports the drivers where they must be there, which would be a fault of every app's bundle that lacks one.
 * It is given clients here, and makes none; of pg alone it asks more, which the adapter has loaded by then.
 */
const drizzleWithoutDrivers = {
  name: "drizzle-without-drivers",
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: /^(better-sqlite3|pg|mysql2|@libsql\/client)$/ }, ({ importer, kind, path }) => {
      if (kind !== "import-statement") return undefined
      if (!importer.includes("drizzle-orm")) throw new Error(`${importer} imports ${path} outright`)
      return { path, namespace: "driver-of-drizzle", pluginData: import.meta.dirname }
    })
    onLoad({ filter: /./, namespace: "driver-of-drizzle" }, ({ path, pluginData: resolveDir }) => ({
      contents:
        path === "pg"
          ? `export { loadedPg as default } from ${JSON.stringify(join(import.meta.dirname, "../adapter-postgres/src/drivers.ts"))}`
          : "const none = undefined; export { none as default, none as createPool, none as createClient }",
      resolveDir
    }))
  }
}

const shared = {
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  conditions: ["kavach-polar-source"],
  external: ["better-sqlite3", "sql.js", "pg", "postgres", "mysql2", "@libsql/client", "@opentelemetry/api"],
  // Names stay as they are, and lines short, so that stack traces can be read.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 120,
  sourcemap: "linked",
  sourcesContent: false,
  metafile: true,
  logLevel: "warning"
}

const standalone = await build({
  ...shared,
  entryPoints: { index: entry },
  outdir,
  plugins: [reachingTheEntry, drizzleWithoutDrivers]
})

// The command line needs nothing beside it but the driver.
const dist = join(import.meta.dirname, "dist")
for (const name of readdirSync(dist)) {
  if (name === "cli" || name === "commands" || name.startsWith("bin.")) rmSync(join(dist, name), { recursive: true })
}
const commands = await build({
  ...shared,
  entryPoints: { bin: join(import.meta.dirname, "src/bin.ts") },
  outdir: dist,
  chunkNames: "commands/[name]-[hash]",
  plugins: [drizzleWithoutDrivers]
})

// What tsc made of the entry: only its types are needed.
for (const extension of [".js", ".js.map"])
  rmSync(join(import.meta.dirname, "dist", `standalone${extension}`), { force: true })

const isLicence = (file) => /^licen[cs]e(\.(md|txt))?$/i.test(file)

/** The Apache licence, which some packages name and do not carry; TypeScript does. */
const apache = () => fileURLToPath(new URL("../LICENSE.txt", import.meta.resolve("typescript")))

const licenceOf = (folder) => {
  const { license, name, repository, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  const own = readdirSync(folder).find(isLicence)
  const file = own === undefined ? (license === "Apache-2.0" ? apache() : undefined) : join(folder, own)
  if (file === undefined) throw new Error(`There is no licence in ${folder}: it cannot be shipped`)
  return `${name} ${version}, ${repository?.url ?? repository}\n\n${readFileSync(file, "utf8").trim()}\n`
}

const packageFolder = /^.*node_modules\/(@[^/]+\/)?[^/]+/

const writeLicences = (folder, { metafile }) => {
  const contents = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs))
  const folders = new Set(contents.flatMap((file) => packageFolder.exec(file)?.[0] ?? []))
  writeFileSync(
    join(folder, "THIRD_PARTY_LICENSES"),
    `The files in this folder contain parts of the following packages.\n\n${[...folders]
      .sort()
      .map(licenceOf)
      .join(`\n${"-".repeat(80)}\n\n`)}`
  )
}

writeLicences(outdir, standalone)
writeLicences(join(dist, "commands"), commands)

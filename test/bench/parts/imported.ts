/** How long the plugin takes to load, and what it holds then: each time in a new process. */
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { type Comparison, comparison, type Figure, type MachinePart } from "../Bench.ts"
import { median } from "../statistics.ts"

const run = promisify(execFile)

interface Loaded {
  /** Milliseconds. */
  readonly millis: number
  readonly heap: number
  readonly rss: number
}

/** Runs `work` in a new process, where an app would be: what is loaded before does not count. */
const load = async (work: string): Promise<Loaded> => {
  const script = `
    const began = performance.now()
    ${work}
    const millis = performance.now() - began
    gc(); gc()
    const { heapUsed, rss } = process.memoryUsage()
    console.log(JSON.stringify({ millis, heap: heapUsed, rss }))
    process.exit(0)`
  const { stdout } = await run(process.execPath, ["--expose-gc", "--input-type=module", "--eval", script])
  // What is loaded may log.
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "")
}

/** The modules of Effect's that our packages import, as they import them. */
const effectModules = (): ReadonlyArray<string> => {
  const found = new Set<string>()
  for (const name of ["core", "http"]) {
    const folder = dirname(fileURLToPath(import.meta.resolve(`@kavach-polar/${name}`)))
    for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".js") || file.startsWith("standalone/")) continue
      const code = readFileSync(join(folder, file), "utf8")
      for (const [, module] of code.matchAll(/from "((?:effect|@effect\/platform)(?:\/\w+)?)"/g)) {
        if (module !== undefined) found.add(module)
      }
    }
  }
  return [...found].sort()
}

const loading = (modules: ReadonlyArray<string>): string =>
  modules.map((module) => `await import(${JSON.stringify(module)})`).join("\n")

/** From nothing to a plugin that a host with a SQLite database has initialized. */
const starting = (entry: string): string => `
  const { polar } = await import(${JSON.stringify(entry)})
  const { default: Database } = await import("better-sqlite3")
  const { drizzle } = await import("drizzle-orm/better-sqlite3")
  const plugin = polar({
    accessToken: "polar_oat_invented",
    webhookSecret: "polar_whs_InventedInventedInventedInvented0123AbCdEf",
    products: { pro: "11111111-2222-4333-8444-555555555555" }
  })
  await plugin.init({
    db: drizzle(new Database(":memory:")),
    config: { database: { provider: "sqlite-native" } },
    addEndpoint: () => {}
  })`

const isThere = (module: string): Promise<boolean> =>
  load(loading([module])).then(
    () => true,
    () => false
  )

export const imported: MachinePart = {
  on: "machine",
  name: "import",
  compares: false,
  run: async ({ progress, scale }) => {
    const modules = effectModules()
    const standalone = "@kavach-polar/http/standalone"
    const entries = (await isThere(standalone)) ? ["@kavach-polar/http", standalone] : ["@kavach-polar/http"]
    const nameOf = (entry: string) => (entry === standalone ? "standalone" : "http")
    const works: Readonly<Record<string, string>> = {
      nothing: "",
      effect: loading(modules),
      host: loading(["better-sqlite3", "drizzle-orm/better-sqlite3"]),
      ...Object.fromEntries(
        entries.flatMap((entry) => [
          [nameOf(entry), loading([entry])],
          [`${nameOf(entry)}.started`, starting(entry)]
        ])
      )
    }
    const found = new Map<string, Array<Loaded>>(Object.keys(works).map((name) => [name, []]))
    const rounds = scale.quick ? 5 : 15
    // The first round brings the files into the system's memory, and does not count.
    for (let round = 0; round <= rounds; round++) {
      progress(`import, round ${round} of ${rounds}`)
      for (const [name, work] of Object.entries(works)) {
        const loaded = await load(work)
        if (round > 0) found.get(name)?.push(loaded)
      }
    }
    const of = (name: string, what: keyof Loaded) => (found.get(name) ?? []).map((loaded) => loaded[what])
    const comparisons: Array<Comparison> = []
    const figures: Array<Figure> = [{ key: "import.modules", unit: "modules of Effect's", value: modules.length }]
    for (const entry of entries) {
      const name = nameOf(entry)
      comparisons.push(comparison(`import.${name}.effect`, "ms", of(name, "millis"), of("effect", "millis")))
      comparisons.push(
        comparison(`import.${name}.started.host`, "ms", of(`${name}.started`, "millis"), of("host", "millis"))
      )
    }
    for (const name of Object.keys(works)) {
      for (const what of ["heap", "rss"] as const) {
        figures.push({ key: `import.${name}.${what}`, unit: "MB", value: median(of(name, what)) / 1024 / 1024 })
      }
    }
    return { comparisons, figures }
  }
}

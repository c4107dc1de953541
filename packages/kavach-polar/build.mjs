/** Makes `dist`: the bundle that @kavach-polar/http has built, the tables for drizzle, and types that need no Effect. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"
import { plainTypes, typeOf } from "./plainTypes.mjs"

const here = import.meta.dirname
const dist = join(here, "dist")
rmSync(dist, { recursive: true, force: true })
const built = join(here, "../http/dist")
cpSync(join(built, "standalone"), dist, { recursive: true })
for (const part of ["bin.js", "bin.js.map", "commands"])
  cpSync(join(built, part), join(dist, part), { recursive: true })

const types = plainTypes(join(built, "standalone.d.ts"))
// The same for `import` and for `require`, which Node answers with this ES module.
for (const file of ["index.d.ts", "index.d.cts"]) writeFileSync(join(dist, file), types)

// Mounts have nothing inside but Node's own, and types that are whole by themselves.
for (const mount of ["node", "fastify", "gates"]) {
  await build({
    entryPoints: [join(built, `mounts/${mount}.js`)],
    outfile: join(dist, `${mount}.js`),
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "warning"
  })
  const types = readFileSync(join(built, `mounts/${mount}.d.ts`), "utf8").replace(/^\/\/# sourceMappingURL.*$/m, "")
  if (/from "(?!node:|fastify")/.test(types.replace(/\/\*[\s\S]*?\*\//g, ""))) {
    throw new Error(`mounts/${mount}.d.ts needs types of other modules`)
  }
  for (const extension of ["d.ts", "d.cts"]) writeFileSync(join(dist, `${mount}.${extension}`), types)
}

const columnTypes = { "records/rows.d.ts": ["LinkSource"], "records/Delivery.d.ts": ["DeliveryState"] }
mkdirSync(join(dist, "schema"))
for (const database of ["sqlite", "libsql", "postgres", "mysql"]) {
  const source = join(here, `../adapter-${database}`)
  await build({
    entryPoints: [join(source, "src/schema.ts")],
    outfile: join(dist, `schema/${database}.js`),
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["kavach-polar-source"],
    // These tables are the app's drizzle's.
    external: ["drizzle-orm"],
    logLevel: "warning"
  })
  writeFileSync(join(dist, `schema/${database}.d.ts`), withoutImportsOfOurs(join(source, "dist/schema.d.ts")))
}

/** Types of the core's that columns have, written out. */
function withoutImportsOfOurs(file) {
  const text = readFileSync(file, "utf8").replace(/^\/\/# sourceMappingURL.*$/m, "")
  const result = text.replace(/import type \{ (\w+) \} from "@kavach-polar\/core\/[^"]*";\n/g, (_statement, name) => {
    const module = Object.keys(columnTypes).find((candidate) => columnTypes[candidate].includes(name))
    if (module === undefined) throw new Error(`${file}: ${name} is of no module that is known here`)
    return `type ${name} = ${typeOf(join(here, "../core/dist", module), name)}\n`
  })
  if (/@kavach-polar|"effect/.test(result)) throw new Error(`${file} needs types of other packages`)
  return result
}

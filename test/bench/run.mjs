/**
 * Runs the benchmark as plain JavaScript on the built packages, as an app has them: a tool that loads TypeScript on the
 * fly rewrites modules, and what it rewrites is slower.
 */
import { spawn } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { build } from "esbuild"

const here = import.meta.dirname
const root = resolve(here, "../..")

/** A folder within the checkout, so that what is not bundled is found in the checkout's own `node_modules`. */
const folderIn = (checkout) => {
  const cache = join(checkout, "node_modules/.cache/kavach-polar")
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, "bench-"))
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const bundle = (outdir, entryPoints) =>
  build({
    entryPoints,
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    packages: "external",
    platform: "node",
    target: "node20",
    format: "esm",
    logLevel: "error"
  })

const folder = folderIn(root)
await bundle(folder, {
  cli: join(here, "cli.ts"),
  server: join(here, "children/server.ts"),
  sender: join(here, "children/sender.ts"),
  attacked: join(here, "children/attacked.ts"),
  flooder: join(here, "children/flooder.ts")
})
// The throw-away servers' keeper is started as a file beside the code that starts it.
copyFileSync(join(root, "test/servers/supervisor.mjs"), join(folder, "supervisor.mjs"))

const { against } = parseArgs({ options: { against: { type: "string" } }, strict: false }).values
if (typeof against === "string") {
  const other = resolve(against)
  const children = join(other, "test/bench/children")
  if (!existsSync(join(children, "server.ts")) || !existsSync(join(other, "packages/core/dist"))) {
    process.stderr.write(`--against ${against} is not a checkout that is built: npm run build there first.\n`)
    process.exit(2)
  }
  const theirs = folderIn(other)
  await bundle(theirs, { server: join(children, "server.ts") })
  symlinkSync(theirs, join(folder, "against"))
}

const child = spawn(process.execPath, ["--expose-gc", join(folder, "cli.mjs"), ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit"
})
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal))
child.once("close", (code) => {
  process.exitCode = code ?? 1
})

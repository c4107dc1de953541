/**
 * Runs the benchmark as plain JavaScript on the built packages, as an app has them: a tool that loads TypeScript on the
 * fly rewrites modules, and what it rewrites is slower.
 */
import { spawn } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"
import { build } from "esbuild"

const here = import.meta.dirname
const root = resolve(here, "../..")
const cache = join(root, "node_modules/.cache/kavach-polar")
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, "bench-"))
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))

await build({
  entryPoints: {
    cli: join(here, "cli.ts"),
    server: join(here, "children/server.ts"),
    sender: join(here, "children/sender.ts")
  },
  outdir: folder,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  packages: "external",
  platform: "node",
  target: "node20",
  format: "esm",
  logLevel: "error"
})
// The throw-away servers' keeper is started as a file beside the code that starts it.
copyFileSync(join(root, "test/servers/supervisor.mjs"), join(folder, "supervisor.mjs"))

const child = spawn(process.execPath, ["--expose-gc", join(folder, "cli.mjs"), ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit"
})
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal))
child.once("close", (code) => {
  process.exitCode = code ?? 1
})

/**
 * A newcomer's walk: from the archives that npm would publish, by README's own words, in apps that know nothing of this
 * repository. `npm run build` first; it installs what else it needs from npm.
 *
 * One folder has an app on PostgreSQL and libSQL with Effect 4 beside it, and no other driver. Everything is done there.
 */
import { execFileSync, spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { programs } from "./programs.mjs"

const root = join(import.meta.dirname, "../..")
const work = mkdtempSync(join(tmpdir(), "kavach-polar-install-"))
const app = join(work, "app")
const readme = readFileSync(join(root, "README.md"), "utf8")
const clientPage = readFileSync(join(root, "docs/client.md"), "utf8")

/** Runs it and answers with what it printed; throws with all of it where it fails. */
const run = (command, args, { cwd = app, env = {}, millis = 240_000 } = {}) => {
  try {
    return execFileSync(command, args, {
      cwd,
      env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NO_COLOR: "1", ...env },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      timeout: millis
    })
  } catch (error) {
    throw new Error(
      `${command} ${args.join(" ")} failed (${error.status ?? error.code})\n${error.stdout}\n${error.stderr}`
    )
  }
}

const expect = (isTrue, what, details = "") => {
  if (!isTrue) throw new Error(`${what}\n${details}`)
}

const write = (name, text, folder = app) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), text)
}

const node = (file, options) => run(process.execPath, [file], options)

const pack = (workspace) => {
  const packed = run(
    "npm",
    ["pack", "--json", "--ignore-scripts", "--pack-destination", work, "--workspace", workspace],
    {
      cwd: root
    }
  )
  const [{ filename }] = Object.values(JSON.parse(packed))
  return join(work, filename)
}

/** What the README tells to install, with the archive for the package that is not on npm yet. */
const install = () => {
  const line = /```sh\nnpm install (kavach-polar [a-z]+)\n```/.exec(readme)
  expect(line !== null, "README has no line that installs kavach-polar and a driver")
  const [, driver] = line[1].split(" ")
  expect(driver === "pg", `README installs ${driver}: this walk is made for pg`)
  write("package.json", JSON.stringify({ name: "app", private: true, type: "module" }))
  const npm = (...packages) => run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", ...packages])
  npm("effect@4")
  npm(pack("kavach-polar"), driver)
  expect(clientPage.includes("npm install @kavach-polar/client\n"), "docs/client.md does not say what to install")
  npm(pack("@kavach-polar/client"))
  npm(
    "@libsql/client@0.18",
    ...["typescript@5.9", "@types/node@20", "@types/react@19", "next@16", "react@19", "react-dom@19"],
    ...["esbuild@0.28", "webpack@5", "vite@8"]
  )
  const own = createRequire(join(app, "package.json"))
  expect(own("effect/package.json").version.startsWith("4."), "Effect 4 is not beside it")
  const client = own("./node_modules/@kavach-polar/client/package.json")
  expect(client.dependencies === undefined, "the client depends on something")
  for (const absent of ["better-sqlite3", "mysql2", "postgres", "drizzle-orm", "@effect/platform"]) {
    let found = true
    try {
      own.resolve(absent)
    } catch {
      found = false
    }
    expect(!found, `${absent} is installed: what follows would prove nothing`)
  }
}

const plainNode = () => {
  write("plain.mjs", programs.story)
  const printed = node("plain.mjs", {
    env: { FIXTURE: join(root, "test/fixtures/polar-webhooks/subscription.active.json") }
  })
  expect(
    printed.trim() === "denied 200 granted active PolarConfigError true StoreError",
    "the story went otherwise",
    printed
  )
  write("client.mjs", programs.client)
  expect(node("client.mjs").trim() === "network <p>loading</p>", "the client does not run on Node")
  // It ends by itself, and took no other driver.
  write("common.cjs", programs.common)
  expect(node("common.cjs").trim() === "function", "require() does not work")
}

const blocksIn = (page, from) =>
  [...page.matchAll(/```ts\n([\s\S]*?)```/g)]
    .map(([, block]) => block)
    .filter((block) => block.includes(`from "${from}`))

const typeScript = () => {
  const blocks = blocksIn(readme, "kavach-polar")
  expect(blocks.length >= 3, "README has fewer samples of kavach-polar than this walk knows")
  blocks.forEach((block, index) => {
    write(`src/readme${index}.ts`, block)
  })
  const clientBlocks = blocksIn(clientPage, "@kavach-polar/client")
  expect(clientBlocks.length >= 3, "docs/client.md has fewer samples than this walk knows")
  clientBlocks.forEach((block, index) => {
    write(`src/client${index}.ts`, block)
  })
  write("src/errors.ts", programs.errors)
  write("src/common.cts", programs.commonTypes)
  const strict = { target: "es2022", lib: ["es2023"], strict: true, skipLibCheck: false, noEmit: true, types: ["node"] }
  const cases = {
    nodenext: { ...strict, module: "nodenext" },
    node16: { ...strict, module: "node16", exactOptionalPropertyTypes: true },
    // With the browser's types beside Node's, as Next sets it.
    bundler: { ...strict, lib: ["es2023", "dom"], module: "esnext", moduleResolution: "bundler" }
  }
  for (const [name, compilerOptions] of Object.entries(cases)) {
    // A file of CommonJS cannot import an ES module under node16; only types made for it are found there.
    const include = name === "bundler" ? ["src/*.ts"] : ["src"]
    write(`tsconfig.${name}.json`, JSON.stringify({ compilerOptions, include }))
    run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", `tsconfig.${name}.json`])
  }
}

const commandLine = () => {
  const help = run("npx", ["--no-install", "kavach-polar", "--help"])
  expect(help.includes("reconcile"), "the command line does not tell its commands", help)
  // Nobody listens there, so its driver was loaded and asked.
  let failed = ""
  try {
    run("npx", ["--no-install", "kavach-polar", "migrate", "--database", "postgres://a:b@127.0.0.1:9/x"])
  } catch (error) {
    failed = error.message
  }
  expect(
    /ECONNREFUSED|unavailable/.test(failed) && !/npm install/.test(failed),
    "the command did not reach for pg",
    failed
  )
}

/** From here on an app on PostgreSQL alone; besides, webpack cannot read @libsql/client, with whatever it is used. */
const onlyPostgres = () => {
  for (const name of ["@libsql", "libsql"]) rmSync(join(app, "node_modules", name), { recursive: true, force: true })
}

/** The bundle alone in a folder where nothing is installed: what it needs is in it. */
const alone = (file, folder) => {
  const elsewhere = mkdtempSync(join(work, "alone-"))
  cpSync(join(app, folder), elsewhere, { recursive: true })
  const printed = node(join(elsewhere, file), { cwd: elsewhere })
  expect(printed.includes("StoreError unavailable"), `${folder}/${file} did not reach for its database`, printed)
}

const esbuild = () => {
  write("bundled.mjs", programs.bundled)
  for (const [format, file] of Object.entries({ esm: "out.mjs", cjs: "out.cjs" })) {
    const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
    const args = [
      "bundled.mjs",
      "--bundle",
      "--platform=node",
      `--format=${format}`,
      `--outfile=esbuild-${format}/${file}`
    ]
    const warned = run("node_modules/.bin/esbuild", [
      ...args,
      "--log-level=warning",
      ...(format === "esm" ? [`--banner:js=${banner}`] : [])
    ])
    expect(warned === "", `esbuild warns`, warned)
    alone(file, `esbuild-${format}`)
  }
}

const webpack = () => {
  write("webpack.mjs", programs.webpack)
  const printed = node("webpack.mjs")
  expect(/errors: 0/.test(printed), "webpack fails", printed)
  alone("out.mjs", "webpack-out")
}

const vite = () => {
  write("vite.config.mjs", programs.vite)
  run(process.execPath, ["node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"])
  alone("bundled.mjs", "vite-out")
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

/** SQLite's driver is not installed here. */
const onLibsql = (code) => code.replace('"sqlite", url: ', '"libsql", url: "file:" + ')

/** The documentation's mount as it stands there; and one with what Next has for finding its own request. */
const nextMounts = () => {
  const example = (name) => readFileSync(join(root, `test/examples/${name}.ts`), "utf8")
  const folder = "app/auth/polar/[...route]"
  write(`${folder}/billing.ts`, onLibsql(example("billing")))
  write(`${folder}/sessions.ts`, example("sessions"))
  write(`${folder}/route.ts`, example("mountNext"))
  write("app/api/billing/[...route]/route.ts", programs.nextOwnRequest)
  // It was taken away before, and is what these have their database on.
  run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline"])
}

const next = async () => {
  nextMounts()
  write("next.config.mjs", `export default { output: "standalone", outputFileTracingRoot: import.meta.dirname }\n`)
  write("tsconfig.json", JSON.stringify(programs.nextTsconfig))
  write("app/layout.tsx", programs.layout)
  write("app/page.tsx", programs.page)
  write("app/Gate.tsx", programs.gate)
  write("app/access/route.ts", programs.route)
  const printed = run(process.execPath, ["node_modules/next/dist/bin/next", "build"])
  expect(printed.includes("Turbopack"), "Next did not build with Turbopack", printed)
  const port = await freePort()
  const server = spawn(process.execPath, ["server.js"], {
    cwd: join(app, ".next/standalone"),
    env: { ...process.env, PORT: String(port), HOSTNAME: "127.0.0.1", NEXT_TELEMETRY_DISABLED: "1" },
    stdio: "ignore"
  })
  try {
    const answer = await answered(`http://127.0.0.1:${port}/access`)
    expect(answer.includes("StoreError unavailable"), "the route did not reach for its database", answer)
    const page = await answered(`http://127.0.0.1:${port}/`)
    expect(page.includes("<p>loading</p>"), "the hooks were not rendered on the server", page)
  } finally {
    server.kill()
  }
  run("npx", ["--no-install", "vitest", "run", "test/mounts/next.test.ts"], {
    cwd: root,
    env: { NEXT_APP: join(app, ".next/standalone") }
  })
}

const answered = async (url) => {
  for (let left = 60; ; left--) {
    try {
      return await (await fetch(url)).text()
    } catch (error) {
      if (left === 0) throw error
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
}

const steps = { install, plainNode, typeScript, commandLine, onlyPostgres, esbuild, webpack, vite, next }
const began = Date.now()
let failed = false
try {
  mkdirSync(app)
  for (const [name, step] of Object.entries(steps)) {
    const from = Date.now()
    await step()
    process.stdout.write(`ok ${name} (${((Date.now() - from) / 1000).toFixed(1)} s)\n`)
  }
} catch (error) {
  failed = true
  process.stderr.write(`${error.stack}\n`)
} finally {
  if (process.env["KEEP"] === undefined) rmSync(work, { recursive: true, force: true })
  else process.stdout.write(`left in ${work}\n`)
}
process.stdout.write(`${((Date.now() - began) / 1000).toFixed(0)} s\n`)
process.exitCode = failed ? 1 : 0

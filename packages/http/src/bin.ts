#!/usr/bin/env node
/** The command line's entry: arguments and environment in, exit code out. */
import { main } from "./cli/main.ts"

process.exitCode = await main({
  args: process.argv.slice(2),
  // biome-ignore lint/style/noProcessEnv: the one place where the environment comes in
  env: process.env,
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  stopped: new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve())
  })
})

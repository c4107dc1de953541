#!/usr/bin/env node
/** The command line's entry: arguments and environment in, exit code out. */
import { readFileSync } from "node:fs"
import { main } from "./cli/main.ts"
import { processTerminal } from "./cli/processTerminal.ts"

/** Of the package that this file is in, wherever it was bundled into. */
const { version }: { version: string } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))

process.exitCode = await main(processTerminal(process), version)

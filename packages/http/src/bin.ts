#!/usr/bin/env node
/** The command line's entry: arguments and environment in, exit code out. */
import { main } from "./cli/main.ts"
import { processTerminal } from "./cli/processTerminal.ts"

process.exitCode = await main(processTerminal(process))

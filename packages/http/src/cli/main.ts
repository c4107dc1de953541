/** The command line: arguments in, exit code out. Without a command it prints its help. */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as ValidationError from "@effect/cli/ValidationError"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Prompts from "@effect/platform/Terminal"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { withHelpOn } from "./helpText.ts"
import { kavachPolar } from "./kavachPolar.ts"
import { withOptionsOf } from "./optionVariables.ts"
import { CommandFailed, type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"
import { usageProblem } from "./usageProblem.ts"
import { withEnvFile } from "./withEnvFile.ts"

/** Resolves with the exit code. */
export const main = async (given: Terminal, version: string): Promise<ExitCode> => {
  const args = asked(given.args)
  try {
    const read = await withEnvFile(given, args)
    const program = programOn(read.terminal)
    return await carriedOut(program, withOptionsOf(read.terminal.env, program.kavachPolar, read.args), version)
  } catch (error) {
    return failed(given, args, error)
  }
}

interface Program {
  readonly kavachPolar: ReturnType<typeof kavachPolar>
  readonly terminal: Terminal
  readonly exitCode: () => ExitCode
}

const programOn = (terminal: Terminal): Program => {
  let exitCode: ExitCode = exitCodes.done
  return {
    terminal,
    exitCode: () => exitCode,
    kavachPolar: kavachPolar({
      terminal,
      run: (carryOut) =>
        Effect.map(Effect.tryPromise({ try: carryOut, catch: (error) => error }), (code) => {
          exitCode = code
        })
    })
  }
}

const carriedOut = async (
  { exitCode, kavachPolar: command, terminal }: Program,
  args: ReadonlyArray<string>,
  version: string
): Promise<ExitCode> => {
  const refused = refusedBuiltIn(args)
  const run = Command.run(command, { name: "kavach-polar", version, executable: "kavach-polar" })
  const exit = await Effect.runPromiseExit(
    (refused === undefined ? run(["", "", ...args]) : Effect.fail(refused)).pipe(
      withHelpOn(terminal, args),
      Effect.provide(surroundings)
    )
  )
  if (Exit.isSuccess(exit)) return exitCode()
  const error = Cause.squash(exit.cause)
  return failed(
    terminal,
    args,
    ValidationError.isValidationError(error) ? wrong(usageProblem(command, args, error)) : error
  )
}

const failed = (terminal: Terminal, args: ReadonlyArray<string>, failure: unknown): ExitCode => {
  const message = failure instanceof Error ? failure.message : String(failure)
  terminal.err(args.includes("--json") ? JSON.stringify({ error: message }) : `kavach-polar: ${message}`)
  return failure instanceof CommandFailed ? failure.exitCode : exitCodes.failed
}

const asked = ([first, ...rest]: ReadonlyArray<string>): ReadonlyArray<string> => {
  switch (first) {
    case undefined:
      return ["--help"]
    // What people type who know other programs.
    case "help":
      return [...rest, "--help"]
    // The demo's name in earlier versions.
    case "serve":
      return ["demo", ...rest]
    default:
      return [first, ...rest]
  }
}

/** What the library offers to every program, and this one does not. */
const refusedBuiltIn = (args: ReadonlyArray<string>): CommandFailed | undefined => {
  const name = args.find((arg) => /^--(wizard|log-level)(=|$)/.test(arg))
  return name === undefined ? undefined : wrong(`There is no option ${name}. See kavach-polar --help.`)
}

/** Nothing is read of files by the library itself, and nobody is asked anything. */
const surroundings = Layer.mergeAll(
  CliConfig.layer({ showBuiltIns: false, showTypes: false }),
  FileSystem.layerNoop({}),
  Path.layer,
  Layer.succeed(
    Prompts.Terminal,
    Prompts.Terminal.of({
      columns: Effect.succeed(100),
      rows: Effect.succeed(24),
      isTTY: Effect.succeed(false),
      readInput: Effect.die("nobody is asked"),
      readLine: Effect.fail(new Prompts.QuitException()),
      display: () => Effect.void
    })
  )
)

/** The environment: what the process was given, and beneath it what a file `.env` says. */
import { readEnvFile, variablesIn } from "./envFile.ts"
import { type Terminal, wrong } from "./Terminal.ts"

export interface WithEnvFile {
  readonly terminal: Terminal
  readonly args: ReadonlyArray<string>
}

/** These write into the file, so that it need not be there, and the option is their own. */
const writers = new Set(["setup", "rotate-secret"])

/** Of `--env-file`, else `KAVACH_POLAR_ENV_FILE`, else `.env`, which alone may be missing. */
export const withEnvFile = async (terminal: Terminal, args: ReadonlyArray<string>): Promise<WithEnvFile> => {
  const command = args[0] ?? ""
  const { name: option, rest } = namedIn(args)
  const named = option ?? terminal.env["KAVACH_POLAR_ENV_FILE"]
  if (named === undefined && terminal.folder === undefined) return { terminal, args }
  const file = await readEnvFile(named ?? ".env", terminal.folder)
  if (named !== undefined && file.text === undefined && !writers.has(command)) {
    throw wrong(`There is no file ${file.path}, which --env-file or KAVACH_POLAR_ENV_FILE names.`)
  }
  const variables = Object.entries(variablesIn(file)).filter(
    ([name]) => command !== "demo" || named !== undefined || isOfPolar(name)
  )
  return {
    terminal: { ...terminal, env: { ...Object.fromEntries(variables), ...terminal.env } },
    args: writers.has(command) ? args : rest
  }
}

/** The demo has a database and an address of its own, and is not to take those of the app in whose folder it is tried. */
const isOfPolar = (name: string): boolean => /^(KAVACH_)?POLAR_/.test(name)

const namedIn = (
  args: ReadonlyArray<string>
): { readonly name: string | undefined; readonly rest: ReadonlyArray<string> } => {
  const index = args.findIndex((arg) => arg === "--env-file" || arg.startsWith("--env-file="))
  const arg = args[index]
  if (arg === undefined) return { name: undefined, rest: args }
  const isOne = arg !== "--env-file"
  const name = isOne ? arg.slice("--env-file=".length) : args[index + 1]
  if (name === undefined || name === "") throw wrong("--env-file needs the name of a file.")
  return { name, rest: args.filter((_, each) => each !== index && (isOne || each !== index + 1)) }
}

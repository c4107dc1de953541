/** Help on a page: what the library says of a command, shorter, and with the whole of its name. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type { Terminal } from "./Terminal.ts"

/** What the library says of every option, whatever its description. */
const commonplaces =
  /^(A user-defined piece of text\.|A true or false value\.|An integer\.|This setting is optional\.|This option may be repeated zero or more times\.|This argument must be repeated at least 1 times\.)$/

const escapes = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, "g")

/** The lines of a text of the library's that say something. */
export const linesOf = (text: string): ReadonlyArray<string> =>
  text
    .replace(escapes, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !commonplaces.test(line))

const footer = `Every command tells its options with --help. Those that work on a database take it from DATABASE_URL.
Variables are read from a file .env here, too, beneath the environment. KAVACH_POLAR_JSON=1 is --json, and so on.

  --env-file FILE                Read this file instead of .env
  --version                      The version of this program
  --completions bash|zsh|fish    A script with which the shell completes commands and options

Exit codes: 0 done; 1 it failed; 2 the command is wrong, or the environment; 3 it found something that needs you;
4 nothing matched.`

/** The library's help begins with the name and version, and has its sections under headings in capitals. */
export const tidyHelp = (text: string, args: ReadonlyArray<string>): string => {
  const [, version = "", ...lines] = linesOf(text)
  const sections = new Map<string, Array<string>>()
  let section: Array<string> = []
  for (const line of lines) {
    if (/^[A-Z]{4,}$/.test(line)) {
      section = []
      sections.set(line, section)
    } else section.push(line)
  }
  const usage = sections.get("USAGE")?.[0]?.replace(/^\$ /, "") ?? ""
  const firstOption = args.findIndex((arg) => arg.startsWith("-"))
  // The library names only the last of several words.
  const name = ["kavach-polar", ...(firstOption < 0 ? args : args.slice(0, firstOption))].join(" ")
  const takesFiles = (sections.get("ARGUMENTS") ?? []).map((line) => /^<(\w+)>/.exec(line)?.[1]).filter(Boolean)
  const commands = commandsOf(sections.get("COMMANDS") ?? [])
  const options = pairsOf(sections.get("OPTIONS") ?? [])
  return [
    version,
    `Usage: ${[name, ...takesFiles.map((each) => `${each}...`), commands.length > 0 ? "COMMAND" : "", "[options]"].filter(Boolean).join(" ")}`,
    (sections.get("DESCRIPTION") ?? []).join("\n"),
    ...(commands.length > 0 ? [`Commands:\n${columns(commands)}`] : []),
    ...(options.length > 0 ? [`Options:\n${columns(options)}`] : []),
    ...(usage === "kavach-polar" ? [footer] : [])
  ].join("\n\n")
}

type Pair = readonly [name: string, description: string]

/** `- reconcile [--json]     Compare …`, of which the options are left to the command's own help. */
const commandsOf = (lines: ReadonlyArray<string>): ReadonlyArray<Pair> =>
  lines.flatMap((line) => {
    const [, name = "", description = ""] = /^- (\w[\w ]*?)(?: [[(<-].*?)?(?:\s{2,}(.*))?$/.exec(line) ?? []
    // One that has commands of its own is told by them.
    return description === "" ? [] : [[name, description] as const]
  })

/** An option's line, and under it what it means. */
const pairsOf = (lines: ReadonlyArray<string>): ReadonlyArray<Pair> => {
  const pairs: Array<[string, string]> = []
  for (const line of lines) {
    const last = pairs.at(-1)
    if (line.startsWith("-")) pairs.push([line.replace(/\.\.\.$/, ""), ""])
    else if (last !== undefined) last[1] = `${last[1]} ${line}`.trim()
  }
  return pairs
}

const columns = (pairs: ReadonlyArray<Pair>): string => {
  const width = Math.max(...pairs.map(([name]) => name.length))
  return pairs.map(([name, description]) => `  ${name.padEnd(width)}  ${description}`).join("\n")
}

/** Help goes to the terminal; what the library says of wrong arguments is said by `usageProblem`, in one sentence. */
export const withHelpOn =
  (terminal: Terminal, args: ReadonlyArray<string>) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Console.consoleWith((console) =>
      Effect.withConsole(effect, {
        ...console,
        log: (text) => Effect.sync(() => terminal.out(shown(String(text), args))),
        error: () => Effect.void
      })
    )

/** Besides help the library prints versions, and scripts for shells: as they are. */
const shown = (text: string, args: ReadonlyArray<string>): string =>
  text.includes("USAGE") ? tidyHelp(text, args) : text.trimEnd()

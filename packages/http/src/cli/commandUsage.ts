/** Which commands there are, and which options each takes, as the library's help has it. */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import { linesOf } from "./helpText.ts"

/** A line for each command, with its options. */
const usagesOf = <Name extends string, R, E, A>(command: Command.Command<Name, R, E, A>): ReadonlyArray<string> =>
  linesOf(HelpDoc.toAnsiText(Command.getHelp(command, CliConfig.defaultConfig))).map((line) => line.replace(/^- /, ""))

/** What comes before the first option. */
export const wordsOf = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const first = args.findIndex((arg) => arg.startsWith("-"))
  return first < 0 ? args : args.slice(0, first)
}

/** The longest name of a command that the words begin with; empty for none. */
export const commandOf = <Name extends string, R, E, A>(
  command: Command.Command<Name, R, E, A>,
  words: ReadonlyArray<string>
): string => {
  const lines = usagesOf(command)
  for (let length = words.length; length > 0; length--) {
    const name = words.slice(0, length).join(" ")
    if (lines.some((line) => line === name || line.startsWith(`${name} `))) return name
  }
  return ""
}

export const takes = <Name extends string, R, E, A>(
  command: Command.Command<Name, R, E, A>,
  name: string,
  option: string
): boolean =>
  usagesOf(command).some((line) => line.startsWith(`${name} `) && new RegExp(`[\\[( ]${option}[ \\])]`).test(line))

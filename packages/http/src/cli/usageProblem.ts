/** What is wrong with the arguments, in a sentence. */
import type * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import type * as ValidationError from "@effect/cli/ValidationError"
import { commandOf, takes } from "./commandUsage.ts"
import { linesOf } from "./helpText.ts"

const unknownArgument = /^Received unknown argument: '(.*)'$/s

export const usageProblem = <Name extends string, R, E, A>(
  command: Command.Command<Name, R, E, A>,
  args: ReadonlyArray<string>,
  { _tag, error }: ValidationError.ValidationError
): string => {
  const said = linesOf(HelpDoc.toAnsiText(error)).join(" ")
  const words = args.slice(0, Math.max(0, args.findIndex((arg) => arg.startsWith("-")) + 1 || args.length))
  const name = commandOf(command, words)
  const help = `See kavach-polar ${name === "" ? "" : `${name} `}--help.`
  if (_tag === "CommandMismatch") return `There is no command "${args.join(" ")}". ${help}`
  const given = unknownArgument.exec(said)?.[1]
  if (given === undefined) return `${said.replace(/\.?$/, ".")} ${help}`
  const option = /^--?[^=]+/.exec(given)?.[0]
  if (option === undefined) return `${name} takes no argument "${given}". ${help}`
  // The library calls an option unknown also when it came twice, or without its value.
  return takes(command, name, option)
    ? `${option} was given twice, or without its value. ${help}`
    : `${name} takes no option ${option}. ${help}`
}

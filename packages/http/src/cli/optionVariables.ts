/**
 * Options as environment variables: `KAVACH_POLAR_` and the option's name, such as `KAVACH_POLAR_DRY_RUN=1` for `--dry-run`. Only
 * for how a command works. On what it works (ids, users, states, times, `--all`) is said with the command alone, so that nothing
 * that somebody has left in an environment chooses it.
 */
import type * as Command from "@effect/cli/Command"
import { commandOf, takes, wordsOf } from "./commandUsage.ts"
import { type Terminal, wrong } from "./Terminal.ts"

const flags = ["json", "dry-run", "yes", "wait"]
const values = ["database", "url", "by", "host", "port", "data"]

const variableOf = (option: string): string => `KAVACH_POLAR_${option.toUpperCase().replaceAll("-", "_")}`

/** The arguments, and the options that the environment says and they do not. */
export const withOptionsOf = <Name extends string, R, E, A>(
  env: Terminal["env"],
  command: Command.Command<Name, R, E, A>,
  args: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const said = [...flags, ...values].filter((option) => env[variableOf(option)] !== undefined && !has(args, option))
  if (said.length === 0) return args
  const name = commandOf(command, wordsOf(args))
  const options = said
    .filter((option) => takes(command, name, `--${option}`))
    .flatMap((option) => {
      const value = env[variableOf(option)] ?? ""
      if (values.includes(option)) return [`--${option}=${value}`]
      return isOn(option, value) ? [`--${option}`] : []
    })
  const words = name === "" ? 0 : name.split(" ").length
  return [...args.slice(0, words), ...options, ...args.slice(words)]
}

const has = (args: ReadonlyArray<string>, option: string): boolean =>
  args.some((arg) => arg === `--${option}` || arg.startsWith(`--${option}=`))

const isOn = (option: string, text: string): boolean => {
  if (/^(1|true|yes|on)$/i.test(text)) return true
  if (/^(0|false|no|off|)$/i.test(text)) return false
  throw wrong(`${variableOf(option)} is "${text}": use 1 or 0.`)
}

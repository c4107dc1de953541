/** Options that several commands take, so that they mean the same everywhere. */
import * as Options from "@effect/cli/Options"
import type * as Option from "effect/Option"

export const json = Options.boolean("json").pipe(
  Options.withDescription("Print one JSON object a line instead of sentences.")
)

export const dryRun = Options.boolean("dry-run").pipe(
  Options.withDescription("Look and report, and change nothing. Exit code 3 when something would be changed.")
)

export const yes = Options.boolean("yes").pipe(Options.withDescription("Do not ask: for machines."))

const text = (name: string, value: string, description: string) =>
  Options.text(name).pipe(Options.withPseudoName(value), Options.withDescription(description))

/** An option with a value, which need not be given. */
export const optional = (name: string, value: string, description: string): Options.Options<Option.Option<string>> =>
  Options.optional(text(name, value, description))

/** An option with a value, which may be given more than once. */
export const repeated = (name: string, value: string, description: string): Options.Options<Array<string>> =>
  Options.repeated(text(name, value, description))

export const writtenEnvFile = optional(
  "env-file",
  "FILE",
  "Write the secret into this file, such as .env, instead of printing it. Everything else in it stays."
)

export const database = optional(
  "database",
  "URL",
  "postgres://…, mysql://…, libsql://… or a file of SQLite. Default: DATABASE_URL."
)

/** Where the database is, and how the result is told: what every command takes that works on a database. */
export const onDatabase = { database, json }

import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { onDatabase } from "../options.ts"

export const migrate = ({ run, terminal }: CommandLine) =>
  Command.make(
    "migrate",
    {
      ...onDatabase,
      status: Options.boolean("status").pipe(
        Options.withDescription("Only tell which migrations there are. Exit code 3 when some are still to be applied.")
      )
    },
    ({ database, ...options }) =>
      run(async () =>
        (await import("../migrate.ts")).migrate(terminal, { ...options, database: Option.getOrUndefined(database) })
      )
  ).pipe(Command.withDescription("Create the tables, or bring them up to this version."))

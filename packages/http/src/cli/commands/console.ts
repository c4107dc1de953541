import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { onDatabase } from "../options.ts"

export const console = ({ run, terminal }: CommandLine) =>
  Command.make(
    "console",
    {
      ...onDatabase,
      port: Options.integer("port").pipe(
        Options.withPseudoName("NUMBER"),
        Options.withDescription("Where it listens, on this machine only. Default: any free port."),
        Options.withDefault(0)
      ),
      act: Options.boolean("act").pipe(
        Options.withDescription("Let it change things, and not only look: replay, retry, move, compare with Polar.")
      )
    },
    ({ act, database, json, port }) =>
      run(async () =>
        (await import("../console.ts")).console(terminal, {
          database: Option.getOrUndefined(database),
          json,
          act,
          port
        })
      )
  ).pipe(
    Command.withDescription(
      "Serve billing's console on this machine: what needs somebody, deliveries, notifications, the history of one person."
    )
  )

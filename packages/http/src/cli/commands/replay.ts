import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { dryRun, onDatabase, optional, repeated } from "../options.ts"

export const replay = ({ run, terminal }: CommandLine) =>
  Command.make(
    "replay",
    {
      ...onDatabase,
      dryRun,
      ids: repeated("id", "ID", "The delivery with this webhook-id. Can be repeated."),
      types: repeated("type", "TYPE", "Of this type, such as subscription.updated. Can be repeated."),
      states: repeated("state", "STATE", "applied, stale, ignored, unlinked or failed. Can be repeated."),
      since: optional("since", "TIME", "Received then or later: 2026-11-24 or 2026-11-24T10:00:00Z."),
      until: optional("until", "TIME", "Received before then."),
      tellAgain: Options.boolean("tell-again").pipe(
        Options.withDescription("Call handlers of events again, too, for what they were told before.")
      ),
      all: Options.boolean("all").pipe(Options.withDescription("All there are."))
    },
    ({ database, since, until, ...options }) =>
      run(async () =>
        (await import("../replay.ts")).replay(terminal, {
          ...options,
          database: Option.getOrUndefined(database),
          since: Option.getOrUndefined(since),
          until: Option.getOrUndefined(until)
        })
      )
  ).pipe(Command.withDescription("Apply recorded deliveries again; the options say which."))

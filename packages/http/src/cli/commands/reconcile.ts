import * as Command from "@effect/cli/Command"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { dryRun, onDatabase, optional } from "../options.ts"

export const reconcile = ({ run, terminal }: CommandLine) =>
  Command.make(
    "reconcile",
    {
      ...onDatabase,
      dryRun,
      user: optional("user", "ID", "Only this user."),
      since: optional("since", "TIME", "Only what Polar has changed then or later: 2026-11-24 or 2026-11-24T10:00:00Z.")
    },
    ({ database, since, user, ...options }) =>
      run(async () =>
        (await import("../reconcile.ts")).reconcile(terminal, {
          ...options,
          database: Option.getOrUndefined(database),
          since: Option.getOrUndefined(since),
          user: Option.getOrUndefined(user)
        })
      )
  ).pipe(Command.withDescription("Compare what is stored with Polar's API, and set right what differs."))

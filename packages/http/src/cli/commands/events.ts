import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { onDatabase, optional, repeated } from "../options.ts"
import { replay } from "./replay.ts"

const list = ({ run, terminal }: CommandLine) =>
  Command.make(
    "list",
    {
      ...onDatabase,
      states: repeated("state", "STATE", "applied, stale, ignored, unlinked or failed. Can be repeated."),
      types: repeated("type", "TYPE", "Of this type, such as subscription.updated. Can be repeated."),
      user: optional("user", "ID", "Of this user."),
      since: optional("since", "TIME", "Received then or later: 2026-11-24 or 2026-11-24T10:00:00Z."),
      until: optional("until", "TIME", "Received before then."),
      limit: optional("limit", "NUMBER", "How many at most. Default: 50.")
    },
    ({ database, limit, since, until, user, ...options }) =>
      run(async () =>
        (await import("../events.ts")).list(terminal, {
          ...options,
          database: Option.getOrUndefined(database),
          limit: Option.getOrUndefined(limit),
          since: Option.getOrUndefined(since),
          until: Option.getOrUndefined(until),
          user: Option.getOrUndefined(user)
        })
      )
  ).pipe(Command.withDescription("List what Polar has delivered and what became of it, the newest first."))

const show = ({ run, terminal }: CommandLine) =>
  Command.make(
    "show",
    {
      ...onDatabase,
      body: Options.boolean("body").pipe(
        Options.withDescription("Show the whole body, with what it says of the person.")
      ),
      id: Args.text({ name: "id" }).pipe(Args.withDescription("The delivery's webhook-id."))
    },
    ({ body, database, id, json }) =>
      run(async () =>
        (await import("../events.ts")).show(terminal, id, { body, json, database: Option.getOrUndefined(database) })
      )
  ).pipe(
    Command.withDescription("Show one delivery: why it is in its state, and what your app was told because of it.")
  )

export const events = (line: CommandLine) =>
  Command.make("events").pipe(
    Command.withDescription("What Polar has delivered: to look at, and to apply again."),
    Command.withSubcommands([list(line), show(line), replay(line)])
  )

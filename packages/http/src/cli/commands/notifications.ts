import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { dryRun, onDatabase, optional, repeated, yes } from "../options.ts"

const which = {
  ids: repeated("id", "ID", "The notification with this id. Can be repeated."),
  user: optional("user", "ID", "Of this user."),
  handler: optional("handler", "NAME", "For this handler: onAccessChange, order.paid, ..."),
  subscription: optional("subscription", "ID", "Of this subscription."),
  since: optional("since", "TIME", "Given up then or later: 2026-11-24 or 2026-11-24T10:00:00Z."),
  until: optional("until", "TIME", "Given up before then.")
}

const list = ({ run, terminal }: CommandLine) =>
  Command.make(
    "list",
    { ...onDatabase, ...which },
    ({ database, handler, since, subscription, until, user, ...options }) =>
      run(async () =>
        (await import("../notifications.ts")).list(terminal, {
          ...options,
          database: Option.getOrUndefined(database),
          handler: Option.getOrUndefined(handler),
          since: Option.getOrUndefined(since),
          subscription: Option.getOrUndefined(subscription),
          until: Option.getOrUndefined(until),
          user: Option.getOrUndefined(user)
        })
      )
  ).pipe(Command.withDescription("List what your app's handlers never took, and was given up."))

const retry = ({ run, terminal }: CommandLine) =>
  Command.make(
    "retry",
    {
      ...onDatabase,
      ...which,
      dryRun,
      all: Options.boolean("all").pipe(Options.withDescription("All there are."))
    },
    ({ database, handler, since, subscription, until, user, ...options }) =>
      run(async () =>
        (await import("../notifications.ts")).retry(terminal, {
          ...options,
          database: Option.getOrUndefined(database),
          handler: Option.getOrUndefined(handler),
          since: Option.getOrUndefined(since),
          subscription: Option.getOrUndefined(subscription),
          until: Option.getOrUndefined(until),
          user: Option.getOrUndefined(user)
        })
      )
  ).pipe(Command.withDescription("Have your app told again of what was given up; the app's own processes do it."))

const bury = ({ run, terminal }: CommandLine) =>
  Command.make(
    "bury",
    {
      ...onDatabase,
      yes,
      by: optional("by", "NAME", "Who you are, for the audit trail."),
      ids: Args.atLeast(
        Args.text({ name: "id" }).pipe(Args.withDescription("A notification's id, as notifications list shows it.")),
        1
      )
    },
    ({ by, database, ...options }) =>
      run(async () =>
        (await import("../notifications.ts")).bury(terminal, {
          ...options,
          database: Option.getOrUndefined(database),
          by: Option.getOrUndefined(by)
        })
      )
  ).pipe(
    Command.withDescription("Put aside what was given up, or fails again and again: your app is never told of it.")
  )

export const notifications = (line: CommandLine) =>
  Command.make("notifications").pipe(
    Command.withDescription("What your app's handlers were to be told, and never took."),
    Command.withSubcommands([list(line), retry(line), bury(line)])
  )

import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { onDatabase, optional, yes } from "../options.ts"

const user = Args.text({ name: "user" }).pipe(Args.withDescription("The user's id in your app."))

export const exportUser = ({ run, terminal }: CommandLine) =>
  Command.make("export", { ...onDatabase, user }, ({ database, json, user }) =>
    run(async () =>
      (await import("../privacy.ts")).exportUser(terminal, user, { database: Option.getOrUndefined(database), json })
    )
  ).pipe(
    Command.withDescription(
      "Print all that is stored of one user, as JSON that they can be given. Example: kavach-polar export user_1 > user_1.json"
    )
  )

export const erase = ({ run, terminal }: CommandLine) =>
  Command.make(
    "erase",
    {
      ...onDatabase,
      yes,
      polar: Options.text("polar").pipe(
        Options.withPseudoName("keep|anonymize|delete"),
        Options.withDescription("What becomes of the customer at Polar. Deleting it ends its subscriptions.")
      ),
      subscriptions: optional(
        "subscriptions",
        "keep|cancel|revoke",
        "With --polar keep: whether their subscriptions go on, end with the period, or end now."
      ),
      user
    },
    ({ database, subscriptions, user, ...options }) =>
      run(async () =>
        (await import("../privacy.ts")).erase(terminal, user, {
          ...options,
          database: Option.getOrUndefined(database),
          subscriptions: Option.getOrUndefined(subscriptions)
        })
      )
  ).pipe(
    Command.withDescription(
      "Erase a user, here and at Polar. Says what that means, and asks. Example: kavach-polar erase user_1 --polar anonymize"
    )
  )

export const erasures = ({ run, terminal }: CommandLine) =>
  Command.make(
    "erasures",
    {
      ...onDatabase,
      resume: Options.boolean("resume").pipe(
        Options.withDescription("Go on now with those that wait for Polar, which your app does by itself.")
      )
    },
    ({ database, ...options }) =>
      run(async () =>
        (await import("../privacy.ts")).erasures(terminal, { ...options, database: Option.getOrUndefined(database) })
      )
  ).pipe(Command.withDescription("List who was erased, under their pseudonyms, and what waits for Polar."))

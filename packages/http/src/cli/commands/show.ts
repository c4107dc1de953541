import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { onDatabase } from "../options.ts"

export const show = ({ run, terminal }: CommandLine) =>
  Command.make(
    "show",
    {
      ...onDatabase,
      polar: Options.boolean("polar").pipe(
        Options.withDescription("Show beside it what Polar has. Changes nothing; needs POLAR_ACCESS_TOKEN.")
      ),
      query: Args.text({ name: "query" }).pipe(
        Args.withDescription(
          "A user's id, an e-mail address, or Polar's id of a customer, a subscription, an order or a checkout."
        )
      )
    },
    ({ database, json, polar, query }) =>
      run(async () =>
        (await import("../show.ts")).show(terminal, query, { database: Option.getOrUndefined(database), json, polar })
      )
  ).pipe(
    Command.withDescription(
      'Show all that is known of one person, for whoever says "I paid": do they have access, why, what helps, and how it came to that.'
    )
  )

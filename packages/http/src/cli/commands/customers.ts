import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { dryRun, onDatabase, optional } from "../options.ts"

const by = optional("by", "NAME", "Who does it: kept with the change.")

const idOf = (name: string, description: string) => Args.text({ name }).pipe(Args.withDescription(description))

const needed = (name: string, description: string) =>
  Options.text(name).pipe(Options.withPseudoName("ID"), Options.withDescription(description))

const user = needed("user", "The user whose it is from then on.")

const waiting = ({ run, terminal }: CommandLine) =>
  Command.make("waiting", onDatabase, ({ database, json }) =>
    run(async () =>
      (await import("../customers.ts")).waiting(terminal, { database: Option.getOrUndefined(database), json })
    )
  ).pipe(Command.withDescription("List what nobody is known to have, and what it offers as evidence."))

const link = ({ run, terminal }: CommandLine) =>
  Command.make(
    "link",
    { ...onDatabase, dryRun, by, user, customer: idOf("customer", "The customer's id at Polar.") },
    ({ by, customer, database, dryRun, json, user }) =>
      run(async () =>
        (await import("../customers.ts")).link(terminal, {
          database: Option.getOrUndefined(database),
          by: Option.getOrUndefined(by),
          json,
          dryRun,
          id: customer,
          user
        })
      )
  ).pipe(Command.withDescription("Link a customer that is nobody's to a user, who gets what waits of it."))

const move = ({ run, terminal }: CommandLine) =>
  Command.make(
    "move",
    {
      ...onDatabase,
      dryRun,
      by,
      user,
      id: idOf("id", "A customer, or one record: a subscription, an order.")
    },
    ({ by, database, dryRun, id, json, user }) =>
      run(async () =>
        (await import("../customers.ts")).move(terminal, {
          database: Option.getOrUndefined(database),
          by: Option.getOrUndefined(by),
          json,
          dryRun,
          id,
          user
        })
      )
  ).pipe(Command.withDescription("Give a customer, or one record, to another user."))

const unlink = ({ run, terminal }: CommandLine) =>
  Command.make(
    "unlink",
    { ...onDatabase, dryRun, by, customer: idOf("customer", "The customer's id at Polar.") },
    ({ by, customer, database, dryRun, json }) =>
      run(async () =>
        (await import("../customers.ts")).unlink(terminal, {
          database: Option.getOrUndefined(database),
          by: Option.getOrUndefined(by),
          json,
          dryRun,
          id: customer
        })
      )
  ).pipe(Command.withDescription("End the link of a customer; what its user had by no more than it waits."))

export const customers = (line: CommandLine) =>
  Command.make("customers").pipe(
    Command.withDescription("Whose customers and records are: to look at, and to put right."),
    Command.withSubcommands([waiting(line), link(line), move(line), unlink(line)])
  )

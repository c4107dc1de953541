import * as Command from "@effect/cli/Command"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { json, optional } from "../options.ts"

export const demo = ({ run, terminal }: CommandLine) =>
  Command.make(
    "demo",
    {
      port: optional("port", "NUMBER", "The port to listen on. Default: PORT, else 3000."),
      host: optional(
        "host",
        "ADDRESS",
        "The address to listen on. Default: 127.0.0.1. On any other, whoever reaches it can be any of its users."
      ),
      data: optional("data", "FOLDER", "For the secret and the database. Default: KAVACH_POLAR_DATA, else ./data."),
      database: optional(
        "database",
        "URL",
        "An empty database to use instead of a file in the folder. Default: DATABASE_URL."
      ),
      json
    },
    ({ data, database, host, json, port }) =>
      run(async () =>
        (await import("../demo.ts")).demo(terminal, {
          json,
          data: Option.getOrUndefined(data),
          database: Option.getOrUndefined(database),
          host: Option.getOrUndefined(host),
          port: Option.getOrUndefined(port)
        })
      )
  ).pipe(
    Command.withDescription(
      "Try it: billing behind a small HTTP server, with two users who are signed in by a header. Not for production."
    )
  )

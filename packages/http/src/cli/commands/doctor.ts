import * as Command from "@effect/cli/Command"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { onDatabase } from "../options.ts"

export const doctor = ({ run, terminal }: CommandLine) =>
  Command.make("doctor", onDatabase, ({ database, json }) =>
    run(async () =>
      (await import("../doctor.ts")).doctor(terminal, { json, database: Option.getOrUndefined(database) })
    )
  ).pipe(
    Command.withDescription(
      "Say what is wrong, and what puts it right: the database, the token, the webhook endpoint, what waits, and whether both sides say the same."
    )
  )

import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { onDatabase } from "../options.ts"

const send = Options.boolean("send").pipe(
  Options.withDescription(
    "Also send a delivery to POLAR_WEBHOOK_URL, signed with POLAR_WEBHOOK_SECRET: whether your app accepts it. It does nothing there."
  )
)

export const doctor = ({ run, terminal }: CommandLine) =>
  Command.make("doctor", { ...onDatabase, send }, ({ database, json, send }) =>
    run(async () =>
      (await import("../doctor.ts")).doctor(terminal, { json, send, database: Option.getOrUndefined(database) })
    )
  ).pipe(
    Command.withDescription(
      "Say what is wrong, and what puts it right: the database, the token, the webhook endpoint and its secret, what waits, and whether both sides say the same."
    )
  )

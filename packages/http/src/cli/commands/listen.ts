import * as Command from "@effect/cli/Command"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { json, optional } from "../options.ts"

export const listen = ({ run, terminal }: CommandLine) =>
  Command.make(
    "listen",
    {
      to: optional("to", "URL", "Where to forward to. Default: http://127.0.0.1:3000/auth/polar/webhook."),
      data: optional("data", "FOLDER", "The demo's folder, for its secret. Default: KAVACH_POLAR_DATA, else ./data."),
      json
    },
    ({ data, json, to }) =>
      run(async () =>
        (await import("../listen.ts")).listen(terminal, {
          json,
          data: Option.getOrUndefined(data),
          to: Option.getOrUndefined(to)
        })
      )
  ).pipe(
    Command.withDescription(
      "Forward your organization's events from Polar to an app on this machine, without a tunnel, signed with POLAR_WEBHOOK_SECRET."
    )
  )

import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { json, optional } from "../options.ts"

export const send = ({ run, terminal }: CommandLine) =>
  Command.make(
    "send",
    {
      files: Args.text({ name: "FILE" }).pipe(
        Args.withDescription("A file with the body of a webhook, as Polar sends it."),
        Args.atLeast(1)
      ),
      url: optional("url", "URL", "Where to deliver to. Default: http://127.0.0.1:3000/auth/polar/webhook."),
      secret: optional(
        "secret",
        "SECRET",
        "The signing secret. Default: POLAR_WEBHOOK_SECRET, else that of the demo in the data folder."
      ),
      data: optional("data", "FOLDER", "The demo's folder. Default: KAVACH_POLAR_DATA, else ./data."),
      json
    },
    ({ data, files, json, secret, url }) =>
      run(async () =>
        (await import("../send.ts")).send(terminal, files, {
          json,
          data: Option.getOrUndefined(data),
          secret: Option.getOrUndefined(secret),
          url: Option.getOrUndefined(url)
        })
      )
  ).pipe(Command.withDescription("Sign the body of a webhook as Polar does, and deliver it."))

import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { json, optional, writtenEnvFile, yes } from "../options.ts"

export const rotateSecret = ({ run, terminal }: CommandLine) =>
  Command.make(
    "rotate-secret",
    {
      url: optional("url", "URL", "The address of your webhook endpoint. Default: POLAR_WEBHOOK_URL."),
      envFile: writtenEnvFile,
      wait: Options.boolean("wait").pipe(
        Options.withDescription(
          "Wait until your app has accepted a delivery with the new secret, half an hour at most."
        )
      ),
      done: Options.boolean("done").pipe(Options.withDescription("Take the old secret out of the file again.")),
      yes,
      json
    },
    ({ envFile, url, ...options }) =>
      run(async () =>
        (await import("../rotateSecret.ts")).rotateSecret(terminal, {
          ...options,
          envFile: Option.getOrUndefined(envFile),
          url: Option.getOrUndefined(url)
        })
      )
  ).pipe(
    Command.withDescription(
      "Have Polar make a new secret for your webhook endpoint, and keep the old one beside it until your app runs with both. Example: kavach-polar rotate-secret --env-file .env --wait"
    )
  )

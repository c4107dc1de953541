import * as Command from "@effect/cli/Command"
import * as Option from "effect/Option"
import type { CommandLine } from "../CommandLine.ts"
import { dryRun, json, optional, writtenEnvFile, yes } from "../options.ts"

export const setup = ({ run, terminal }: CommandLine) =>
  Command.make(
    "setup",
    {
      url: optional(
        "url",
        "URL",
        "Where your app takes webhooks: https://app.example.com/auth/polar/webhook. Default: POLAR_WEBHOOK_URL."
      ),
      envFile: writtenEnvFile,
      yes,
      dryRun,
      json
    },
    ({ envFile, url, ...options }) =>
      run(async () =>
        (await import("../setup.ts")).setup(terminal, {
          ...options,
          envFile: Option.getOrUndefined(envFile),
          url: Option.getOrUndefined(url)
        })
      )
  ).pipe(
    Command.withDescription(
      "Create or correct your webhook endpoint at Polar. Shows what would be changed, and asks. Example: kavach-polar setup --url https://app.example.com/auth/polar/webhook --env-file .env"
    )
  )

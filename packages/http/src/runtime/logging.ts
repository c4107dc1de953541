/** Where a billing's log goes: the app's logger, or Effect's, which writes to the console. */
import { causeLine, oneLine } from "@kavach-polar/core/logText"
import * as Cause from "effect/Cause"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import type { PolarLogger } from "../config/PolarConfig.ts"
import type { PolarSettings } from "../config/settings.ts"

type LogSettings = Pick<PolarSettings, "accessToken" | "logger" | "logLevel" | "webhookSecrets">

export const loggingLayer = (settings: LogSettings): Layer.Layer<never> => {
  const level = Logger.minimumLogLevel(settings.logLevel)
  if (settings.logger === undefined) return level
  return Layer.merge(level, Logger.replace(Logger.defaultLogger, loggerTo(settings.logger, secretsOf(settings))))
}

const loggerTo = (logger: PolarLogger, secrets: ReadonlyArray<string>): Logger.Logger<unknown, void> =>
  Logger.make((entry) => {
    const line = [
      ...[entry.message].flat().map(textOf),
      ...HashMap.toEntries(entry.annotations).map(([name, value]) => `${name}=${textOf(value)}`),
      ...(Cause.isEmpty(entry.cause) ? [] : [causeLine(entry.cause)])
    ].join(" ")
    try {
      logger[methodOf(entry.logLevel)](secrets.reduce((text, secret) => text.replaceAll(secret, "<redacted>"), line))
    } catch {
      // The app's logger failed, and billing goes on. What was to be logged goes to the console.
      Logger.defaultLogger.log(entry)
    }
  })

const secretsOf = ({ accessToken, webhookSecrets }: LogSettings): ReadonlyArray<string> =>
  [...(accessToken === undefined ? [] : [accessToken]), ...webhookSecrets].map(Redacted.value)

const textOf = (value: unknown): string =>
  oneLine(
    typeof value === "string" ? value : value instanceof Error ? value.message : (JSON.stringify(value) ?? ""),
    8000
  )

const methodOf = ({ _tag }: LogLevel.LogLevel): keyof PolarLogger => {
  switch (_tag) {
    case "Fatal":
    case "Error":
      return "error"
    case "Warning":
      return "warn"
    case "Info":
      return "info"
    default:
      return "debug"
  }
}

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

/** What is known beside the sentence: ids, types, states and how often, never a body. */
type Fields = Readonly<Record<string, string | number | boolean>>

const loggerTo = (logger: PolarLogger, secrets: ReadonlyArray<string>): Logger.Logger<unknown, void> => {
  const withoutSecrets = (text: string): string =>
    secrets.reduce((rest, secret) => rest.replaceAll(secret, "<redacted>"), text)
  const textOf = (value: unknown): string => withoutSecrets(lineOf(value))
  const write = isPino(logger) ? writeFields(logger) : writeLine(logger)
  return Logger.make((entry) => {
    const fields = Object.fromEntries([
      ...HashMap.toEntries(entry.annotations).map(([name, value]) => [
        name,
        typeof value === "number" || typeof value === "boolean" ? value : textOf(value)
      ]),
      ...(Cause.isEmpty(entry.cause) ? [] : [["cause", withoutSecrets(causeLine(entry.cause))]])
    ]) as Fields
    const message = [entry.message].flat().map(textOf).join(" ")
    try {
      write(methodOf(entry.logLevel), message, fields)
    } catch {
      // The app's logger failed, and billing goes on. What was to be logged goes to the console.
      Logger.defaultLogger.log(entry)
    }
  })
}

type Method = keyof PolarLogger
type Write = (method: Method, message: string, fields: Fields) => void

/** One line, for `console` and whatever takes a text: `Received a delivery. delivery=evt_1 state=applied`. */
const writeLine =
  (logger: PolarLogger): Write =>
  (method, message, fields) =>
    logger[method]([message, ...Object.entries(fields).map(([name, value]) => `${name}=${value}`)].join(" "))

interface PinoLogger extends Readonly<Record<Method, (fields: Fields, message: string) => void>> {
  readonly bindings: () => object
}

/** It takes the fields by themselves, before the message; so does Fastify's, which is one. */
const isPino = (logger: object): logger is PinoLogger => typeof Reflect.get(logger, "bindings") === "function"

const writeFields =
  (logger: PinoLogger): Write =>
  (method, message, fields) =>
    logger[method](fields, message)

const secretsOf = ({ accessToken, webhookSecrets }: LogSettings): ReadonlyArray<string> =>
  [...(accessToken === undefined ? [] : [accessToken]), ...webhookSecrets].map(Redacted.value)

const lineOf = (value: unknown): string =>
  oneLine(
    typeof value === "string" ? value : value instanceof Error ? value.message : (JSON.stringify(value) ?? ""),
    8000
  )

const methodOf = ({ _tag }: LogLevel.LogLevel): Method => {
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

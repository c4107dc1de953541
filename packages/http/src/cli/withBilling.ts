/** Billing for a command that looks after a database which an app is using: no server, and no callbacks. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Billing from "@kavach-polar/core/Billing"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import { addressOf, storeAt } from "../host/database.ts"
import { databaseOf } from "./database.ts"
import { openDataFolder } from "./dataFolder.ts"
import { accessTokenOf, isSandbox } from "./environment.ts"
import type { Options } from "./options.ts"
import { CommandFailed, type Terminal } from "./Terminal.ts"

/**
 * Runs `use`, and closes the database after. Notifications that it queues are delivered by the app: it must never be this
 * process that takes them, because it has no callback to give them to.
 */
export const withBilling = async <A, E>(
  terminal: Terminal,
  options: Options,
  use: (billing: Billing.BillingService) => Effect.Effect<A, E>
): Promise<A> => {
  const { env } = terminal
  const folder = await openDataFolder(options.data, env)
  const { authToken, provider, url } = databaseOf(options.database, env, folder)
  const address = Either.getOrThrowWith(
    addressOf({ provider, url, authToken }),
    (problem) => new CommandFailed(`The database: ${problem}.`)
  )
  const ports = Layer.mergeAll(
    storeAt(address),
    clientOf(env),
    NotificationDispatcher.layerElsewhere,
    // No delivery is received here.
    WebhookVerifier.layerMemory
  )
  const billing = Billing.layer({
    organizationId: env["POLAR_ORGANIZATION_ID"],
    webhookUrl: env["POLAR_WEBHOOK_URL"]
  })
  const program = Effect.flatMap(Billing.Billing, (service) => Effect.zipRight(service.start, use(service)))
  const exit = await Effect.runPromiseExit(
    program.pipe(
      Effect.provide(Layer.provide(billing, ports)),
      Logger.withMinimumLogLevel(LogLevel.Warning),
      Effect.provide(loggerTo(terminal)),
      Effect.raceFirst(
        Effect.zipRight(
          Effect.promise(() => terminal.stopped),
          Effect.interrupt
        )
      )
    )
  )
  if (Exit.isSuccess(exit)) return exit.value
  if (Cause.isInterruptedOnly(exit.cause)) throw new CommandFailed("Stopped. What was done so far stays done.")
  throw Cause.squash(exit.cause)
}

const clientOf = (env: Terminal["env"]): Layer.Layer<PolarClient.PolarClient> => {
  const accessToken = accessTokenOf(env)
  if (accessToken === undefined) return PolarClient.layerDisabled("POLAR_ACCESS_TOKEN is not set.")
  const apiBaseUrl = env["POLAR_API_URL"]
  return Layer.provide(
    PolarClient.layer({
      accessToken: Redacted.make(accessToken),
      sandbox: isSandbox(env),
      ...(apiBaseUrl === undefined ? {} : { apiBaseUrl })
    }),
    FetchHttpClient.layer
  )
}

/** Standard output is for the result alone. */
const loggerTo = (terminal: Terminal) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.map(Logger.logfmtLogger, (line) => terminal.err(line))
  )

/** Billing for a command that looks after a database which an app is using: no server, and no callbacks. */
import * as Billing from "@kavach-polar/core/Billing"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import { storeAt } from "../host/database.ts"
import type { DatabaseAddress } from "../host/databaseOptions.ts"
import { polarFetch } from "../runtime/polarFetch.ts"
import { existingDatabaseOf } from "./database.ts"
import { accessTokenOf, isSandbox } from "./environment.ts"
import { CommandFailed, type Terminal } from "./Terminal.ts"

/**
 * Runs `use`, and closes the database after. The tables are taken as they are: to change them is the command `migrate`'s.
 * Notifications that are queued are delivered by the app: it must never be this process that takes them, because it has no
 * callback to give them to.
 */
export const withBilling = <A, E>(
  terminal: Terminal,
  options: OnDatabase,
  use: (billing: Billing.BillingService) => Effect.Effect<A, E>
): Promise<A> =>
  runOn(
    terminal,
    Effect.zipRight(
      requireTables,
      Effect.flatMap(Billing.Billing, (service) => Effect.zipRight(service.start, use(service)))
    ).pipe(Effect.provide(billingOn(terminal, options)))
  )

/** The same on whatever tables there are, or none. */
export const withBillingAsItIs = <A, E>(
  terminal: Terminal,
  options: OnDatabase,
  use: (billing: Billing.BillingService) => Effect.Effect<A, E>
): Promise<A> => runOn(terminal, Effect.provide(Effect.flatMap(Billing.Billing, use), billingOn(terminal, options)))

interface OnDatabase {
  readonly database: string | undefined
}

/** Runs `use` with Polar alone: no database is needed. */
export const withPolar = <A, E>(terminal: Terminal, use: Effect.Effect<A, E, PolarClient.PolarClient>): Promise<A> =>
  runOn(terminal, Effect.provide(use, clientOf(terminal.env)))

const billingOn = ({ env }: Terminal, options: OnDatabase) => {
  const store = storeAt({ ...existingDatabaseOf(options.database, env).address, asItIs: true })
  const ports = Layer.mergeAll(
    clientOf(env),
    NotificationDispatcher.layerElsewhere,
    // No delivery is received here.
    WebhookVerifier.layerMemory
  )
  const billing = Layer.provide(
    Billing.layer({
      organizationId: env["POLAR_ORGANIZATION_ID"],
      webhookUrl: env["POLAR_WEBHOOK_URL"],
      migrate: false
    }),
    ports
  )
  return Layer.provideMerge(billing, store)
}

/** Runs `use` on the store alone. */
export const withStore = <A, E>(
  terminal: Terminal,
  address: DatabaseAddress,
  use: (store: typeof BillingStore.Service) => Effect.Effect<A, E>
): Promise<A> => runOn(terminal, Effect.provide(Effect.flatMap(BillingStore, use), storeAt(address)))

/** Runs `use` on the store of a database that an app is using: its tables are taken as they are. */
export const withStoreInUse = <A, E>(
  terminal: Terminal,
  options: OnDatabase,
  use: (store: typeof BillingStore.Service) => Effect.Effect<A, E>
): Promise<A> =>
  withStore(terminal, { ...existingDatabaseOf(options.database, terminal.env).address, asItIs: true }, (store) =>
    Effect.zipRight(Effect.provideService(requireTables, BillingStore, store), use(store))
  )

/** Nothing can be done about tables that are not there, or are those of an earlier version. */
const requireTables = Effect.flatMap(BillingStore, (store) =>
  Effect.flatMap(store.migrationStatus, ({ applied, pending }) =>
    pending.length === 0
      ? Effect.void
      : Effect.fail(
          new CommandFailed(
            `${applied.length === 0 ? "The database has no tables of billing" : `The database has yet to have ${pending.join(", ")}`}. Run: kavach-polar migrate`
          )
        )
  )
)

const runOn = async <A>(terminal: Terminal, program: Effect.Effect<A, unknown>): Promise<A> => {
  const exit = await Effect.runPromiseExit(
    program.pipe(
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
    polarFetch
  )
}

/** Standard output is for the result alone. */
const loggerTo = (terminal: Terminal) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.map(Logger.logfmtLogger, (line) => terminal.err(line))
  )

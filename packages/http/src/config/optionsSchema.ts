/** What `polar()` takes: an option is one line here, and one in `PolarConfig`. What this lacks does not compile. */

import { optionsSchema as handlers } from "@kavach-polar/core/Handlers"
import {
  anyText,
  boolean,
  callback,
  type Given,
  group,
  layer,
  numberBetween,
  oneOf,
  optional,
  positiveWhole,
  said,
  shaped,
  wholeNumberBetween
} from "@kavach-polar/core/Options"
import { productsSchema } from "@kavach-polar/core/Products"
import * as Schema from "effect/Schema"
import { originOf } from "../routes/redirectUrl.ts"
import { routesOption } from "../routes/routesOption.ts"
import type { AuthorizeAction, PolarBodies, PolarConfig, PolarLogger, PolarTelemetry } from "./PolarConfig.ts"

const httpUrl = said(
  Schema.String.pipe(Schema.filter((value) => value.trim() === "" || originOf(value.trim()) !== undefined)),
  "it must be an http(s) URL"
)

const origin = said(
  Schema.String.pipe(Schema.filter((value) => originOf(value) === value.replace(/\/$/, "").toLowerCase())),
  "it must be an origin such as https://app.example.com, without a path"
)

/** A member that is undefined is a variable that is not set, which is told later: see `settings`. */
const secrets = said(
  Schema.Union(Schema.String, Schema.Array(Schema.UndefinedOr(Schema.String))),
  "it must be the endpoint's secret, or a list of secrets"
)

const sqlName = Schema.String.pipe(Schema.filter((value) => /^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$/.test(value)))

// No more than a date can hold when they are added to it.
const longestGraceDays = 36500

// Not so often that Polar's limit of requests is used up by it, nor so rarely that no timer can hold it.
const shortestReconcileHours = 0.25
const longestReconcileHours = 24 * 365

// Dedupe knows every delivery for longer than that, so none that is sent again is applied twice.
const longestToleranceSeconds = 7 * 24 * 3600

// A year: an outage of Polar is over by then.
const longestKeptSeconds = 365 * 24 * 3600

// An hour: who lost access elsewhere keeps it here for so long.
const longestCachedSeconds = 3600

const longestCallSeconds = 3600

// Nobody waits longer for a page.
const longestBuyersWait = 60

const sessionsPerMinute = said(
  Schema.Number.pipe(
    Schema.filter((value) => value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && value > 0))
  ),
  "it must be a whole number from 1, or Infinity for no limit"
)

const withFunction = <A>(name: string) =>
  said(
    Schema.declare(
      (value): value is A =>
        typeof value === "object" && value !== null && typeof Reflect.get(value, name) === "function"
    ),
    `it must be OpenTelemetry's, with the function ${name}`
  )

const telemetry = group(
  Schema.Struct({
    traces: optional(boolean),
    metrics: optional(boolean),
    tracerProvider: optional(withFunction<NonNullable<PolarTelemetry["tracerProvider"]>>("getTracer")),
    meterProvider: optional(withFunction<NonNullable<PolarTelemetry["meterProvider"]>>("getMeter"))
  })
)

const logger = said(
  Schema.declare(
    (value): value is PolarLogger =>
      typeof value === "object" &&
      value !== null &&
      ["debug", "info", "warn", "error"].every((name) => typeof Reflect.get(value, name) === "function")
  ),
  "it must have the functions debug, info, warn and error, as pino and console have"
)

const bodies = said(
  Schema.Union(
    Schema.Literal("none"),
    Schema.Struct({ encrypt: callback<PolarBodies["encrypt"]>(), decrypt: callback<PolarBodies["decrypt"]>() })
  ),
  'it must be { encrypt, decrypt }, both functions, or "none"'
)

// A week: longer than that no webhook is on its way.
const longestToleranceMinutes = 7 * 24 * 60

const granting = said(
  Schema.Literal("granted", "denied"),
  'it must be "granted" or "denied": grace is counted from a payment that is overdue'
)

/** What is over, or has never begun, gives nothing, so there is nothing to choose. */
const never = (why: string) => said(Schema.Literal("denied"), `it can only be "denied": ${why}`)

const statuses = shaped(
  Schema.Struct({
    trialing: optional(granting),
    active: optional(granting),
    past_due: optional(oneOf("granted", "grace", "denied")),
    paused: optional(granting),
    canceled: optional(never("Polar calls a subscription so when it is over")),
    unpaid: optional(never("Polar has given up asking for the money, and the subscription is over")),
    incomplete: optional(never("the first payment has not come yet")),
    incomplete_expired: optional(never("the first payment never came"))
  }),
  "it must say of statuses what they give"
)

const fields = {
  accessToken: optional(anyText),
  webhookSecret: optional(secrets),
  organizationId: optional(anyText),
  products: optional(productsSchema({ missing: "allowed" })),
  sandbox: optional(boolean),
  onSubscriptionChange: optional(callback<NonNullable<PolarConfig["onSubscriptionChange"]>>()),
  refreshWhenDenied: optional(said(Schema.Literal(true, false, "await"), 'it must be true, false or "await"')),
  accessCache: optional(
    group(Schema.Struct({ maxAgeSeconds: numberBetween(0.1, longestCachedSeconds, "a number of seconds") }))
  ),
  licenseKeys: optional(
    group(
      Schema.Struct({
        maxAgeSeconds: optional(numberBetween(0, longestKeptSeconds, "a number of seconds")),
        staleIfErrorSeconds: optional(numberBetween(0, longestKeptSeconds, "a number of seconds"))
      })
    )
  ),
  routes: optional(routesOption),
  authorize: optional(callback<AuthorizeAction>()),
  ...handlers,
  callback: optional(
    group(
      Schema.Struct({
        timeoutSeconds: optional(numberBetween(0.1, longestCallSeconds, "a number of seconds")),
        attempts: optional(wholeNumberBetween(1, 100, "a whole number of calls")),
        concurrency: optional(wholeNumberBetween(1, 1000, "a whole number of calls")),
        mode: optional(oneOf("background", "beforeAnswer"))
      })
    )
  ),
  userExists: optional(callback<NonNullable<PolarConfig["userExists"]>>()),
  externalIds: optional(oneOf("known", "trust")),
  emailVerified: optional(callback<NonNullable<PolarConfig["emailVerified"]>>()),
  trustedOrigins: optional(shaped(Schema.Array(origin), "it must be a list of origins")),
  accessPolicy: optional(
    group(
      Schema.Struct({
        gracePeriodDays: optional(numberBetween(0, longestGraceDays, "a number of days")),
        endToleranceMinutes: optional(numberBetween(0, longestToleranceMinutes, "a number of minutes")),
        statuses: optional(statuses)
      })
    )
  ),
  users: optional(
    said(
      Schema.Union(
        Schema.Literal(false),
        Schema.Struct({ table: sqlName, id: sqlName, email: optional(sqlName), name: optional(sqlName) })
      ),
      "it must be false, or { table, id, email?, name? } with names of letters, digits and _"
    )
  ),
  store: optional(layer<NonNullable<PolarConfig["store"]>>()),
  client: optional(layer<NonNullable<PolarConfig["client"]>>()),
  buyerTimeoutSeconds: optional(numberBetween(0.1, longestBuyersWait, "a number of seconds")),
  sessionsPerMinute: optional(sessionsPerMinute),
  trialOncePerUser: optional(boolean),
  apiBaseUrl: optional(httpUrl),
  webhookUrl: optional(httpUrl),
  toleranceSeconds: optional(numberBetween(1, longestToleranceSeconds, "a number of seconds")),
  reconcileEveryHours: optional(
    said(
      Schema.Union(
        Schema.Number.pipe(Schema.between(shortestReconcileHours, longestReconcileHours)),
        Schema.Literal(0, false)
      ),
      `it must be a number of hours, from ${shortestReconcileHours} to ${longestReconcileHours}, or 0 or false for never`
    )
  ),
  retentionDays: optional(
    said(Schema.Number.pipe(Schema.positive()), "it must be a number of days above 0, or Infinity to keep all")
  ),
  bodies: optional(bodies),
  migrate: optional(boolean),
  webhookBodyLimitBytes: optional(positiveWhole("a number of bytes")),
  telemetry: optional(telemetry),
  logger: optional(logger),
  logLevel: optional(oneOf("debug", "info", "warning", "error", "none"))
}

/** All of them, each of which may be absent: what must be there is told when it is used. */
export const optionsSchema: Schema.Schema<Given<PolarConfig>> = Schema.Struct(fields)

/** The configuration of `polar()`, checked once, at start. No option is silent: what is unknown or misspelt is an error. */
import * as AccessPolicy from "@kavach-polar/core/AccessPolicy"
import type { MaintenanceOptions } from "@kavach-polar/core/Maintenance"
import { knownStatuses } from "@kavach-polar/core/Subscription"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as ParseResult from "effect/ParseResult"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { originOf } from "../routes/redirectUrl.ts"
import { type PolarConfig, PolarConfigError } from "./PolarConfig.ts"

/** The configuration as the rest of the package reads it. */
export interface PolarSettings {
  /** `undefined` only where `client` is given. */
  readonly accessToken: Redacted.Redacted | undefined
  readonly webhookSecrets: ReadonlyArray<Redacted.Redacted>
  readonly organizationId: string | undefined
  readonly sandbox: boolean
  readonly onSubscriptionChange: PolarConfig["onSubscriptionChange"]
  readonly trustedOrigins: ReadonlyArray<string> | undefined
  readonly policy: AccessPolicy.AccessPolicy
  readonly store: PolarConfig["store"]
  readonly client: PolarConfig["client"]
  readonly apiBaseUrl: string | undefined
  readonly webhookUrl: string | undefined
  readonly maintenance: MaintenanceOptions
  readonly migrate: boolean
  readonly webhookBodyLimit: number | undefined
  readonly logLevel: LogLevel.LogLevel
}

const logLevels = {
  debug: LogLevel.Debug,
  info: LogLevel.Info,
  warning: LogLevel.Warning,
  error: LogLevel.Error,
  none: LogLevel.None
}

const said = <A, I>(schema: Schema.Schema<A, I>, message: string) =>
  schema.annotations({ message: () => ({ message, override: true }) })

/** Says it only of a value that is of another kind altogether; what is wrong inside is said by the parts. */
const shaped = <A, I>(schema: Schema.Schema<A, I>, message: string) => schema.annotations({ message: () => message })

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(schema)

const text = (what: string) =>
  said(Schema.String.pipe(Schema.filter((value) => value.trim() !== "")), `it must be ${what}, and is blank or no text`)

const callback = said(
  Schema.declare((value): value is NonNullable<PolarConfig["onSubscriptionChange"]> => typeof value === "function"),
  "it must be a function"
)

const layer = said(
  Schema.declare((value): value is Layer.Layer<never, unknown> => Layer.isLayer(value)),
  "it must be a Layer"
)

const httpUrl = said(
  Schema.String.pipe(Schema.filter((value) => originOf(value) !== undefined)),
  "it must be an http(s) URL"
)

const boolean = said(Schema.Boolean, "it must be true or false")

const Entitlement = said(Schema.Literal("granted", "grace", "denied"), 'it must be "granted", "grace" or "denied"')

// No more than a date can hold when they are added to it.
const longestGraceDays = 36500

// Not so often that Polar's limit of requests is used up by it, nor so rarely that no timer can hold it.
const shortestReconcileHours = 0.25
const longestReconcileHours = 24 * 365

const ConfigShape = Schema.Struct({
  accessToken: optional(text("an organization access token (polar_oat_…)")),
  webhookSecret: optional(
    said(
      Schema.Union(Schema.String, Schema.Array(Schema.String)),
      "it must be the endpoint's secret, or a list of secrets"
    )
  ),
  organizationId: optional(text("Polar's id of your organization")),
  sandbox: optional(boolean),
  onSubscriptionChange: optional(callback),
  trustedOrigins: optional(
    shaped(
      Schema.Array(
        said(
          Schema.String.pipe(Schema.filter((value) => originOf(value) === value.replace(/\/$/, "").toLowerCase())),
          "it must be an origin such as https://app.example.com, without a path"
        )
      ),
      "it must be a list of origins"
    )
  ),
  accessPolicy: optional(
    shaped(
      Schema.Struct({
        gracePeriodDays: optional(
          said(
            Schema.Number.pipe(Schema.between(0, longestGraceDays)),
            `it must be a number of days, from 0 to ${longestGraceDays}`
          )
        ),
        statuses: optional(
          shaped(
            Schema.partial(
              Schema.Record({ key: Schema.Literal(...knownStatuses), value: Schema.UndefinedOr(Entitlement) })
            ),
            "it must say of statuses what they give"
          )
        )
      }),
      "it must be an object"
    )
  ),
  store: optional(layer),
  client: optional(layer),
  apiBaseUrl: optional(httpUrl),
  webhookUrl: optional(httpUrl),
  reconcileEveryHours: optional(
    said(
      Schema.Number.pipe(Schema.between(shortestReconcileHours, longestReconcileHours)),
      `it must be a number of hours, from ${shortestReconcileHours} to ${longestReconcileHours}`
    )
  ),
  retentionDays: optional(
    said(Schema.Number.pipe(Schema.positive()), "it must be a number of days, or Infinity to keep all bodies")
  ),
  migrate: optional(boolean),
  webhookBodyLimit: optional(said(Schema.Int.pipe(Schema.positive()), "it must be a number of bytes")),
  logLevel: optional(
    said(Schema.Literal("debug", "info", "warning", "error", "none"), "it must be debug, info, warning, error or none")
  )
})

const check = Schema.validateEither(shaped(ConfigShape, "it must be an object"), { onExcessProperty: "error" })

/** Checks the configuration; the first fault found comes back, named by its field. */
export const settingsOf = (config: PolarConfig): Either.Either<PolarSettings, PolarConfigError> =>
  Either.gen(function* () {
    yield* Either.mapLeft(check(config), configError)
    const { accessToken, webhookSecret } = config
    if (accessToken === undefined && config.client === undefined) {
      return yield* Either.left(
        new PolarConfigError({
          field: "accessToken",
          problem: "it is missing. Make an organization access token in your organization's settings at Polar"
        })
      )
    }
    if (webhookSecret === undefined) {
      return yield* Either.left(
        new PolarConfigError({
          field: "webhookSecret",
          problem: "it is missing. Polar shows it when you add a webhook endpoint"
        })
      )
    }
    return {
      accessToken: accessToken === undefined ? undefined : Redacted.make(accessToken.trim()),
      webhookSecrets: (typeof webhookSecret === "string" ? [webhookSecret] : webhookSecret).map((secret) =>
        Redacted.make(secret)
      ),
      organizationId: config.organizationId,
      sandbox: config.sandbox ?? false,
      onSubscriptionChange: config.onSubscriptionChange,
      trustedOrigins: config.trustedOrigins?.map((origin) => originOf(origin) ?? origin),
      policy: policyOf(config.accessPolicy),
      store: config.store,
      client: config.client,
      apiBaseUrl: config.apiBaseUrl,
      webhookUrl: config.webhookUrl,
      maintenance: {
        retention: config.retentionDays === undefined ? undefined : Duration.days(config.retentionDays),
        reconcileEvery:
          config.reconcileEveryHours === undefined ? undefined : Duration.hours(config.reconcileEveryHours)
      },
      migrate: config.migrate ?? true,
      webhookBodyLimit: config.webhookBodyLimit,
      logLevel: logLevels[config.logLevel ?? "info"]
    }
  })

/** As `settingsOf`, and tries the secrets; throws what is wrong. */
export const checkedSettings = (config: PolarConfig): PolarSettings => {
  const settings = Either.getOrThrowWith(settingsOf(config), (error) => error)
  Either.getOrThrowWith(
    Effect.runSync(Effect.either(WebhookVerifier.make({ secrets: settings.webhookSecrets }))),
    (error) => new PolarConfigError({ field: "webhookSecret", problem: error.message })
  )
  return settings
}

const configError = (error: ParseResult.ParseError): PolarConfigError => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  const field = issue === undefined || issue.path.length === 0 ? "the configuration" : issue.path.join(".")
  const problem =
    issue === undefined ? "it cannot be read" : issue._tag === "Unexpected" ? "there is no such option" : issue.message
  return new PolarConfigError({ field, problem })
}

const policyOf = (config: PolarConfig["accessPolicy"]): AccessPolicy.AccessPolicy => {
  const { gracePeriod, statuses } = AccessPolicy.defaultPolicy
  const changed = Object.entries(config?.statuses ?? {}).filter(([, entitlement]) => entitlement !== undefined)
  return {
    statuses: { ...statuses, ...Object.fromEntries(changed) },
    gracePeriod: config?.gracePeriodDays === undefined ? gracePeriod : Duration.days(config.gracePeriodDays)
  }
}

/** The configuration of `polar()`, checked once, at start. */
import * as AccessPolicy from "@kavach-polar/core/AccessPolicy"
import type { BillingStore } from "@kavach-polar/core/BillingStore"
import type { MaintenanceOptions } from "@kavach-polar/core/Maintenance"
import type { PolarClient } from "@kavach-polar/core/PolarClient"
import { type KnownStatus, knownStatuses } from "@kavach-polar/core/Subscription"
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

/** A user's subscription, as KavachOS documents it. */
export interface PolarSubscription {
  readonly id: string
  /** `active`, `trialing`, `past_due`, `paused`, `canceled`, … Polar adds statuses: treat one you don't know as no access. */
  readonly status: string
  readonly productId: string
  readonly currentPeriodEnd: Date | null
  /** Whether it is scheduled to end with the period. Until then it gives access. */
  readonly cancelAtPeriodEnd: boolean
}

export interface PolarConfig {
  /** An organization access token, `polar_oat_…`. Needed unless `client` is given. */
  readonly accessToken?: string | undefined
  /** The webhook endpoint's signing secret, or several while one is being replaced. */
  readonly webhookSecret: string | ReadonlyArray<string> | undefined
  /** Polar's id of your organization: deliveries of any other are ignored, and lists are narrowed to it. */
  readonly organizationId?: string | undefined
  /** Use Polar's sandbox: its own tokens, products and customers. Default: false. */
  readonly sandbox?: boolean | undefined
  /**
   * Called when a user's subscription visibly changed: after the change is stored, outside of any request, at least once,
   * in order. If it throws it is called again later. `notification.id` is the same on every try.
   */
  readonly onSubscriptionChange?:
    | ((
        userId: string,
        subscription: PolarSubscription,
        notification: { readonly id: string; readonly signal: AbortSignal }
      ) => void | Promise<void>)
    | undefined
  /** Where buyers may be sent back to, as origins: `https://app.example.com`. Default: any http(s) URL. */
  readonly trustedOrigins?: ReadonlyArray<string> | undefined
  /** What each status gives, and for how many days an overdue subscription keeps access (default 7). */
  readonly accessPolicy?:
    | {
        readonly gracePeriodDays?: number | undefined
        readonly statuses?: { readonly [Status in KnownStatus]?: AccessPolicy.Entitlement | undefined } | undefined
      }
    | undefined
  /** Where subscriptions are kept, for apps without KavachOS or with a database of their own for billing. */
  readonly store?: Layer.Layer<BillingStore, unknown> | undefined
  /** Talk to Polar through this instead; for tests, `PolarClient.layerMemory`. */
  readonly client?: Layer.Layer<PolarClient> | undefined
  /** Another address of Polar's API, such as a simulator's. */
  readonly apiBaseUrl?: string | undefined
  /**
   * Compare everything that is stored with Polar's API so often, and set right what differs: for what no webhook brought.
   * One process does it for all. Default: never.
   */
  readonly reconcileEveryHours?: number | undefined
  /**
   * The address of your webhook endpoint, as Polar has it: reconciliation reports when Polar has disabled it, and asks for
   * what it missed. Default: the endpoints whose path ends with `/auth/polar/webhook`.
   */
  readonly webhookUrl?: string | undefined
  /** For how many days the bodies of deliveries are kept, for replays. Default 90; `Infinity` keeps them. */
  readonly retentionDays?: number | undefined
  /** Create and upgrade the tables at start. Default: true. */
  readonly migrate?: boolean | undefined
  /** The largest delivery that is read, in bytes. Default 1 MiB. */
  readonly webhookBodyLimit?: number | undefined
  /** What is logged. Default `info`. */
  readonly logLevel?: "debug" | "info" | "warning" | "error" | "none" | undefined
}

/** The configuration cannot be used. `field` is the option's name. */
export class PolarConfigError extends Schema.TaggedError<PolarConfigError>()("PolarConfigError", {
  field: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `polar(): ${this.field}: ${this.problem}`
  }
}

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

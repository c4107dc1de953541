/**
 * The configuration of `polar()` as the rest of the package reads it.
 *
 * What can never be right is thrown at once: an unknown option, a wrong type, a secret that protects nothing. What is not
 * there may only not be there yet: a build imports the module that makes the billing, in an environment without secrets.
 * It is told, in the same words, by the first use.
 */

import * as AccessPolicy from "@kavach-polar/core/AccessPolicy"
import type { BillingOptions } from "@kavach-polar/core/Billing"
import type { MaintenanceOptions } from "@kavach-polar/core/Maintenance"
import type { DispatcherOptions } from "@kavach-polar/core/NotificationDispatcher"
import { damageOf, optionProblem, pastedText } from "@kavach-polar/core/Options"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { productsProblem } from "@kavach-polar/core/Products"
import { asksNobody } from "@kavach-polar/core/UserLookupFailed"
import { secretsIn } from "@kavach-polar/core/WebhookSecret"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import { originOf } from "../routes/redirectUrl.ts"
import { optionsSchema } from "./optionsSchema.ts"
import { type PolarConfig, PolarConfigError } from "./PolarConfig.ts"

/** The options that are read into something else. All others are as they were given. */
type Read = "accessToken" | "webhookSecret" | "callback" | "accessPolicy" | "retentionDays" | "reconcileEveryHours"

export interface PolarSettings extends Omit<PolarConfig, Read | "sandbox" | "migrate" | "logLevel"> {
  /** What has to be there and is not: whatever is asked of the billing fails with it. */
  readonly missing: PolarConfigError | undefined
  /** `undefined` where `client` is given, or it is missing. */
  readonly accessToken: Redacted.Redacted | undefined
  readonly webhookSecrets: ReadonlyArray<Redacted.Redacted>
  readonly policy: AccessPolicy.AccessPolicy
  readonly maintenance: MaintenanceOptions
  readonly dispatcher: DispatcherOptions
  readonly answer: BillingOptions["answer"]
  readonly sandbox: boolean
  readonly migrate: boolean
  readonly logLevel: LogLevel.LogLevel
}

const problemOf = optionProblem(optionsSchema)

/** Checks the configuration; the first fault found comes back, named by its field. */
export const settingsOf = (config: PolarConfig): Either.Either<PolarSettings, PolarConfigError> => {
  const found = problemOf(config)
  if (found !== undefined) {
    const { option, problem } = found
    return Either.left(new PolarConfigError({ field: option === "" ? "the configuration" : option, problem }))
  }
  if (config.userExists !== undefined && config.externalIds === "trust") {
    return Either.left(
      new PolarConfigError({
        field: "externalIds",
        problem: asksNobody
      })
    )
  }
  if (config.bodies === "none" && Object.values(config.on ?? {}).some((handler) => handler !== undefined)) {
    return Either.left(
      new PolarConfigError({
        field: "bodies",
        problem:
          'with "none" handlers in `on` could not be given what their event says. Leave them out, or encrypt bodies instead'
      })
    )
  }
  const silenced = silencedIn(config.telemetry)
  if (silenced !== undefined) return Either.left(silenced)
  const {
    accessPolicy,
    accessToken: token,
    callback,
    reconcileEveryHours,
    retentionDays,
    webhookSecret,
    ...rest
  } = config
  const accessToken = pastedText(token)
  const secrets = listOf(webhookSecret).flatMap((text) => secretsIn(text ?? ""))
  return Either.right({
    ...rest,
    missing: missingIn(config),
    accessToken: accessToken === "" ? undefined : Redacted.make(accessToken),
    webhookSecrets: secrets.filter((secret) => secret !== "").map((secret) => Redacted.make(secret)),
    organizationId: textOf(config.organizationId),
    apiBaseUrl: textOf(config.apiBaseUrl),
    webhookUrl: textOf(config.webhookUrl),
    trustedOrigins: config.trustedOrigins?.map((origin) => originOf(origin) ?? origin),
    policy: policyOf(accessPolicy),
    maintenance: {
      retention: retentionDays === undefined ? undefined : Duration.days(retentionDays),
      reconcileEvery: reconcileEvery(accessToken !== "", reconcileEveryHours)
    },
    dispatcher: {
      timeout: callback?.timeoutSeconds === undefined ? undefined : Duration.seconds(callback.timeoutSeconds),
      maxAttempts: callback?.attempts,
      concurrency: callback?.concurrency
    },
    answer: callback?.mode,
    sandbox: config.sandbox ?? false,
    migrate: config.migrate ?? true,
    logLevel: logLevels[config.logLevel ?? "info"]
  })
}

/** No option is without effect. */
const silencedIn = (telemetry: PolarConfig["telemetry"]): PolarConfigError | undefined => {
  if (telemetry === undefined) return undefined
  const { meterProvider, metrics = true, tracerProvider, traces = true } = telemetry
  const problem = (field: string, text: string) => new PolarConfigError({ field: `telemetry${field}`, problem: text })
  if (!traces && !metrics) return problem("", "traces and metrics are both off, so it does nothing: leave it out")
  if (!traces && tracerProvider !== undefined) return problem(".tracerProvider", "traces are off")
  if (!metrics && meterProvider !== undefined) return problem(".meterProvider", "metrics are off")
  return undefined
}

/** As `settingsOf`, and tries the secrets; throws what is wrong. */
export const checkedSettings = (config: PolarConfig): PolarSettings => {
  const settings = Either.getOrThrowWith(settingsOf(config), (error) => error)
  const { accessToken, missing, webhookSecrets } = settings
  const problem = accessToken === undefined ? null : PolarClient.accessTokenProblem(Redacted.value(accessToken))
  if (problem !== null) throw new PolarConfigError({ field: "accessToken", problem: `it ${problem}` })
  const damage = webhookSecrets.map((secret) => damageOf(Redacted.value(secret))).find((found) => found !== undefined)
  if (damage !== undefined) {
    throw new PolarConfigError({
      field: "webhookSecret",
      problem: `it holds ${damage}. Copy it again from the webhook endpoint in Polar's dashboard`
    })
  }
  if (webhookSecrets.length > 0 || missing === undefined) {
    Either.getOrThrowWith(
      Effect.runSync(Effect.either(WebhookVerifier.make({ secrets: webhookSecrets }))),
      (error) => new PolarConfigError({ field: "webhookSecret", problem: error.message })
    )
  }
  return settings
}

/** The first option that has to be there and is not, or is set to nothing. */
const missingIn = (config: PolarConfig): PolarConfigError | undefined => {
  if (config.client === undefined || config.accessToken !== undefined) {
    const problem = absence(
      config.accessToken,
      "Make an organization access token in your organization's settings at Polar"
    )
    if (problem !== undefined) return new PolarConfigError({ field: "accessToken", problem })
  }
  for (const [index, secret] of listOf(config.webhookSecret).entries()) {
    const problem = absence(secret, "Polar shows it when you add a webhook endpoint")
    const field = Array.isArray(config.webhookSecret) ? `webhookSecret.${index}` : "webhookSecret"
    if (problem !== undefined) return new PolarConfigError({ field, problem })
  }
  for (const field of ["organizationId", "apiBaseUrl", "webhookUrl"] as const) {
    const problem = config[field] === undefined ? undefined : absence(config[field], "Give it a value, or leave it out")
    if (problem !== undefined) return new PolarConfigError({ field, problem })
  }
  const product =
    config.products === undefined || config.products === "any" ? undefined : productsProblem(config.products)
  if (product !== undefined) {
    return new PolarConfigError({ field: ["products", ...product.path].join("."), problem: product.problem })
  }
  return undefined
}

const absence = (value: string | undefined, whatToDo: string): string | undefined =>
  value === undefined
    ? `it is missing. ${whatToDo}`
    : pastedText(value) === ""
      ? `it is empty or blank. Is its environment variable set? ${whatToDo}`
      : undefined

const listOf = (secret: PolarConfig["webhookSecret"]): ReadonlyArray<string | undefined> =>
  secret === undefined || typeof secret === "string" ? [secret] : secret

const textOf = (value: string | undefined): string | undefined => {
  const text = pastedText(value)
  return text === "" ? undefined : text
}

const logLevels = {
  debug: LogLevel.Debug,
  info: LogLevel.Info,
  warning: LogLevel.Warning,
  error: LogLevel.Error,
  none: LogLevel.None
}

/** Once a day where there is a token to ask Polar with, so that what no webhook brought is not missed for ever. */
const reconcileEvery = (
  hasToken: boolean,
  hours: number | false | undefined = hasToken ? 24 : 0
): Duration.Duration | undefined => (hours === 0 || hours === false ? undefined : Duration.hours(hours))

const policyOf = (config: PolarConfig["accessPolicy"]): AccessPolicy.AccessPolicy => {
  const { endTolerance, gracePeriod, statuses } = AccessPolicy.defaultPolicy
  const { endToleranceMinutes, gracePeriodDays, statuses: chosen = {} } = config ?? {}
  return {
    statuses: {
      trialing: chosen.trialing ?? statuses.trialing,
      active: chosen.active ?? statuses.active,
      past_due: chosen.past_due ?? statuses.past_due,
      paused: chosen.paused ?? statuses.paused
    },
    gracePeriod: gracePeriodDays === undefined ? gracePeriod : Duration.days(gracePeriodDays),
    endTolerance: endToleranceMinutes === undefined ? endTolerance : Duration.minutes(endToleranceMinutes)
  }
}

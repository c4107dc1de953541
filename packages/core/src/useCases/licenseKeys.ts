/**
 * License keys: what users have of them, and whether one that a program shows is good.
 *
 * Polar says no in many shapes, for reasons whose words are not to be read; here there is one. What it says is kept in the store,
 * for all processes and for after their restart, and is good for longer while Polar is out of order, so that an outage locks
 * nobody out. A key is a secret: answers are found by its SHA-256, and the key itself is kept sealed.
 *
 * A "no" is kept in memory, and for a moment only: there is one to any text that a stranger makes up.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Redacted from "effect/Redacted"
import type {
  LicenseKeyWithActivations,
  PolarClient,
  PolarLicenseKey,
  ValidatedLicenseKey
} from "../polar/PolarClient.ts"
import { type PolarError, PolarRejected } from "../polar/PolarError.ts"
import { benefitGrantKind } from "../records/BenefitGrant.ts"
import { type LicenseKeyActivation, licenseKeyKind, type StoredLicenseKey } from "../records/LicenseKey.ts"
import {
  conditionsHash,
  licenseKeyAnswerId,
  licenseKeyAnswerKind,
  type StoredLicenseKeyAnswer
} from "../records/LicenseKeyAnswer.ts"
import type { RecordReport } from "../records/RecordReport.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import { type GrantedBenefit, grantedBenefits } from "../rules/grantedBenefits.ts"
import { makeKept } from "../runtime/kept.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { CustomerId, type Metadata, type UserId } from "../values/ids.ts"
import { fromMillis } from "../values/Timestamp.ts"
import { withinBuyersTime } from "./buyersTime.ts"

/** A key that a user was granted. */
export interface UsersLicenseKey {
  readonly licenseKeyId: string
  readonly benefitId: string
  /** The key itself, to show to its user; `null` while Polar cannot be asked for it. */
  readonly key: Redacted.Redacted | null
  /** Its last characters. */
  readonly displayKey: string
  readonly grantedAt: Date | null
  /** As Polar said last; `null` while it cannot be asked. */
  readonly details: {
    readonly status: string
    readonly usage: number
    readonly limitUsage: number | null
    readonly limitActivations: number | null
    readonly expiresAt: Date | null
    readonly activations: ReadonlyArray<LicenseKeyActivation>
  } | null
}

/** What was validated. */
export interface ValidLicenseKey {
  readonly valid: true
  readonly reason: null
  readonly licenseKeyId: string
  readonly benefitId: string
  /** Polar's customer whose key it is. */
  readonly customerId: string
  readonly displayKey: string
  readonly usage: number
  readonly limitUsage: number | null
  readonly expiresAt: Date | null
  readonly activation: LicenseKeyActivation | null
  /** When Polar said so. */
  readonly checkedAt: Date
  /** Whether Polar could not be asked again, and this is what it said before. */
  readonly isStale: boolean
}

export interface InvalidLicenseKey {
  readonly valid: false
  /**
   * `not valid`: there is no such key, it is revoked, disabled or expired, or it is not good for this benefit, activation or
   * these conditions. Polar does not say which in words that can be relied on.
   */
  readonly reason: "not valid" | "expired" | "usage limit reached"
  readonly checkedAt: Date
  readonly isStale: boolean
}

export type LicenseKeyCheck = ValidLicenseKey | InvalidLicenseKey

/**
 * @example
 * await billing.licenseKeys.validate("ACME-…", { activationId, benefitId, conditions: { major: 2 }, incrementUsage: 1 })
 */
export interface ValidateOptions {
  /** The activation that the program has of `activate`. */
  readonly activationId?: string | undefined
  /** Only a key of this benefit. */
  readonly benefitId?: string | undefined
  /** What must be as it was at the activation, such as a major version. */
  readonly conditions?: Metadata | undefined
  /** Counts usage. Then Polar is asked each time. */
  readonly incrementUsage?: number | undefined
}

/**
 * @example
 * await billing.licenseKeys.activate("ACME-…", { label: "Ada's laptop", conditions: { major: 2 }, meta: { os: "linux" } })
 */
export interface ActivateOptions {
  /** What the user knows the place by, such as the machine's name. */
  readonly label: string
  readonly conditions?: Metadata | undefined
  readonly meta?: Metadata | undefined
}

export type LicenseKeyActivated =
  | {
      readonly activated: true
      readonly reason: null
      readonly activationId: string
      readonly licenseKeyId: string
      readonly benefitId: string
      readonly label: string
    }
  | {
      readonly activated: false
      /** `not permitted`: as often as it may be, or the key is for no activation at all, or it is over. */
      readonly reason: "not valid" | "not permitted"
    }

/**
 * @example
 * Billing.layer({ licenseKeys: { maxAge: "1 minute", staleIfError: "1 day" } })
 */
export interface LicenseKeyOptions {
  /** For how long an answer is good. Default: five minutes; a "no" for ten seconds at most. */
  readonly maxAge?: Duration.DurationInput | undefined
  /** For how long it is good while Polar cannot be asked. Default: a week. */
  readonly staleIfError?: Duration.DurationInput | undefined
}

export interface LicenseKeys {
  readonly list: (userId: UserId) => Effect.Effect<ReadonlyArray<UsersLicenseKey>, StoreError>
  readonly validate: (
    key: Redacted.Redacted,
    options?: ValidateOptions
  ) => Effect.Effect<LicenseKeyCheck, PolarError | StoreError>
  readonly activate: (
    key: Redacted.Redacted,
    options: ActivateOptions
  ) => Effect.Effect<LicenseKeyActivated, PolarError>
  /** Whether there was such an activation to end. */
  readonly deactivate: (key: Redacted.Redacted, activationId: string) => Effect.Effect<boolean, PolarError | StoreError>
}

interface Ports extends LicenseKeyOptions {
  /** How long whoever asks may wait for Polar; then it is out of order. */
  readonly buyersTime: Duration.DurationInput
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  readonly policy: AccessPolicy
  readonly organizationId: string | undefined
}

const noFor = Duration.seconds(10)
const concurrency = 4

/** As many refusals, of strangers' keys too, as are kept at most. */
const mostKept = 10_000

/** Longer than any key of Polar's. */
const longestKey = 512

/** Where an answer is kept, and what was asked. */
interface Question {
  readonly id: string
  readonly conditions: string | null
}

export const makeLicenseKeys = ({
  buyersTime,
  client,
  maxAge = Duration.minutes(5),
  organizationId,
  policy,
  staleIfError = Duration.weeks(1),
  store
}: Ports): LicenseKeys => {
  const refusals = makeKept<Refusal>(Duration.min(maxAge, noFor), mostKept)
  let organization = organizationId

  /** Polar wants it named. A token is of one. */
  const organizationOf: Effect.Effect<string, PolarError> = Effect.suspend(() =>
    organization === undefined
      ? Effect.flatMap(client.organizations, ([only, ...others]) => {
          if (only === undefined || others.length > 0) {
            return new PolarRejected({
              operation: "validate license key",
              status: null,
              code: null,
              detail: "The access token is of more than one organization, or of none: set `organizationId`.",
              issues: []
            })
          }
          organization = only.id
          return Effect.succeed(only.id)
        })
      : Effect.succeed(organization)
  )

  const isWithin = (duration: Duration.DurationInput, since: Date, millis: number): boolean =>
    millis - since.getTime() < Duration.toMillis(duration)

  /** What cannot be kept is no reason to withhold what Polar has said. */
  const keep = (
    askedAt: number,
    ...read: ReadonlyArray<Either.Either<RecordReport, ParseResult.ParseError>>
  ): Effect.Effect<void> =>
    Effect.gen(function* () {
      yield* store.keepAnswers(yield* Effect.all(read), fromMillis(askedAt), policy)
    }).pipe(
      Effect.catchAll((error) =>
        Effect.logWarning(
          "What Polar has said of a license key could not be kept: it will be asked again, and an outage may lock somebody out."
        ).pipe(
          Effect.annotateLogs({
            error: error._tag === "StoreError" ? error.message : "It is not as Polar documents it."
          })
        )
      )
    )

  /** One of a customer of whom nothing personal is kept answers nobody any more. */
  const keptAnswer = ({ conditions, id }: Question): Effect.Effect<StoredLicenseKeyAnswer | undefined, StoreError> =>
    Effect.map(store.record(licenseKeyAnswerKind, id), (found) =>
      Option.getOrUndefined(
        Option.filter(
          Option.map(found, ({ value }) => value),
          (answer) => answer.isValid && answer.displayKey !== null && answer.conditions === conditions
        )
      )
    )

  const ask = (key: Redacted.Redacted, options: ValidateOptions): Effect.Effect<Answer, PolarError> =>
    organizationOf.pipe(
      Effect.flatMap((organizationId) => client.validateLicenseKey({ key, organizationId, ...options })),
      Effect.map((license): Answer => ({ isNo: false, license })),
      Effect.catchIf(isNo, (error) =>
        Effect.map(
          Clock.currentTimeMillis,
          (millis): Answer => ({
            isNo: true,
            reason: isUsage(error) ? "usage limit reached" : "not valid",
            checkedAt: new Date(millis)
          })
        )
      ),
      withinBuyersTime("validate license key", buyersTime)
    )

  const no = (reason: InvalidLicenseKey["reason"], checkedAt: Date, isStale: boolean): InvalidLicenseKey => ({
    valid: false,
    reason,
    checkedAt,
    isStale
  })

  const validate = (
    key: Redacted.Redacted,
    options: ValidateOptions = {}
  ): Effect.Effect<LicenseKeyCheck, PolarError | StoreError> =>
    Effect.gen(function* () {
      const millis = yield* Clock.currentTimeMillis
      if (!isKey(key)) return no("not valid", new Date(millis), false)
      const { activationId, benefitId, conditions = {}, incrementUsage = 0 } = options
      const counts = incrementUsage > 0
      // Polar compares conditions with those of the activation, and with nothing where there is none.
      const question: Question = {
        id: licenseKeyAnswerId(key, activationId),
        conditions: activationId === undefined ? null : conditionsHash(conditions)
      }
      const kept = yield* keptAnswer(question)
      if (kept !== undefined && !counts && isWithin(maxAge, kept.checkedAt, millis)) {
        return yield* settle(kept, benefitId, false)
      }
      const place = `${question.id} ${question.conditions} ${JSON.stringify(benefitId)}`
      const refusal = counts ? undefined : yield* refusals.get(place)
      if (refusal !== undefined) return no(refusal.reason, refusal.checkedAt, false)
      const answered = yield* Effect.either(ask(key, options))
      if (Either.isLeft(answered)) {
        const error = answered.left
        if (kept === undefined || !isWithin(staleIfError, kept.checkedAt, millis)) return yield* error
        if (counts) {
          // What was not counted is not counted; but more than there is, is too much whether it is counted or not.
          const isTooMuch = kept.limitUsage !== null && kept.usage + incrementUsage > kept.limitUsage
          return isTooMuch ? no("usage limit reached", kept.checkedAt, true) : yield* error
        }
        yield* Effect.logWarning(`${error.message} What was said before is good until then.`)
        return yield* settle(kept, benefitId, true)
      }
      const answer = answered.right
      if (answer.isNo) {
        if (!counts) yield* refusals.put(place, answer)
        // Of another benefit it says nothing, and of a limit only that this is too much.
        if (kept !== undefined && answer.reason === "not valid" && (benefitId ?? kept.benefitId) === kept.benefitId) {
          yield* keep(millis, refused(kept, answer.checkedAt))
        }
        return no(answer.reason, answer.checkedAt, false)
      }
      const checkedAt = new Date(yield* Clock.currentTimeMillis)
      const { license } = answer
      yield* keep(
        millis,
        answerOf(question, license, license.activation, checkedAt),
        // The same usage is left at every activation.
        ...(counts && activationId !== undefined
          ? [answerOf({ id: licenseKeyAnswerId(key, undefined), conditions: null }, license, null, checkedAt)]
          : [])
      )
      return validOf({ ...license, licenseKeyId: license.id, checkedAt }, false)
    })

  /** Neither its end, nor what a webhook has said, nor what was read of it since waits for Polar. */
  const settle = (
    kept: StoredLicenseKeyAnswer,
    benefitId: string | undefined,
    isStale: boolean
  ): Effect.Effect<LicenseKeyCheck, StoreError> =>
    Effect.gen(function* () {
      const millis = yield* Clock.currentTimeMillis
      if (benefitId !== undefined && benefitId !== kept.benefitId) return no("not valid", kept.checkedAt, isStale)
      if (kept.expiresAt !== null && kept.expiresAt.getTime() <= millis) return no("expired", kept.checkedAt, isStale)
      if ((yield* isRevoked(kept)) || (yield* isReadAsOver(kept))) return no("not valid", kept.checkedAt, isStale)
      return validOf({ ...kept, displayKey: kept.displayKey ?? "" }, isStale)
    })

  /** Whether its grant is known here to have been taken back. */
  const isRevoked = ({ customerId, licenseKeyId }: StoredLicenseKeyAnswer): Effect.Effect<boolean, StoreError> =>
    Effect.gen(function* () {
      const users = yield* store.usersOfCustomer(CustomerId.make(customerId))
      const grants = yield* Effect.forEach(users, (userId) => store.recordsOf(benefitGrantKind, userId))
      const ofKey = grants.flat().filter(({ properties }) => properties["license_key_id"] === licenseKeyId)
      return ofKey.length > 0 && ofKey.every(({ isGranted }) => !isGranted)
    })

  /** Whether the key was read since, for its user's page, and was revoked or disabled then. */
  const isReadAsOver = ({ checkedAt, licenseKeyId }: StoredLicenseKeyAnswer): Effect.Effect<boolean, StoreError> =>
    Effect.map(
      store.record(licenseKeyKind, licenseKeyId),
      Option.exists(({ value }) => value.status !== "granted" && value.readAt.getTime() > checkedAt.getTime())
    )

  const activate = (
    key: Redacted.Redacted,
    { conditions, label, meta }: ActivateOptions
  ): Effect.Effect<LicenseKeyActivated, PolarError> =>
    Effect.gen(function* (): Effect.fn.Return<LicenseKeyActivated, PolarError> {
      const millis = yield* Clock.currentTimeMillis
      if (!isKey(key)) return { activated: false, reason: "not valid" }
      const activated = yield* client.activateLicenseKey({
        key,
        organizationId: yield* organizationOf,
        label,
        conditions,
        meta
      })
      const { id, licenseKey } = activated
      yield* keep(
        millis,
        answerOf(
          { id: licenseKeyAnswerId(key, id), conditions: conditionsHash(conditions ?? {}) },
          licenseKey,
          activated,
          new Date(yield* Clock.currentTimeMillis)
        )
      )
      return {
        activated: true,
        reason: null,
        activationId: id,
        licenseKeyId: licenseKey.id,
        benefitId: licenseKey.benefitId,
        label
      }
    }).pipe(
      Effect.catchIf(isNotPermitted, () =>
        Effect.succeed<LicenseKeyActivated>({ activated: false, reason: "not permitted" })
      ),
      Effect.catchIf(isNo, () => Effect.succeed<LicenseKeyActivated>({ activated: false, reason: "not valid" }))
    )

  const deactivate = (key: Redacted.Redacted, activationId: string): Effect.Effect<boolean, PolarError | StoreError> =>
    Effect.gen(function* () {
      const millis = yield* Clock.currentTimeMillis
      if (!isKey(key)) return false
      const wasActive = yield* organizationOf.pipe(
        Effect.flatMap((organizationId) => client.deactivateLicenseKey({ key, organizationId, activationId })),
        Effect.as(true),
        Effect.catchIf(isNo, () => Effect.succeed(false))
      )
      const kept = yield* store.record(licenseKeyAnswerKind, licenseKeyAnswerId(key, activationId))
      if (Option.isSome(kept)) yield* keep(millis, refused(kept.value.value, new Date(millis)))
      return wasActive
    })

  const list = (userId: UserId): Effect.Effect<ReadonlyArray<UsersLicenseKey>, StoreError> =>
    Effect.gen(function* () {
      const granted = grantedBenefits(yield* store.liveGrantsOf(userId)).flatMap(ofGrant)
      return yield* Effect.forEach(granted, keyOf, { concurrency })
    })

  const keyOf = (granted: GrantedKey): Effect.Effect<UsersLicenseKey, StoreError> =>
    Effect.gen(function* () {
      const { known, source } = granted
      const millis = yield* Clock.currentTimeMillis
      const stored = Option.map(yield* store.record(licenseKeyKind, known.licenseKeyId), ({ value }) => value)
      const kept = Option.getOrUndefined(stored)
      const key = kept === undefined ? null : openedKey(kept)
      if (kept !== undefined && key !== null && isWithin(maxAge, kept.readAt, millis)) return shown(known, kept, key)
      const read = yield* Effect.either(
        withinBuyersTime("get license key", buyersTime)(client.getLicenseKey(known.licenseKeyId))
      )
      if (Either.isLeft(read)) {
        yield* Effect.logWarning(read.left.message)
        // What is kept of a customer of whom nothing personal is, is nobody's.
        return kept?.sealedKey != null && isWithin(staleIfError, kept.readAt, millis) ? shown(known, kept, key) : known
      }
      if (Option.isNone(read.right)) return known
      const license = read.right.value
      const readAt = new Date(yield* Clock.currentTimeMillis)
      const isGood = license.status === "granted" && (license.expiresAt?.getTime() ?? Infinity) > readAt.getTime()
      yield* keep(
        millis,
        storedKey(license, source, readAt),
        // So one whose user has only looked at it so far is good in an outage, too.
        ...(isGood
          ? [answerOf({ id: licenseKeyAnswerId(license.key, undefined), conditions: null }, license, null, readAt)]
          : [])
      )
      return shown(known, license, license.key)
    })

  /** `null` where it is no more, or was sealed with another access token. */
  const openedKey = ({ id, sealedKey }: StoredLicenseKey): Redacted.Redacted | null =>
    sealedKey === null ? null : Option.getOrNull(client.secretBox.open(id, sealedKey))

  const storedKey = (license: LicenseKeyWithActivations, source: GrantedBenefit["source"], readAt: Date) =>
    licenseKeyKind.read({
      ...fieldsOf(license),
      id: license.id,
      subscription_id: source !== null && "subscriptionId" in source ? source.subscriptionId : null,
      order_id: source !== null && "orderId" in source ? source.orderId : null,
      sealed_key: client.secretBox.seal(license.id, license.key),
      status: license.status,
      limit_activations: license.limitActivations,
      activations: license.activations,
      read_at: readAt.toISOString()
    })

  return { list, validate, activate, deactivate }
}

type Answer = { readonly isNo: false; readonly license: ValidatedLicenseKey } | Refusal

interface Refusal {
  readonly isNo: true
  readonly reason: InvalidLicenseKey["reason"]
  readonly checkedAt: Date
}

interface GrantedKey {
  readonly known: UsersLicenseKey
  readonly source: GrantedBenefit["source"]
}

const ofGrant = ({ benefitId, grantedAt, properties, source, type }: GrantedBenefit): ReadonlyArray<GrantedKey> => {
  const id = properties["license_key_id"]
  const displayKey = properties["display_key"]
  return type === "license_keys" && typeof id === "string"
    ? [
        {
          known: {
            licenseKeyId: id,
            benefitId,
            key: null,
            displayKey: typeof displayKey === "string" ? displayKey : "",
            grantedAt,
            details: null
          },
          source
        }
      ]
    : []
}

const shown = (
  known: UsersLicenseKey,
  license: Pick<StoredLicenseKey, "status" | "usage" | "limitUsage" | "limitActivations" | "expiresAt" | "activations">,
  key: Redacted.Redacted | null
): UsersLicenseKey => {
  const { activations, expiresAt, limitActivations, limitUsage, status, usage } = license
  return { ...known, key, details: { status, usage, limitUsage, limitActivations, expiresAt, activations } }
}

/** What is kept both of a key and of an answer, as Polar calls it. */
const fieldsOf = (license: PolarLicenseKey) => ({
  benefit_id: license.benefitId,
  customer_id: license.customerId,
  organization_id: license.organizationId,
  display_key: license.displayKey,
  usage: license.usage,
  limit_usage: license.limitUsage,
  expires_at: license.expiresAt?.toISOString() ?? null
})

const answerOf = (
  { conditions, id }: Question,
  license: PolarLicenseKey,
  activation: LicenseKeyActivation | null,
  checkedAt: Date
) =>
  licenseKeyAnswerKind.read({
    ...fieldsOf(license),
    id,
    is_valid: true,
    license_key_id: license.id,
    activation,
    conditions,
    checked_at: checkedAt.toISOString()
  })

/** The same, and it is good no longer. */
const refused = (kept: StoredLicenseKeyAnswer, checkedAt: Date) =>
  licenseKeyAnswerKind.read({
    id: kept.id,
    is_valid: false,
    license_key_id: kept.licenseKeyId,
    benefit_id: kept.benefitId,
    customer_id: kept.customerId,
    organization_id: kept.organizationId,
    display_key: kept.displayKey,
    usage: kept.usage,
    limit_usage: kept.limitUsage,
    expires_at: kept.expiresAt?.toISOString() ?? null,
    activation: kept.activation,
    conditions: kept.conditions,
    checked_at: checkedAt.toISOString()
  })

const validOf = (
  {
    activation,
    benefitId,
    checkedAt,
    customerId,
    displayKey,
    expiresAt,
    licenseKeyId,
    limitUsage,
    usage
  }: Omit<ValidLicenseKey, "valid" | "reason" | "isStale">,
  isStale: boolean
): ValidLicenseKey => ({
  valid: true,
  reason: null,
  licenseKeyId,
  benefitId,
  customerId,
  displayKey,
  usage,
  limitUsage,
  expiresAt,
  activation,
  checkedAt,
  isStale
})

/** Polar's many shapes of "no"; also what is of another form than Polar's keys and ids are. */
const isNo = (error: PolarError): error is PolarError =>
  error._tag === "PolarNotFound" ||
  (error._tag === "PolarRejected" && (error.status === 400 || (error.status === 422 && !isAboutOrganization(error))))

const isAboutOrganization = ({ issues }: PolarRejected): boolean =>
  issues.some(({ path }) => path.includes("organization_id"))

const isUsage = (error: PolarError): boolean => error._tag === "PolarRejected" && error.status === 400

const isNotPermitted = (error: PolarError): error is PolarError =>
  error._tag === "PolarForbidden" && error.code === "NotPermitted"

const isKey = (key: Redacted.Redacted): boolean => {
  const text = Redacted.value(key)
  return text.trim() !== "" && text.length <= longestKey
}

/** License keys: of a benefit, or of an order alone; validated, activated, and taken back. */
import type { Metadata } from "@kavach-polar/core/Subscription"
import * as Either from "effect/Either"
import * as Benefits from "./Benefits.ts"
import * as Grants from "./Grants.ts"
import * as Orders from "./Orders.ts"
import type { KeyActivation, LicenseKey } from "./Records.ts"
import { notFound, type Refusal, refused } from "./Refusal.ts"
import type { Step } from "./Step.ts"

/** What the benefit says of its keys. */
export interface LicenseKeyOptions {
  readonly prefix?: string | undefined
  /** Any uuid; each key is of a benefit of its own unless given. */
  readonly benefitId?: string | undefined
  readonly limitActivations?: number | undefined
  readonly limitUsage?: number | undefined
  readonly days?: number | undefined
}

export type Answer = Either.Either<LicenseKey, Refusal>

export const find = (step: Step, id: string): Answer =>
  Either.fromNullable(step.find("licenseKeys", id), () => notFound)

/** Gives the buyer of the order a key of a benefit that is theirs alone, unless one is named that is there. */
export const grant =
  (orderId: string, { benefitId, days, limitActivations, limitUsage, prefix }: LicenseKeyOptions = {}) =>
  (step: Step): Answer =>
    Either.gen(function* () {
      const order = yield* Orders.find(step, orderId)
      const known = step.find("benefits", benefitId ?? null)
      const benefit =
        known ??
        (yield* Benefits.create({
          id: benefitId ?? step.uuid(),
          type: "license_keys",
          description: "License key",
          prefix,
          expires: days === undefined ? null : { ttl: days, timeframe: "day" },
          limitActivations,
          limitUsage
        })(step))
      if (benefit.type !== "license_keys") return yield* Either.left(notFound)
      const { properties } = Grants.give(step, Grants.byOrder(order), benefit)
      return step.get("licenseKeys", properties["license_key_id"] ?? "")
    })

/** Takes back the grant that the key came with. */
export const revoke =
  (id: string) =>
  (step: Step): Answer =>
    Either.map(find(step, id), ({ grant_id }) => {
      Grants.revoke(step, step.get("grants", grant_id))
      return step.get("licenseKeys", id)
    })

export const activationsOf = (step: Step, id: string): ReadonlyArray<KeyActivation> =>
  step.all("keyActivations").filter(({ license_key_id }) => license_key_id === id)

const keyWith = (step: Step, text: string): Answer =>
  Either.fromNullable(
    step.all("licenseKeys").find(({ key }) => key === text),
    () => refused(404, "ResourceNotFound", "License key does not match.")
  )

const isExpired = (step: Step, { expires_at }: LicenseKey): boolean => expires_at !== null && expires_at <= step.now()

export interface ValidateInput {
  readonly key: string
  readonly activation_id?: string | null | undefined
  readonly benefit_id?: string | null | undefined
  readonly customer_id?: string | null | undefined
  readonly increment_usage?: number | null | undefined
  readonly conditions?: Metadata | undefined
}

/** The words differ, and the status does not, but for the limit of usage. */
export const validate =
  (input: ValidateInput) =>
  (step: Step): Either.Either<{ readonly key: LicenseKey; readonly activation: KeyActivation | null }, Refusal> =>
    Either.gen(function* () {
      const no = (detail: string) => Either.left(refused(404, "ResourceNotFound", detail))
      const key = yield* keyWith(step, input.key)
      if (key.status !== "granted") return yield* no("License key is no longer active.")
      if (isExpired(step, key)) return yield* no("License key has expired.")
      let activation: KeyActivation | null = null
      if (input.activation_id != null) {
        activation = activationsOf(step, key.id).find(({ id }) => id === input.activation_id) ?? null
        if (activation === null) return yield* no("License key activation does not exist.")
        const { conditions } = activation
        const isSame = JSON.stringify(sorted(conditions)) === JSON.stringify(sorted(input.conditions ?? {}))
        if (Object.keys(conditions).length > 0 && !isSame) return yield* no("License key does not match conditions.")
      }
      if (input.benefit_id != null && input.benefit_id !== key.benefit_id) {
        return yield* no("License key does not match given benefit.")
      }
      if (input.customer_id != null && input.customer_id !== key.customer_id) {
        return yield* no("License key does not match given user.")
      }
      const more = input.increment_usage ?? 0
      if (key.limit_usage !== null && key.usage + more > key.limit_usage) {
        return yield* Either.left(
          refused(400, "BadRequest", `License key only has ${key.limit_usage - key.usage} more usages.`)
        )
      }
      const validated = step.put("licenseKeys", {
        ...key,
        usage: key.usage + more,
        validations: key.validations + 1,
        last_validated_at: step.now()
      })
      return { key: validated, activation }
    })

const sorted = (conditions: Metadata) => Object.entries(conditions).sort(([a], [b]) => (a < b ? -1 : 1))

export interface ActivateInput {
  readonly key: string
  readonly label: string
  readonly conditions?: Metadata | undefined
  readonly meta?: Metadata | undefined
}

export const activate =
  ({ conditions, key: text, label, meta }: ActivateInput) =>
  (step: Step): Either.Either<{ readonly key: LicenseKey; readonly activation: KeyActivation }, Refusal> =>
    Either.gen(function* () {
      const no = (detail: string) => Either.left(refused(403, "NotPermitted", detail))
      const key = yield* keyWith(step, text)
      if (key.status !== "granted") return yield* no("License key is no longer active.")
      if (isExpired(step, key)) return yield* no("License key has expired.")
      if (key.limit_activations === null) return yield* no("This license key does not support activations.")
      if (activationsOf(step, key.id).length >= key.limit_activations) {
        return yield* no("License key activation limit already reached.")
      }
      const activation = step.put("keyActivations", {
        ...step.stamp(),
        license_key_id: key.id,
        label,
        conditions: conditions ?? {},
        meta: meta ?? {}
      })
      return { key, activation }
    })

export const deactivate =
  ({ activation_id, key: text }: { readonly key: string; readonly activation_id: string }) =>
  (step: Step): Either.Either<void, Refusal> =>
    Either.flatMap(keyWith(step, text), ({ id }) => {
      if (!activationsOf(step, id).some((activation) => activation.id === activation_id)) return Either.left(notFound)
      step.remove("keyActivations", activation_id)
      return Either.void
    })

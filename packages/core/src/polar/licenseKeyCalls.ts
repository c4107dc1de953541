/** Calls about license keys. A key is a secret: in no path, no span and no error. */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { LicenseKeyActivation } from "../records/LicenseKey.ts"
import type { Metadata } from "../values/ids.ts"
import { DateFromTimestamp } from "../values/Timestamp.ts"
import { informative, nullable, renamed } from "../values/wire.ts"
import type { PolarError } from "./PolarError.ts"
import type { PolarHttp } from "./polarHttp.ts"

const fields = {
  id: Schema.String,
  benefitId: renamed("benefit_id", Schema.String),
  customerId: renamed("customer_id", Schema.String),
  organizationId: renamed("organization_id", Schema.String),
  key: Schema.Redacted(Schema.String),
  /** Its last characters, to tell it by: `****-9F04B1`. */
  displayKey: renamed("display_key", Schema.String),
  /** `granted`, `revoked` or `disabled`. */
  status: Schema.String,
  limitActivations: nullable("limit_activations", Schema.Number),
  usage: Schema.Number,
  limitUsage: nullable("limit_usage", Schema.Number),
  /** None of a subscription's, which ends with it. */
  expiresAt: nullable("expires_at", DateFromTimestamp)
}

export const PolarLicenseKey = Schema.Struct(fields)
export type PolarLicenseKey = typeof PolarLicenseKey.Type

const WithActivations = Schema.Struct({ ...fields, activations: Schema.Array(LicenseKeyActivation) })
export type LicenseKeyWithActivations = typeof WithActivations.Type

const Validated = Schema.Struct({ ...fields, activation: informative("activation", LicenseKeyActivation) })
export type ValidatedLicenseKey = typeof Validated.Type

const Activated = Schema.Struct({ ...LicenseKeyActivation.fields, licenseKey: renamed("license_key", PolarLicenseKey) })
export type ActivatedLicenseKey = typeof Activated.Type

interface OfKey {
  readonly key: Redacted.Redacted
  readonly organizationId: string
}

export interface ValidateLicenseKey extends OfKey {
  readonly activationId?: string | undefined
  readonly benefitId?: string | undefined
  readonly conditions?: Metadata | undefined
  readonly incrementUsage?: number | undefined
}

export interface ActivateLicenseKey extends OfKey {
  readonly label: string
  readonly conditions?: Metadata | undefined
  readonly meta?: Metadata | undefined
}

export interface DeactivateLicenseKey extends OfKey {
  readonly activationId: string
}

export interface LicenseKeyCalls {
  /** The key with this id, and where it is used; `None` if there is none. */
  readonly getLicenseKey: (id: string) => Effect.Effect<Option.Option<LicenseKeyWithActivations>, PolarError>
  /** Refused with `PolarNotFound` for nearly every reason, and with `PolarRejected` (400) above the limit of usage. */
  readonly validateLicenseKey: (input: ValidateLicenseKey) => Effect.Effect<ValidatedLicenseKey, PolarError>
  /** Asking twice activates twice. */
  readonly activateLicenseKey: (input: ActivateLicenseKey) => Effect.Effect<ActivatedLicenseKey, PolarError>
  readonly deactivateLicenseKey: (input: DeactivateLicenseKey) => Effect.Effect<void, PolarError>
}

export const makeLicenseKeyCalls = (call: PolarHttp["call"]): LicenseKeyCalls => {
  const post = (operation: string, what: string, body: object) => ({
    operation,
    method: "POST" as const,
    path: `/v1/license-keys/${what}`,
    body
  })
  const ofKey = ({ key, organizationId }: OfKey) => ({ key: Redacted.value(key), organization_id: organizationId })

  return {
    getLicenseKey: Effect.fn("PolarClient.getLicenseKey")((id: string) =>
      call(
        {
          operation: "get license key",
          method: "GET",
          path: `/v1/license-keys/${encodeURIComponent(id)}`,
          template: "/v1/license-keys/{id}"
        },
        WithActivations
      ).pipe(
        Effect.asSome,
        Effect.catchTag("PolarNotFound", () => Effect.succeedNone)
      )
    ),
    validateLicenseKey: Effect.fn("PolarClient.validateLicenseKey")((input: ValidateLicenseKey) =>
      call(
        post("validate license key", "validate", {
          ...ofKey(input),
          activation_id: input.activationId,
          benefit_id: input.benefitId,
          conditions: input.conditions,
          increment_usage: input.incrementUsage
        }),
        Validated
      )
    ),
    activateLicenseKey: Effect.fn("PolarClient.activateLicenseKey")((input: ActivateLicenseKey) =>
      call(
        post("activate license key", "activate", {
          ...ofKey(input),
          label: input.label,
          conditions: input.conditions,
          meta: input.meta
        }),
        Activated
      )
    ),
    deactivateLicenseKey: Effect.fn("PolarClient.deactivateLicenseKey")((input: DeactivateLicenseKey) =>
      call(
        {
          ...post("deactivate license key", "deactivate", { ...ofKey(input), activation_id: input.activationId }),
          answersNothing: true
        },
        Schema.Unknown
      )
    )
  }
}

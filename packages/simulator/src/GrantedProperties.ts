/** What each type of benefit does when it is granted and when it is taken back. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import { day, periodEnd, plus } from "./Calendar.ts"
import type { Benefit, Grant, GrantProperties, LicenseKey, LicenseKeysProperties } from "./Records.ts"
import type { Step } from "./Step.ts"
import { displayKey } from "./wire/LicenseKeyWire.ts"

/** What the grant has from now on; what the customer has to do first, where they have to. */
export const granted = (
  step: Step,
  benefit: Benefit,
  grant: Grant
): { readonly properties: GrantProperties } | { readonly needed: string } => {
  switch (benefit.type) {
    case "feature_flag":
    case "custom":
      return { properties: {} }
    case "license_keys": {
      const key = keyOf(step, grant, benefit.properties)
      return { properties: { license_key_id: key.id, display_key: displayKey(key.key) } }
    }
    case "discord": {
      const { account_id } = grant.properties
      if (account_id === undefined) return { needed: "The customer needs to connect their Discord account" }
      const { guild_id, role_id } = benefit.properties
      return { properties: { account_id, guild_id, role_id, granted_account_id: account_id } }
    }
  }
}

/** What is left of it: the same key comes back, and the account is still connected. */
export const takenBack = (step: Step, benefit: Benefit, { properties }: Grant): GrantProperties => {
  const { account_id, license_key_id } = properties
  if (license_key_id !== undefined) {
    step.update("licenseKeys", license_key_id, { status: "revoked" })
    return properties
  }
  return benefit.type === "discord" && account_id !== undefined ? { account_id } : {}
}

/** The grant's key as the benefit has it now: made, or taken up again, or changed. */
const keyOf = (step: Step, grant: Grant, properties: LicenseKeysProperties): LicenseKey => {
  const limits = {
    limit_activations: properties.activations?.limit ?? null,
    limit_usage: properties.limit_usage,
    status: "granted"
  } as const
  const known = step.find("licenseKeys", grant.properties["license_key_id"] ?? null)
  if (known !== undefined) {
    return step.update("licenseKeys", known.id, {
      ...limits,
      expires_at: expiryOf(grant, grant.granted_at ?? step.now(), properties)
    })
  }
  const stamp = step.stamp()
  const unique = step.uuid().toUpperCase()
  return step.put("licenseKeys", {
    ...stamp,
    ...limits,
    customer_id: grant.customer_id,
    benefit_id: grant.benefit_id,
    grant_id: grant.id,
    key: properties.prefix === null ? unique : `${properties.prefix}-${unique}`,
    usage: 0,
    validations: 0,
    last_validated_at: null,
    expires_at: expiryOf(grant, stamp.created_at, properties)
  })
}

// The clock of a subscription's key is the subscription.
const expiryOf = (grant: Grant, from: EpochMicros, { expires }: LicenseKeysProperties): EpochMicros | null => {
  if (expires === null || grant.subscription_id !== null) return null
  const { timeframe, ttl } = expires
  return timeframe === "day" ? plus(from, ttl * day) : periodEnd(from, timeframe, ttl)
}

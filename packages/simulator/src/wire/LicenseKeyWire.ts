/** License keys, and where they are used. */
import { isoOrNull } from "../Calendar.ts"
import type { KeyActivation, LicenseKey, World } from "../Records.ts"
import { customer } from "./CustomerWire.ts"
import { get, stamped } from "./Fields.ts"

export const displayKey = (key: string): string => `****-${key.slice(-6)}`

export const licenseKey = (world: World, key: LicenseKey) => ({
  ...stamped(key),
  organization_id: world.organization.id,
  customer_id: key.customer_id,
  customer: customer(world, get(world, "customers", key.customer_id)),
  benefit_id: key.benefit_id,
  key: key.key,
  display_key: displayKey(key.key),
  status: key.status,
  limit_activations: key.limit_activations,
  usage: key.usage,
  limit_usage: key.limit_usage,
  validations: key.validations,
  last_validated_at: isoOrNull(key.last_validated_at),
  expires_at: isoOrNull(key.expires_at)
})

export const keyActivation = (activation: KeyActivation) => ({
  ...stamped(activation),
  license_key_id: activation.license_key_id,
  label: activation.label,
  meta: activation.meta
})

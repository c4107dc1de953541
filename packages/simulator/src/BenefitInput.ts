/** Benefits as a test describes them. */
import type { Metadata } from "@kavach-polar/core/Subscription"
import type { Benefit, LicenseKeysProperties, Stamped } from "./Records.ts"

interface Common {
  /** A version 4 UUID. */
  readonly id: string
  /** For people; code goes by the id or by `metadata.key`. */
  readonly description: string
  readonly metadata?: Metadata | undefined
  /** Whether buyers see it; `private` for a feature flag and `public` for others unless given. */
  readonly visibility?: Benefit["visibility"] | undefined
}

/** The values of a feature flag are its metadata. */
export interface FeatureFlagInput extends Common {
  readonly type: "feature_flag"
}

export interface CustomInput extends Common {
  readonly type: "custom"
  readonly note?: string | undefined
}

export interface LicenseKeysInput extends Common {
  readonly type: "license_keys"
  readonly prefix?: string | undefined
  /** How long the key of a purchase is good; that of a subscription goes with the subscription. */
  readonly expires?: LicenseKeysProperties["expires"] | undefined
  readonly limitActivations?: number | undefined
  readonly limitUsage?: number | undefined
}

/** A role on a server, which is granted once the customer has connected an account. */
export interface DiscordInput extends Common {
  readonly type: "discord"
  readonly guildId?: string | undefined
  readonly roleId?: string | undefined
}

export type BenefitInput = FeatureFlagInput | CustomInput | LicenseKeysInput | DiscordInput

export const benefitOf = (input: BenefitInput, stamp: Stamped): Benefit => {
  const { description, metadata = {}, visibility = "public" } = input
  const common = { ...stamp, description, metadata, visibility, is_deleted: false }
  switch (input.type) {
    case "feature_flag":
      return { ...common, type: input.type, visibility: input.visibility ?? "private", properties: {} }
    case "custom":
      return { ...common, type: input.type, properties: { note: input.note ?? null } }
    case "license_keys":
      return {
        ...common,
        type: input.type,
        properties: {
          prefix: input.prefix ?? null,
          expires: input.expires ?? null,
          activations:
            input.limitActivations === undefined
              ? null
              : { limit: input.limitActivations, enable_customer_admin: false },
          limit_usage: input.limitUsage ?? null
        }
      }
    case "discord":
      return {
        ...common,
        type: input.type,
        properties: {
          guild_id: input.guildId ?? "1098765432109876543",
          role_id: input.roleId ?? "1098765432109876544",
          kick_member: false,
          guild_token: "simulator"
        }
      }
  }
}

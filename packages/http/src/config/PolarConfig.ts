/** The options of `polar()`, as an app gives them. */
import type * as AccessPolicy from "@kavach-polar/core/AccessPolicy"
import type { BillingStore } from "@kavach-polar/core/BillingStore"
import type { PolarClient } from "@kavach-polar/core/PolarClient"
import type { KnownStatus } from "@kavach-polar/core/Subscription"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

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

/** What `polar()` gives the app. */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Access } from "@kavach-polar/core/AccessPolicy"
import type { CheckoutOptions, OrderQuery } from "@kavach-polar/core/Billing"
import type { Order } from "@kavach-polar/core/Order"
import type { ReconcileCounts, ReconcileReport } from "@kavach-polar/core/ReconcileReport"
import type { ReplayQuery, ReplayReport } from "@kavach-polar/core/Replay"
import type { Subscription } from "@kavach-polar/core/Subscription"
import type { PolarSubscription } from "./config/PolarConfig.ts"
import type { PluginContext } from "./host/KavachPlugin.ts"

/** Billing in promises. Every method rejects with an error whose message says what was wrong and what to do. */
export interface PolarBilling {
  /**
   * A checkout session: send the buyer to its `url`. Options that name the buyer must come from the app's own records.
   */
  readonly createCheckout: (
    userId: string,
    productId: string,
    options?: CheckoutOptions
  ) => Promise<{ readonly url: string; readonly id: string }>
  /** The user's current subscription, or null when none is live. */
  readonly getSubscription: (userId: string) => Promise<PolarSubscription | null>
  /** All subscriptions the user ever had, the newest first, with every field. */
  readonly listSubscriptions: (userId: string) => Promise<ReadonlyArray<Subscription>>
  /** What users paid for, or are to pay: one-time purchases, and each period of a subscription. */
  readonly orders: {
    /** The user's orders, the newest first. Amounts are in minor units (cents) of `currency`. */
    readonly list: (userId: string, query?: OrderQuery) => Promise<ReadonlyArray<Order>>
    /** One order, whosever it is; `null` if none is known by this id. */
    readonly get: (orderId: string) => Promise<Order | null>
  }
  /**
   * Whether the user has access, why, and until when. `at` asks for another time than now: for a clock of your own, such as
   * a simulator's.
   */
  readonly access: (userId: string, options?: { readonly at?: Date | undefined }) => Promise<Access>
  /** A short-lived address at which the user manages what they bought. */
  readonly createPortalSession: (
    userId: string,
    options?: { readonly returnUrl?: string | undefined }
  ) => Promise<{ readonly url: string; readonly expiresAt: Date }>
  /** Says whose customer it is, for customers that no checkout of this app made. */
  readonly linkCustomer: (userId: string, customerId: string) => Promise<void>
  /**
   * Gives subscriptions that waited for a user who exists by now to that user, and says how many. It is done every few
   * minutes anyhow: call it when your app has made a user who may have bought before.
   */
  readonly linkWaiting: () => Promise<number>
  /** Applies recorded deliveries again, for example after an upgrade. What is known already changes nothing. */
  readonly replay: (query?: ReplayQuery) => Promise<ReplayReport>
  /**
   * Makes what is stored of the user equal to what Polar's API says now: for a buyer who is back from a checkout before its
   * webhook, or for support.
   */
  readonly reconcile: (userId: string, options?: { readonly dryRun?: boolean | undefined }) => Promise<ReconcileCounts>
  /**
   * The same for all users. Also reports when Polar has disabled the webhook endpoint, and asks Polar for events that it
   * could not deliver. One process at a time does it.
   */
  readonly reconcileAll: (options?: {
    /** Only subscriptions that Polar has changed since. */
    readonly since?: Date | undefined
    /** Look and report, and change nothing. */
    readonly dryRun?: boolean | undefined
  }) => Promise<ReconcileReport>
  /**
   * Receives a delivery: to mount by itself, before any middleware that parses bodies. Never rejects.
   */
  readonly webhook: (request: Request) => Promise<Response>
  /**
   * The same for a server of `node:http`, Express or another on Node, and faster there: `createServer(billing.webhookListener)`,
   * `app.post("/polar/webhook", billing.webhookListener)`. Before any middleware that parses bodies.
   */
  readonly webhookListener: (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>
  /** Lets callbacks under way finish and closes what was opened. The host's database stays open. */
  readonly dispose: () => Promise<void>
}

/** What a host's plugin context gains. */
export type PolarPluginContext = { readonly polar: PolarBilling }

/** The plugin, which also is the billing. */
export interface Polar extends PolarBilling, AsyncDisposable {
  readonly id: "kavach-polar"
  readonly init: (context: PluginContext) => Promise<{ context: PolarPluginContext }>
}

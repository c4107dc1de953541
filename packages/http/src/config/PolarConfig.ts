/** The options of `polar()`, as an app gives them. */
import type { Access } from "@kavach-polar/core/AccessPolicy"
import type { AnyProduct, Products } from "@kavach-polar/core/Billing"
import type { BillingStore } from "@kavach-polar/core/BillingStore"
import type { AppHandlers } from "@kavach-polar/core/Handlers"
import type { PolarClient } from "@kavach-polar/core/PolarClient"
import type { Subscription } from "@kavach-polar/core/Subscription"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { AskedFor, RouteAction } from "../routes/authorize.ts"
import type { RoutesOption } from "../routes/routeTable.ts"
import type { SessionUser } from "../routes/Session.ts"

/** How the app encrypts bodies of deliveries. */
export interface PolarBodies {
  /** JSON text, to the text that is stored. */
  readonly encrypt: (body: string, owner: { readonly deliveryId: string }) => string | Promise<string>
  /** What `encrypt` has made, also with an earlier key, to that JSON text. */
  readonly decrypt: (encrypted: string, owner: { readonly deliveryId: string }) => string | Promise<string>
}

/** Which of billing's telemetry goes to the app's OpenTelemetry, and by which providers. */
export interface PolarTelemetry {
  /** Default: true. */
  readonly traces?: boolean | undefined
  /** Default: true. */
  readonly metrics?: boolean | undefined
  /** In place of the one that the app has registered with `@opentelemetry/api`. */
  readonly tracerProvider?: { readonly getTracer: (name: string, version?: string) => object } | undefined
  /** In place of the one that the app has registered with `@opentelemetry/api`. */
  readonly meterProvider?: { readonly getMeter: (name: string, version?: string) => object } | undefined
}

/** What billing needs of a logger. */
export interface PolarLogger {
  readonly debug: (line: string) => void
  readonly info: (line: string) => void
  readonly warn: (line: string) => void
  readonly error: (line: string) => void
}

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

/** A subscription that changed: what KavachOS documents, and more. */
export interface PolarSubscriptionChange extends PolarSubscription {
  /** How many seats were bought; `null` where it has none. */
  readonly seats: number | null
  /** For each period, after discounts, in minor units (cents) of `currency`. */
  readonly amount: number | null
  /** ISO 4217 in lower case. */
  readonly currency: string | null
  /** When the trial ends, or ended. */
  readonly trialEndsAt: Date | null
  /** What this subscription gave when it changed; `null` of a change that an earlier version has queued. */
  readonly access: Access | null
}

/** All that is known of a subscription. */
export interface SubscriptionDetails extends Subscription {
  /** Whether it gives and costs nothing until it is resumed. */
  readonly isPaused: boolean
}

/** Whether the signed-in user may do by a route what concerns their own subscription. */
export type AuthorizeAction = (
  action: RouteAction,
  call: {
    readonly user: SessionUser
    /** Without its body, which has been read: `asked` is what it says. */
    readonly request: Request
    /** What is asked for: the checked body, such as `{ productId, seats }`; of `completeCheckout` the `checkoutId`. */
    readonly asked: AskedFor
    /** The user's subscription that is meant; `null` where they have none. */
    readonly subscription: SubscriptionDetails | null
  }
) => boolean | Promise<boolean>

/** Who is about to buy. */
export interface CheckoutUser {
  readonly id: string
  readonly email: string | null
  readonly name: string | null
  /** What the session or the users' table says. */
  readonly emailVerified: boolean
}

export interface PolarConfig extends AppHandlers<void | Promise<void>> {
  /**
   * An organization access token, `polar_oat_…`. Needed unless `client` is given.
   *
   * @example
   * polar({ accessToken: process.env["POLAR_ACCESS_TOKEN"], webhookSecret })
   */
  readonly accessToken?: string | undefined
  /**
   * The webhook endpoint's signing secret, or several while one is being replaced: a list, or one text with commas between,
   * as `kavach-polar rotate-secret` writes it.
   *
   * @example
   * polar({ accessToken, webhookSecret: [process.env["NEW_SECRET"], process.env["OLD_SECRET"]] })
   */
  readonly webhookSecret: string | ReadonlyArray<string | undefined> | undefined
  /**
   * Polar's id of your organization: deliveries of any other are ignored, and lists are narrowed to it.
   *
   * @example
   * polar({ accessToken, webhookSecret, organizationId: process.env["POLAR_ORGANIZATION_ID"] })
   */
  readonly organizationId?: string | undefined
  /**
   * What you sell: a list of products' ids at Polar, or names of your own with the id of each, `{ pro: "<id>" }`. The checkout
   * route sells nothing else, only subscriptions to these give access and are shown, and calls take the names too. Default:
   * every product of the organization, also one that was made for somebody else; a host warns of it at start, unless you say
   * `"any"`.
   *
   * @example
   * const sold = polar({ accessToken, webhookSecret, products: { pro: process.env["POLAR_PRO"] } })
   * await sold.createCheckout("user_1", "pro")
   */
  readonly products?: Products | AnyProduct | undefined
  /**
   * Use Polar's sandbox: its own tokens, products and customers. Default: false.
   *
   * @example
   * polar({ accessToken, webhookSecret, sandbox: process.env["NODE_ENV"] !== "production" })
   */
  readonly sandbox?: boolean | undefined
  /**
   * Called when a user's subscription visibly changed: after the change is stored, outside of any request, at least once,
   * in order. If it throws it is called again later. `notification.id` is the same on every try.
   *
   * @example
   * polar({ accessToken, webhookSecret, onSubscriptionChange: (userId, { status }) => console.log(userId, status) })
   */
  readonly onSubscriptionChange?:
    | ((
        userId: string,
        subscription: PolarSubscriptionChange,
        notification: { readonly id: string; readonly signal: AbortSignal }
      ) => void | Promise<void>)
    | undefined
  /**
   * Where buyers may be sent back to, and whose pages may ask for a checkout, as origins: `https://app.example.com`. Polar
   * adds the buyer's portal token to the address. Default for the checkout route: the app's own origin, which is the host's
   * `baseUrl` or else where the request came to. Without it the methods take any http(s) URL from the app's own code.
   *
   * @example
   * polar({ accessToken, webhookSecret, trustedOrigins: ["https://app.example.com"] })
   */
  readonly trustedOrigins?: ReadonlyArray<string> | undefined
  /**
   * Routes that the host shall not have: `access`, `benefits`, `orders`, `change`, `preview`, `cancel`, `uncancel`, `pause`,
   * `resume`, `portal`, `completeCheckout`. All answer the signed-in user about what is theirs; benefits come with their metadata, which
   * is yours. `health: true` adds the route for a monitor, which anybody may ask.
   *
   * @example
   * polar({ accessToken, webhookSecret, routes: { access: false, benefits: false, orders: false } })
   */
  readonly routes?: RoutesOption | undefined
  /**
   * Asked before a route does anything with the user's subscription, opens the portal or completes a checkout: `false` is
   * answered 403. Default: a user may do what concerns their own.
   *
   * @example
   * polar({
   *   accessToken,
   *   webhookSecret,
   *   authorize: (action, { subscription }) => action !== "cancel" || subscription?.status !== "trialing"
   * })
   */
  readonly authorize?: AuthorizeAction | undefined
  /**
   * How `onSubscriptionChange` and the other handlers are called: of each option its own queue, all in the same way.
   *
   * @example
   * polar({ accessToken, webhookSecret, callback: { timeoutSeconds: 30, attempts: 20, concurrency: 4 } })
   */
  readonly callback?:
    | {
        /**
         * How long a call may take: then its `signal` is aborted, and a warning is logged. It is not called again before it has
         * ended, and has failed only if it ends with an error. Default 10.
         */
        readonly timeoutSeconds?: number | undefined
        /** After how many failed calls a notification is given up. Default 12, which takes about five hours. */
        readonly attempts?: number | undefined
        /** How many calls run at once in this process. Default 16. */
        readonly concurrency?: number | undefined
        /**
         * `background`: deliveries are answered when they are stored, and the calls go on. `beforeAnswer`: when the calls have
         * ended too, or after eight seconds, for hosts that stop a process once it has answered. Whatever the call does, the
         * answer is 200. Default: `background`.
         *
         * @example
         * polar({ accessToken, webhookSecret, callback: { mode: "beforeAnswer" } })
         */
        readonly mode?: "background" | "beforeAnswer" | undefined
      }
    | undefined
  /**
   * Who has access.
   *
   * @example
   * polar({ accessToken, webhookSecret, accessPolicy: { gracePeriodDays: 3, endToleranceMinutes: 15 } })
   */
  readonly accessPolicy?:
    | {
        /** For how many days an overdue subscription keeps access, where its status gives `"grace"`. Default 7. */
        readonly gracePeriodDays?: number | undefined
        /**
         * For how many minutes access goes on after a scheduled end, or the end of a trial, so that a webhook that is on its
         * way has time to arrive. Default 60.
         */
        readonly endToleranceMinutes?: number | undefined
        /**
         * What each status gives. A subscription that is over, or has not begun, gives nothing.
         *
         * @example
         * polar({
         *   accessToken,
         *   webhookSecret,
         *   accessPolicy: { statuses: { trialing: "granted", active: "granted", past_due: "denied", paused: "denied" } }
         * })
         * // What is over or has not begun can only be denied: canceled, unpaid, incomplete, incomplete_expired.
         */
        readonly statuses?:
          | {
              readonly trialing?: "granted" | "denied" | undefined
              readonly active?: "granted" | "denied" | undefined
              readonly past_due?: "granted" | "grace" | "denied" | undefined
              readonly paused?: "granted" | "denied" | undefined
              readonly canceled?: "denied" | undefined
              readonly unpaid?: "denied" | undefined
              readonly incomplete?: "denied" | undefined
              readonly incomplete_expired?: "denied" | undefined
            }
          | undefined
      }
    | undefined
  /**
   * Whether your app has this user. Asked of a user whom Polar names (a customer's external id, metadata) and whom billing does
   * not know: from a row in `kavach_users`, a link or a checkout. For apps whose users live elsewhere. If it throws, or takes
   * longer than three seconds, Polar is told to deliver again.
   *
   * @example
   * polar({ accessToken, webhookSecret, userExists: async (userId) => (await fetch(`https://users.example.com/${userId}`)).ok })
   */
  readonly userExists?: ((userId: string) => boolean | Promise<boolean>) | undefined
  /**
   * Which external ids and metadata at Polar name your users. `known`: only those of users whom your app has. `trust`: all of
   * them; only for an organization that nothing else sells through. Default: `known` once `kavach_users` has a row or
   * `userExists` is given; before that nobody could be known, and they are trusted.
   *
   * @example
   * polar({ accessToken, webhookSecret, externalIds: "trust" })
   */
  readonly externalIds?: "known" | "trust" | undefined
  /**
   * Whether the user's address is known to be their own. Only then is a customer made of it at Polar, which knows people by
   * their address. Default: what the session, or the column `email_verified` of `kavach_users`, says.
   *
   * @example
   * polar({ accessToken, webhookSecret, emailVerified: ({ email }) => email?.endsWith("@acme-mail.dev") === true })
   */
  readonly emailVerified?: ((user: CheckoutUser) => boolean) | undefined
  /**
   * Where subscriptions are kept, for apps without KavachOS or with a database of their own for billing.
   *
   * @example
   * import { SqliteStore } from "@kavach-polar/adapter-sqlite"
   * import { polar } from "@kavach-polar/http"
   *
   * export const billing = polar({
   *   accessToken: process.env["POLAR_ACCESS_TOKEN"],
   *   webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
   *   store: SqliteStore.layer({ filename: "billing.sqlite" })
   * })
   */
  readonly store?: Layer.Layer<BillingStore, unknown> | undefined
  /**
   * The table of your users, in which billing looks whether a user exists and what their address is: `{ table, id, email, name }`
   * with the names of columns. It is never written. `false`: none; users are known by their checkouts. Default: in a host
   * `kavach_users`, which shows each user's subscription besides; elsewhere the same table if it is there.
   *
   * @example
   * polar({ accessToken, webhookSecret, users: { table: "app.users", id: "id", email: "email", name: "name" } })
   */
  readonly users?:
    | false
    | {
        readonly table: string
        readonly id: string
        readonly email?: string | undefined
        readonly name?: string | undefined
      }
    | undefined
  /**
   * Talk to Polar through this instead; for tests, `PolarClient.layerMemory`.
   *
   * @example
   * import { BillingStore, PolarClient } from "@kavach-polar/core"
   * import { polar } from "@kavach-polar/http"
   *
   * export const billing = polar({
   *   webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
   *   client: PolarClient.layerMemory,
   *   store: BillingStore.layerMemory
   * })
   */
  readonly client?: Layer.Layer<PolarClient> | undefined
  /**
   * How many seconds a buyer's click may wait for Polar, all retries included. Default: 8.
   *
   * @example
   * polar({ accessToken, webhookSecret, buyerTimeoutSeconds: 5 })
   */
  readonly buyerTimeoutSeconds?: number | undefined
  /**
   * How many checkouts, and how many portal sessions, one user may open in a minute. A click too many gets the one that is
   * open already, or fails with `TooManySessions`. Each process counts for itself. Default: 10; `Infinity` for no limit.
   *
   * @example
   * polar({ accessToken, webhookSecret, sessionsPerMinute: 30 })
   */
  readonly sessionsPerMinute?: number | undefined
  /**
   * Whether a user who had a trial, of whatever product, buys without another one, as far as this database knows. Default:
   * false. Polar's own setting against abused trials looks at cards and addresses: have both.
   *
   * @example
   * polar({ accessToken, webhookSecret, trialOncePerUser: true })
   */
  readonly trialOncePerUser?: boolean | undefined
  /**
   * Whether Polar is asked when somebody who has dealt with it here is refused: no access, no benefit, no product. So who has
   * paid is not locked out because a webhook was lost. At most once a minute for each user, and within a fifth of the limit of
   * requests. `true`, the default with a token: in the background, so that the next answer is right. `"await"`: this answer
   * waits for it, two seconds at most.
   *
   * @example
   * polar({ accessToken, webhookSecret, refreshWhenDenied: "await" })
   */
  readonly refreshWhenDenied?: boolean | "await" | undefined
  /**
   * Keeps what `access`, `benefits` and `getSubscription` have read in memory, of the last 10,000 users. What this process
   * stores is seen at once, what other processes store within `maxAgeSeconds`. Default: every call reads the database.
   *
   * @example
   * polar({ accessToken, webhookSecret, accessCache: { maxAgeSeconds: 10 } })
   */
  readonly accessCache?: { readonly maxAgeSeconds: number } | undefined
  /**
   * For how long an answer about a license key is kept (default 300 seconds; a "no" for ten at most), and for how long it is
   * good while Polar is out of order (default a week).
   *
   * @example
   * polar({ accessToken, webhookSecret, licenseKeys: { maxAgeSeconds: 60, staleIfErrorSeconds: 24 * 3600 } })
   */
  readonly licenseKeys?:
    | {
        readonly maxAgeSeconds?: number | undefined
        readonly staleIfErrorSeconds?: number | undefined
      }
    | undefined
  /**
   * Another address of Polar's API, such as a simulator's.
   *
   * @example
   * polar({ accessToken: "polar_oat_simulator", webhookSecret, apiBaseUrl: "http://127.0.0.1:4010" })
   */
  readonly apiBaseUrl?: string | undefined
  /**
   * Compare everything that is stored with Polar's API so often, and set right what differs: for what no webhook brought.
   * One process does it for all. Default 24, where there is an `accessToken`; `0` or `false` for never.
   *
   * @example
   * polar({ accessToken, webhookSecret, reconcileEveryHours: 6 })
   */
  readonly reconcileEveryHours?: number | false | undefined
  /**
   * The address of your webhook endpoint, as Polar has it: reconciliation reports when Polar has disabled it, and asks for
   * what it missed. Default: the endpoints whose path ends with `/auth/polar/webhook`.
   *
   * @example
   * polar({ accessToken, webhookSecret, webhookUrl: "https://app.example.com/webhooks/polar" })
   */
  readonly webhookUrl?: string | undefined
  /**
   * How many seconds ago a delivery may have been signed, for deliveries that wait in a queue of your own before they come
   * here. Default 300; at most 604800, a week. Whatever it is, a delivery is applied once only.
   *
   * @example
   * polar({ accessToken, webhookSecret, toleranceSeconds: 3600 })
   */
  readonly toleranceSeconds?: number | undefined
  /**
   * For how many days the bodies of deliveries are kept, for replays, and what the app was told. Default 90; less than
   * a day counts as a day, with a warning, and `Infinity` keeps them. That a delivery came is known for 90 days at the least, so that none is applied twice.
   *
   * @example
   * polar({ accessToken, webhookSecret, retentionDays: 30 })
   */
  readonly retentionDays?: number | undefined
  /**
   * How the bodies of deliveries are kept, which name customers and their e-mail addresses: encrypted by the app, or `"none"` for
   * not at all. `encrypt` and `decrypt` are given JSON text and the delivery's `webhook-id`, and have three seconds; while
   * `encrypt` fails, deliveries are answered with 503 and Polar sends them again. With `"none"` nothing can be replayed, and there
   * can be no handlers in `on`, which are given what the body says. Default: as JSON text.
   *
   * @example
   * polar({
   *   accessToken,
   *   webhookSecret,
   *   bodies: {
   *     encrypt: (body, { deliveryId }) => vault.seal(body, deliveryId),
   *     decrypt: (encrypted, { deliveryId }) => vault.open(encrypted, deliveryId)
   *   }
   * })
   */
  readonly bodies?: PolarBodies | "none" | undefined
  /**
   * Create and upgrade the tables at start. Default: true.
   *
   * @example
   * polar({ accessToken, webhookSecret, migrate: false })
   */
  readonly migrate?: boolean | undefined
  /**
   * The largest delivery that is read. Default 1 MiB.
   *
   * @example
   * polar({ accessToken, webhookSecret, webhookBodyLimitBytes: 256 * 1024 })
   */
  readonly webhookBodyLimitBytes?: number | undefined
  /**
   * Spans and metrics to the app's OpenTelemetry; each of the two unless it is switched off. It needs `@opentelemetry/api`, and an
   * SDK that the app sets up. Default: nothing of it is loaded. See docs/telemetry.md.
   *
   * @example
   * polar({ accessToken, webhookSecret, telemetry: { traces: true, metrics: true } })
   */
  readonly telemetry?: PolarTelemetry | undefined
  /**
   * Where the log goes. pino, and so Fastify's, is given the fields and a sentence: `info({ delivery: "evt_1" }, "Received …")`.
   * winston, `console` and the like are given one line with both. It has ids, never bodies or secrets. Default: the console.
   *
   * @example
   * polar({ accessToken, webhookSecret, logger: console })
   */
  readonly logger?: PolarLogger | undefined
  /**
   * What is logged. Default `info`.
   *
   * @example
   * polar({ accessToken, webhookSecret, logLevel: "warning" })
   */
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

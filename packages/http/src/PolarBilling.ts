/** What `polar()` gives the app. */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Access } from "@kavach-polar/core/AccessPolicy"
import type {
  AccessOptions,
  ActivateOptions,
  CancelOptions,
  ChangeOptions,
  CheckoutOptions,
  CompletedCheckout,
  DocumentOptions,
  EraseOptions,
  Erasure,
  GetCheckoutOptions,
  GrantedBenefit,
  Health,
  LicenseKeyActivated,
  LicenseKeyCheck,
  LinkChange,
  LinkChangeOptions,
  MoveOptions,
  OrderDocument,
  OrderQuery,
  PauseOptions,
  PersonalData,
  PortalOptions,
  RefundOptions,
  RevokeOptions,
  SoldProduct,
  SubscriptionPreview,
  Timeline,
  TimelineOptions,
  UsersCheckout,
  UsersCustomers,
  UsersLicenseKey,
  ValidateOptions,
  WaitingOptions,
  WaitingRecord,
  WhichSubscription
} from "@kavach-polar/core/Billing"
import type { BuryQuery, DeadNotification, DeadNotificationQuery } from "@kavach-polar/core/Notification"
import type { Order } from "@kavach-polar/core/Order"
import type { ReconcileCounts, ReconcileReport } from "@kavach-polar/core/ReconcileReport"
import type { Refund } from "@kavach-polar/core/Refund"
import type { ReplayQuery, ReplayReport } from "@kavach-polar/core/Replay"
import type { PolarSubscription, SubscriptionDetails } from "./config/PolarConfig.ts"

export type { SubscriptionDetails } from "./config/PolarConfig.ts"

import type { ConsoleOptions } from "./console/ConsoleOptions.ts"
import type { BillingHandler, HandlerOptions } from "./host/handler.ts"
import type { PluginContext } from "./host/KavachPlugin.ts"
import type { ProductCall, ProductGiven, ProductLookup, ProductsOption } from "./productNames.ts"

export type { BuryQuery, DeadNotification, DeadNotificationQuery } from "@kavach-polar/core/Notification"

/** What is left when everything was told that can be: see `PolarBilling.settled`. */
export interface Settled {
  readonly waiting: number
  readonly dead: number
}

/** What became of a checkout, by now. */
export interface CheckoutResult extends Omit<CompletedCheckout, "subscription"> {
  readonly subscription: SubscriptionDetails | null
}

/** A key that a user was granted; `key` is to show to them, and `null` while Polar cannot be asked for it. */
export interface LicenseKey extends Omit<UsersLicenseKey, "key"> {
  readonly key: string | null
}

/** A checkout that was opened. */
export interface OpenedCheckout {
  readonly outcome: "checkout"
  readonly id: string
  /** Polar's page: send the buyer there. */
  readonly url: string
}

/** What came of `createCheckout` with `ifSubscribed: "change"` or `"portal"`. */
export type CheckoutOutcome =
  | OpenedCheckout
  /** The user was subscribed: send them to Polar's portal. */
  | { readonly outcome: "portal"; readonly url: string }
  /** The user was subscribed: their subscription was changed to the product, or has it already. */
  | { readonly outcome: "changed"; readonly subscription: SubscriptionDetails }

/** How `createCheckout` is called. */
export interface CreateCheckoutCall<Name extends string> {
  <Given extends string>(
    userId: string,
    product: ProductGiven<Name, Given> | ReadonlyArray<ProductGiven<Name, Given>>,
    options?: CheckoutOptions & { readonly ifSubscribed?: "refuse" | "buy" | undefined }
  ): Promise<OpenedCheckout>
  <Given extends string>(
    userId: string,
    product: ProductGiven<Name, Given> | ReadonlyArray<ProductGiven<Name, Given>>,
    options: CheckoutOptions
  ): Promise<CheckoutOutcome>
}

/** Billing in promises. Every method rejects with an error whose message says what was wrong and what to do. */
export interface PolarBilling<ProductName extends string = string> {
  /**
   * A checkout session: send the buyer to its `url`. Options that name the buyer must come from the app's own records.
   * `product` is a name in `products`, or an id of Polar's; of several the buyer may choose, and the first is preselected. What
   * to do for somebody who is subscribed already, `ifSubscribed` says.
   *
   * @example
   * const { url } = await billing.createCheckout("user_1", productId, { customerEmail: "ada@example.com" })
   * Response.redirect(url, 303)
   */
  readonly createCheckout: CreateCheckoutCall<ProductName>
  /**
   * The user's current subscription, or null when none is live. One that is paused (`status: "paused"`) or overdue is live
   * too: ask `access` whether they may use what it is for.
   *
   * @example
   * const subscription = await billing.getSubscription("user_1")
   * subscription?.currentPeriodEnd
   */
  readonly getSubscription: (userId: string) => Promise<PolarSubscription | null>
  /**
   * All subscriptions the user ever had, the newest first, with every field, as plain objects.
   *
   * @example
   * const [newest] = await billing.listSubscriptions("user_1")
   * newest?.isPaused
   */
  readonly listSubscriptions: (userId: string) => Promise<ReadonlyArray<SubscriptionDetails>>
  /** Checkouts that `createCheckout` made, and the buyer who is back before the webhook. */
  readonly checkouts: {
    /**
     * For whom a checkout was made, and of what. With `userId`, another user's is a `CheckoutNotFound`.
     *
     * @example
     * const { productId: bought } = await billing.checkouts.get(checkoutId, { userId: "user_1" })
     */
    readonly get: (checkoutId: string, options?: GetCheckoutOptions) => Promise<UsersCheckout>
    /**
     * What became of the user's checkout: for the page that the buyer comes back to. Waits up to `waitSeconds` (10) for a payment
     * that is under way, asks Polar, and stores what it says; `access` is what the user may use by then. Another user's checkout
     * is a `CheckoutNotFound`.
     *
     * @example
     * const { access, status } = await billing.checkouts.complete("user_1", checkoutId)
     * status === "succeeded" ? access.entitlement : "Not paid yet"
     */
    readonly complete: (
      userId: string,
      checkoutId: string,
      options?: {
        /** How long to wait, 0 to 30. Default 10. */
        readonly waitSeconds?: number | undefined
      }
    ) => Promise<CheckoutResult>
  }
  /**
   * Changes what the user has at Polar, and stores what it is then: it resolves with that. Of several live subscriptions, say
   * which one with `subscriptionId`. Doing a thing twice is no error. What can go wrong: docs/subscriptions.md.
   */
  readonly subscriptions: {
    /**
     * To another `product` (a name in `products`, or an id of Polar's), or another number of `seats` or `units`.
     *
     * @example
     * await billing.subscriptions.change("user_1", { product: productId })
     */
    readonly change: (userId: string, options: ChangeOptions) => Promise<SubscriptionDetails>
    /**
     * What `change` would cost, in minor units (cents); `{ available: false }` where Polar does not say.
     *
     * @example
     * const cost = await billing.subscriptions.preview("user_1", { product: productId })
     * if (cost.available) console.log(cost)
     */
    readonly preview: (userId: string, options: ChangeOptions) => Promise<SubscriptionPreview>
    /**
     * Ends it with its period; at once with `atPeriodEnd: false`.
     *
     * @example
     * const { endsAt } = await billing.subscriptions.cancel("user_1", { reason: "too_expensive" })
     */
    readonly cancel: (userId: string, options?: CancelOptions) => Promise<SubscriptionDetails>
    /**
     * Undoes a cancellation while the period lasts.
     *
     * @example
     * await billing.subscriptions.uncancel("user_1")
     */
    readonly uncancel: (userId: string, options?: WhichSubscription) => Promise<SubscriptionDetails>
    /**
     * Ends it at once. Nothing is paid back: see `orders.refund`.
     *
     * @example
     * await billing.subscriptions.revoke("user_1", { reason: "other", comment: "Asked by phone" })
     */
    readonly revoke: (userId: string, options?: RevokeOptions) => Promise<SubscriptionDetails>
    /**
     * At the end of its period.
     *
     * @example
     * await billing.subscriptions.pause("user_1", { resumesAt: new Date("2027-03-01") })
     */
    readonly pause: (userId: string, options?: PauseOptions) => Promise<SubscriptionDetails>
    /**
     * Goes on with one that is paused, which charges a new period at once; undoes a pause that is only scheduled.
     *
     * @example
     * await billing.subscriptions.resume("user_1", { subscriptionId })
     */
    readonly resume: (userId: string, options?: WhichSubscription) => Promise<SubscriptionDetails>
    /**
     * @example
     * await billing.subscriptions.extendTrial("user_1", new Date("2027-01-31"))
     */
    readonly extendTrial: (userId: string, until: Date, options?: WhichSubscription) => Promise<SubscriptionDetails>
    /**
     * Charges it now.
     *
     * @example
     * await billing.subscriptions.endTrial("user_1")
     */
    readonly endTrial: (userId: string, options?: WhichSubscription) => Promise<SubscriptionDetails>
    /**
     * From the next period on. By its code or its id; `null` takes it away.
     *
     * @example
     * await billing.subscriptions.applyDiscount("user_1", "SPRING")
     * await billing.subscriptions.applyDiscount("user_1", null)
     */
    readonly applyDiscount: (
      userId: string,
      codeOrId: string | null,
      options?: WhichSubscription
    ) => Promise<SubscriptionDetails>
    /**
     * Drops a change that waits for the next period.
     *
     * @example
     * await billing.subscriptions.undoPending("user_1")
     */
    readonly undoPending: (userId: string, options?: WhichSubscription) => Promise<SubscriptionDetails>
  }
  /** Polar's portal, where a user manages what they bought. */
  readonly portal: {
    /**
     * An address that opens it for an hour, without a sign-in: send the user there at once, and keep it nowhere.
     *
     * @example
     * Response.redirect(await billing.portal.url("user_1", { returnUrl: "https://app.example.com/account" }), 303)
     */
    readonly url: (userId: string, options?: PortalOptions) => Promise<string>
  }
  /** What you sell, asked of your own database. Webhooks of products bring it (`product.created`, `product.updated`). */
  readonly products: {
    /**
     * By its name in `products`, its `metadata.key` at Polar or its id; `null` where no webhook has brought it.
     *
     * @example
     * const product = await billing.products.get("pro")
     * product?.name
     */
    readonly get: ProductLookup<ProductName, SoldProduct | null>
    /**
     * What is for sale, the oldest first: nothing that is archived, and with `products` nothing but what it names.
     *
     * @example
     * const forSale = await billing.products.list()
     * forSale.map(({ key, name }) => [key, name])
     */
    readonly list: () => Promise<ReadonlyArray<SoldProduct>>
  }
  /** What users paid for, or are to pay: one-time purchases, and each period of a subscription. */
  readonly orders: {
    /**
     * The user's orders, the newest first. Amounts are in minor units (cents) of `currency`.
     *
     * @example
     * const paid = await billing.orders.list("user_1", { status: "paid" })
     */
    readonly list: (userId: string, query?: OrderQuery) => Promise<ReadonlyArray<Order>>
    /**
     * Whether the user bought this product once, and it is paid and not wholly refunded. Orders of a subscription do not count:
     * ask `access` for those. `product` is a name in `products`, or an id of Polar's.
     *
     * @example
     * if (await billing.orders.owns("user_1", productId)) console.log("the handbook is theirs")
     */
    readonly owns: ProductCall<ProductName, [], boolean>
    /**
     * One order, whosever it is; `null` if none is known by this id.
     *
     * @example
     * const order = await billing.orders.get(orderId)
     * order?.totalAmount
     */
    readonly get: (orderId: string) => Promise<Order | null>
    /**
     * Where the order's invoice is: send the user there at once, its address needs no sign-in. `pending`: it is being written,
     * ask again in a few seconds. With `userId`, another user's order is an `OrderNotFound`.
     *
     * @example
     * const invoice = await billing.orders.invoice(orderId, { userId: "user_1" })
     * if ("url" in invoice) Response.redirect(invoice.url, 303)
     */
    readonly invoice: (orderId: string, options?: DocumentOptions) => Promise<OrderDocument>
    /**
     * The same for the receipt of what was paid.
     *
     * @example
     * const receipt = await billing.orders.receipt(orderId, { userId: "user_1" })
     * if ("url" in receipt) Response.redirect(receipt.url, 303)
     */
    readonly receipt: (orderId: string, options?: DocumentOptions) => Promise<OrderDocument>
    /**
     * Gives money back: all that is left, or `amount`. Once for each `idempotencyKey`: asked again, or by several at once, it
     * resolves with the same refund. What that changes is stored when it resolves.
     *
     * @example
     * await billing.orders.refund(orderId, { reason: "customer_request", idempotencyKey: "ticket 7" })
     */
    readonly refund: (orderId: string, options: RefundOptions) => Promise<Refund>
  }
  /**
   * What users were granted: feature flags, license keys and so on. Asked of your own database. `key` is the benefit's
   * `metadata.key` at Polar, or its id; never its description, which the merchant may edit.
   */
  readonly benefits: {
    /**
     * @example
     * if (await billing.benefits.has("user_1", "export")) console.log("may export")
     */
    readonly has: (userId: string, key: string) => Promise<boolean>
    /**
     * `null` where the user does not have it. Of several grants of it, the one that was granted first.
     *
     * @example
     * const flag = await billing.benefits.get("user_1", "max-projects")
     * Number(flag?.metadata["limit"] ?? 1)
     */
    readonly get: (userId: string, key: string) => Promise<GrantedBenefit | null>
    /**
     * One for each grant, the oldest first: a benefit that was bought twice is there twice.
     *
     * @example
     * const keys = (await billing.benefits.list("user_1")).map(({ key }) => key)
     */
    readonly list: (userId: string) => Promise<ReadonlyArray<GrantedBenefit>>
  }
  /** License keys: what users have of them, and whether one that a program shows is good. A key is a secret: log none. */
  readonly licenseKeys: {
    /**
     * The user's keys, the oldest first. Asked of your own database; Polar is asked once for the key itself.
     *
     * @example
     * const [licence] = await billing.licenseKeys.list("user_1")
     * licence?.key
     */
    readonly list: (userId: string) => Promise<ReadonlyArray<LicenseKey>>
    /**
     * One answer for all of Polar's refusals. It is kept for five minutes, and a "yes" is good for a week while Polar is out of
     * order (`isStale`). With `incrementUsage` Polar is asked each time.
     *
     * @example
     * const { valid } = await billing.licenseKeys.validate("ACME-…", { activationId })
     */
    readonly validate: (key: string, options?: ValidateOptions) => Promise<LicenseKeyCheck>
    /**
     * Keep `activationId` where the key is used, for `validate`. Asking twice activates twice.
     *
     * @example
     * const answer = await billing.licenseKeys.activate("ACME-…", { label: "Ada's laptop" })
     * if (answer.activated) answer.activationId
     */
    readonly activate: (key: string, options: ActivateOptions) => Promise<LicenseKeyActivated>
    /**
     * Whether there was such an activation to end.
     *
     * @example
     * await billing.licenseKeys.deactivate("ACME-…", activationId)
     */
    readonly deactivate: (key: string, activationId: string) => Promise<boolean>
  }
  /**
   * Whether the user has access, why, and until when. `at` asks for another time than now: for a clock of your own, such as
   * a simulator's. With `product` or `products`, names in `products` or ids of Polar's, only subscriptions to these count: a
   * free plan is not Team.
   *
   * @example
   * const { entitlement, until } = await billing.access("user_1", { product: "pro" })
   * if (entitlement === "denied") console.log("choose a plan")
   */
  readonly access: ProductsOption<ProductName, AccessOptions, Access>
  /**
   * A short-lived address at which the user manages what they bought.
   *
   * @example
   * const { url } = await billing.createPortalSession("user_1", { returnUrl: "https://app.example.com/account" })
   */
  readonly createPortalSession: (
    userId: string,
    options?: PortalOptions
  ) => Promise<{ readonly url: string; readonly expiresAt: Date }>
  /**
   * Whose customers and records are: to look at, and to put right. What depends on it follows at once: access, and what the
   * callback and the columns of `kavach_users` say. With `dryRun` nothing is changed; `by` is kept with the change.
   */
  readonly customers: {
    /**
     * What waits for its user, and what it offers as evidence.
     *
     * @example
     * for (const { evidence, id } of await billing.customers.waiting({ limit: 20 })) console.log(id, evidence)
     */
    readonly waiting: (options?: WaitingOptions) => Promise<ReadonlyArray<WaitingRecord>>
    /**
     * The user's customers and records, what said that they are theirs, and what was put right by hand.
     *
     * @example
     * const { customers } = await billing.customers.of("user_1")
     */
    readonly of: (userId: string) => Promise<UsersCustomers>
    /**
     * All that is known of one person, for whoever answers "I paid": by a user's id, an e-mail address, or Polar's id of a
     * customer, a subscription, an order or a checkout. With `polar`, beside it what Polar has. It changes nothing, and may go
     * through all deliveries: for support, not for requests of users. Do not show it to users: it has what operators did.
     *
     * @example
     * const history = await billing.customers.timeline("ada@example.com")
     * if (history.found === "one") console.log(history.answer.sentence, history.timeline)
     */
    readonly timeline: (query: string, options?: TimelineOptions) => Promise<Timeline>
    /**
     * Links a customer that is nobody's, and gives the user what waits of it.
     *
     * @example
     * await billing.customers.link("user_1", customerId, { by: "Lin of support" })
     */
    readonly link: (userId: string, customerId: string, options?: LinkChangeOptions) => Promise<LinkChange>
    /**
     * Gives a customer to another user, with all of it that was the user's before or waits; or one record (a subscription,
     * an order), with what hangs on it. Nothing that Polar says later undoes it.
     *
     * @example
     * await billing.customers.move(customerId, { to: "user_2", dryRun: true })
     */
    readonly move: (id: string, options: MoveOptions<string>) => Promise<LinkChange>
    /**
     * Ends a link. What the user had by no more than it waits from then on; only a checkout of this app, or somebody's word,
     * gives it to somebody.
     *
     * @example
     * await billing.customers.unlink(customerId, { by: "Lin of support" })
     */
    readonly unlink: (customerId: string, options?: LinkChangeOptions) => Promise<LinkChange>
  }
  /**
   * Whether billing works, for a monitor; `degraded` where something is lost or late unless somebody looks, such as an endpoint that
   * Polar has disabled. Asks the own database only, and never rejects for what it finds.
   *
   * @example
   * const { checks, status } = await billing.health()
   */
  readonly health: () => Promise<Health>
  /** What is stored of a person: to be given to them, and to be erased. */
  readonly privacy: {
    /**
     * All that is stored of the user, as plain JSON: what they are at Polar, what they bought, what Polar sent of it and what the
     * app was told.
     *
     * @example
     * const json = JSON.stringify(await billing.privacy.export("user_1"), null, 2)
     */
    readonly export: (userId: string) => Promise<PersonalData>
    /**
     * Erases the user: here at once, and at Polar as asked for. What accounting needs stays under a pseudonym, without the person.
     * Where Polar does not answer, the rest waits and goes on by itself; nothing that Polar sends later brings anything back.
     * The user's row in your own table is yours to delete.
     *
     * @example
     * const { state, endedSubscriptionIds } = await billing.privacy.erase("user_1", { polar: "anonymize" })
     */
    readonly erase: (userId: string, options: EraseOptions) => Promise<Erasure>
    /**
     * All erasures, the newest first, and which of them wait for Polar. Nothing in them leads to a user.
     *
     * @example
     * const waiting = (await billing.privacy.erasures()).filter(({ state }) => state === "waiting")
     */
    readonly erasures: () => Promise<ReadonlyArray<Erasure>>
    /**
     * Goes on now with those that wait for Polar, which happens by itself every few minutes. Answers with how many are done by that.
     *
     * @example
     * const done = await billing.privacy.resume()
     */
    readonly resume: () => Promise<number>
  }
  /**
   * Says whose customer it is, for customers that no checkout of this app made.
   *
   * @example
   * await billing.linkCustomer("user_1", customerId)
   */
  readonly linkCustomer: (userId: string, customerId: string) => Promise<void>
  /**
   * Gives what waited for a user who exists by now to that user, and says how many subscriptions, orders and so on that were.
   * It is done every few minutes anyhow: call it when your app has made a user who may have bought before.
   *
   * @example
   * await billing.linkWaiting()
   */
  readonly linkWaiting: () => Promise<number>
  /**
   * Applies recorded deliveries again, for example after an upgrade. What is known already changes nothing.
   *
   * @example
   * await billing.replay({ states: ["failed"] })
   * await billing.replay({ types: ["order.paid"] }, { tellAgain: true, dryRun: true })
   */
  readonly replay: (
    query?: ReplayQuery,
    options?: {
      /** Look and report, and change nothing. Each is judged by what is stored now. */
      readonly dryRun?: boolean | undefined
      /** Whether handlers of events (`on`) are called again for what they were told before. Default: false. */
      readonly tellAgain?: boolean | undefined
    }
  ) => Promise<ReplayReport>
  /**
   * Makes what is stored of the user equal to what Polar's API says now: for a buyer who is back from a checkout before its
   * webhook, or for support.
   *
   * @example
   * await billing.reconcile("user_1", { dryRun: true, timeoutSeconds: 5 })
   */
  readonly reconcile: (
    userId: string,
    options?: {
      /** Look and report, and change nothing. */
      readonly dryRun?: boolean | undefined
      /** How long it may take, or it is a `ReconcileTookTooLong`. Default 15. */
      readonly timeoutSeconds?: number | undefined
    }
  ) => Promise<ReconcileCounts>
  /**
   * The same for all users. Also reports when Polar has disabled the webhook endpoint, and asks Polar for events that it
   * could not deliver. One process at a time does it.
   *
   * @example
   * await billing.reconcileAll({ since: new Date("2026-11-24"), dryRun: true })
   */
  readonly reconcileAll: (options?: {
    /** Only subscriptions that Polar has changed since. */
    readonly since?: Date | undefined
    /** Look and report, and change nothing. */
    readonly dryRun?: boolean | undefined
  }) => Promise<ReconcileReport>
  /** What the callback was to be told and never took: it failed as often as it may. */
  readonly notifications: {
    /**
     * Those that were given up, the longest ago first: a hundred, unless the query has a `limit`.
     *
     * @example
     * const givenUp = await billing.notifications.dead({ userId: "user_1", limit: 10 })
     */
    readonly dead: (query?: DeadNotificationQuery) => Promise<ReadonlyArray<DeadNotification>>
    /**
     * Has the callback called again for those that were given up, and says for how many: once what kept it from taking them is
     * repaired. Without a condition it is all of them.
     *
     * @example
     * await billing.notifications.retry({ handler: "onPurchase" })
     */
    readonly retry: (query: DeadNotificationQuery) => Promise<number>
    /**
     * Puts notifications aside, for good, and says how many: those that were given up, and those whose last call failed and that
     * wait for the next. Your handler is not called for them any more; what changes later is told as ever. With `by` it is kept in
     * the audit trail.
     *
     * @example
     * await billing.notifications.bury({ ids: ["a notification's id"], by: "Lin" })
     */
    readonly bury: (query: BuryQuery) => Promise<number>
  }
  /**
   * Waits until the callback was told everything that was received, and says what it was not: how many subscriptions have
   * something that waits for a further call, because one has failed, and how many notifications were given up. For tests.
   *
   * @example
   * const { dead, waiting } = await billing.settled()
   */
  readonly settled: () => Promise<Settled>
  /**
   * Opens the database, creates or upgrades the tables, and takes up what an earlier process left: retries, callbacks,
   * reconciliation. Hosts call it by themselves; without one, call it when your server starts. Else the first other call does
   * it, and a process that nobody calls does nothing. After a failure it rejects, and goes on trying.
   *
   * @example
   * await billing.start()
   */
  readonly start: () => Promise<void>
  /**
   * All routes in one function, from a web request to its answer: for Hono, Next, Bun and whatever else
   * has web requests. On `node:http` and Express with `toNodeListener`, on Fastify with `toFastifyPlugin`. Never rejects, and
   * throws an `InvalidOption` for options that are wrong.
   *
   * @example
   * const handler = billing.handler({ getUser: (asking) => ({ id: asking.headers.get("x-user") ?? "" }) })
   * await handler(request)
   */
  readonly handler: <Context = unknown>(options: HandlerOptions<Context>) => BillingHandler<Context>
  /**
   * Billing's console, for whoever looks after the app: what needs somebody, deliveries, notifications, the history of one person,
   * and what puts it right, kept in an audit trail. From a web request to a page, mounted at any one path, for GET and POST. Rejects
   * without `authorize`, but for requests to a development server's own machine. See docs/console.md.
   *
   * @example
   * const page = await billing.console(request, {
   *   authorize: async (asking) => {
   *     const staff = asking.headers.get("x-staff")
   *     return staff === null ? false : { who: staff, may: "read" }
   *   }
   * })
   */
  readonly console: (request: Request, options: ConsoleOptions) => Promise<Response>
  /**
   * Receives a delivery: to mount by itself, before any middleware that parses bodies. Never rejects. `waitUntil` is for
   * platforms that stop a process when it has answered: it is given what the callback still does then.
   *
   * @example
   * await billing.webhook(request, { waitUntil: (promise) => void promise })
   */
  readonly webhook: (
    request: Request,
    options?: { readonly waitUntil?: ((promise: Promise<unknown>) => void) | undefined }
  ) => Promise<Response>
  /**
   * The same for a server of `node:http`, Express or another on Node, and faster there: `createServer(billing.webhookListener)`,
   * `app.post("/polar/webhook", billing.webhookListener)`. Before any middleware that parses bodies, or after one that
   * keeps the bytes: in `rawBody`, or, as `express.raw()` does, in `body`. Never throws and never rejects.
   *
   * @example
   * import { createServer } from "node:http"
   * import type { PolarBilling } from "@kavach-polar/http"
   *
   * export const serve = (billing: PolarBilling) => createServer(billing.webhookListener).listen(3000)
   */
  readonly webhookListener: (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>
  /**
   * Lets callbacks under way finish and closes what was opened. The host's database stays open.
   *
   * @example
   * process.once("SIGTERM", () => void billing.dispose())
   */
  readonly dispose: () => Promise<void>
}

/** What a host's plugin context gains. */
export type PolarPluginContext = { readonly polar: PolarBilling }

/** The plugin, which also is the billing. */
export interface Polar<ProductName extends string = string> extends PolarBilling<ProductName>, AsyncDisposable {
  readonly id: "kavach-polar"
  /**
   * @example
   * const { context } = await polar({ accessToken, webhookSecret }).init(pluginContext)
   */
  readonly init: (context: PluginContext) => Promise<{ context: PolarPluginContext }>
}

/** The use cases: the only place where the ports meet. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AccessPolicy from "./rules/AccessPolicy.ts"
import { type AnyProduct, type Catalogue, catalogueIn, type Products, productsSchema } from "./rules/catalogue.ts"
import type { GrantedBenefit } from "./rules/grantedBenefits.ts"
import type { EmailVerified } from "./rules/verifiedAddress.ts"
import { makePortal, type PortalError } from "./useCases/openPortal.ts"

export type { AnyProduct, Catalogue, Products } from "./rules/catalogue.ts"
export type { GrantedBenefit } from "./rules/grantedBenefits.ts"
export { cancellationReasons, prorationBehaviors } from "./rules/subscriptionUpdate.ts"
export {
  AlreadySubscribed,
  CustomerShared,
  DiscountNotApplicable,
  MemberNeeded,
  NoCustomer,
  ProductNotForSale,
  TooManySessions
} from "./useCases/BuyerError.ts"
export type { AccessOptions, OrderQuery, PortalOptions } from "./useCases/callOptions.ts"
export type { CheckoutOutcome, CheckoutOutcomeError } from "./useCases/checkoutClicks.ts"
export type { CheckoutOptions } from "./useCases/checkoutOptions.ts"
export {
  CheckoutNotFound,
  type Checkouts,
  type CompletedCheckout,
  type CompleteError,
  type CompleteOptions,
  type GetCheckoutOptions,
  type UsersCheckout
} from "./useCases/checkouts.ts"
export type { Checkout, CheckoutError } from "./useCases/createCheckout.ts"
export {
  type Customers,
  type LinkChange,
  type LinkChangeOptions,
  type MoveOptions,
  NothingKnown,
  type UsersCustomers,
  type WaitingOptions,
  type WaitingRecord
} from "./useCases/customers.ts"
export { Diagnosis, Finding } from "./useCases/diagnosis.ts"
export type { AccessCacheOptions } from "./useCases/entitlements.ts"
export type { EraseOptions, Erasure } from "./useCases/erasures.ts"
export type { PersonalData } from "./useCases/exportUser.ts"
export { CheckStatus, Health, type HealthCheck, withoutDatabase } from "./useCases/health.ts"
export type { JobSeen, JobState } from "./useCases/jobs.ts"
export type {
  ActivateOptions,
  InvalidLicenseKey,
  LicenseKeyActivated,
  LicenseKeyCheck,
  LicenseKeyOptions,
  LicenseKeys,
  UsersLicenseKey,
  ValidateOptions,
  ValidLicenseKey
} from "./useCases/licenseKeys.ts"
export { DocumentUnavailable, OrderNotFound } from "./useCases/OrderError.ts"
export type { PortalError } from "./useCases/openPortal.ts"
export type { Comparison, Hour, Operations, PendingNotification } from "./useCases/operations.ts"
export type { DocumentError, DocumentOptions, OrderDocument } from "./useCases/orderDocuments.ts"
export type { PolarSide } from "./useCases/polarSide.ts"
export type { SoldProduct } from "./useCases/products.ts"
export { ReconcileRunning, ReconcileTakenOver } from "./useCases/ReconcileJob.ts"
export { IdempotencyKeyReused, RefundRefused, RefundUnderWay } from "./useCases/RefundError.ts"
export { NotAnEvent, type ReceiveOptions } from "./useCases/receiveDelivery.ts"
export { ReconcileTookTooLong } from "./useCases/reconcile.ts"
export type { RefreshWhenDenied } from "./useCases/refreshWhenDenied.ts"
export type { RefundError, RefundOptions } from "./useCases/refundOrder.ts"
export {
  NoSubscription,
  SeveralSubscriptions,
  SubscriptionChangeRefused,
  SubscriptionLocked,
  SubscriptionNotFound,
  SubscriptionPaymentFailed
} from "./useCases/SubscriptionError.ts"
export type {
  CancelOptions,
  ChangeOptions,
  PauseOptions,
  RevokeOptions,
  WhichSubscription
} from "./useCases/subscriptionOptions.ts"
export type { SubscriptionError, SubscriptionPreview, Subscriptions } from "./useCases/subscriptions.ts"
export type {
  Candidate,
  FoundBy,
  PersonFound,
  Timeline,
  TimelineDelivery,
  TimelineNotification,
  TimelineOptions,
  TimelineRecord
} from "./useCases/timeline.ts"
export type { TimelineEntry } from "./useCases/timelineEntries.ts"

import { asBuyersCall } from "./polar/caller.ts"
import { type CustomerSession, PolarClient } from "./polar/PolarClient.ts"
import type { PolarError } from "./polar/PolarError.ts"
import type { DeliveryOutcome } from "./records/Delivery.ts"
import { type Order, orderKind } from "./records/Order.ts"
import type { Refund } from "./records/Refund.ts"
import type { Subscription, VisibleSubscription } from "./records/Subscription.ts"
import { traced } from "./runtime/traced.ts"
import { BillingStore, type NotificationCounts } from "./store/BillingStore.ts"
import type { CustomerLinkedToAnotherUser, StoreError } from "./store/StoreError.ts"
import { type AppUsersOptions, asksNobody, makeAppUsers, type UserLookupFailed } from "./useCases/appUsers.ts"
import { defaultBuyersTime, withinBuyersTime } from "./useCases/buyersTime.ts"
import { type AccessOptions, checkOptionsOf, type OrderQuery, type PortalOptions } from "./useCases/callOptions.ts"
import { type CheckoutOutcome, type CheckoutOutcomeError, makeCheckoutClicks } from "./useCases/checkoutClicks.ts"
import { type CheckoutOptions, checkCheckoutOptions } from "./useCases/checkoutOptions.ts"
import { type Checkouts, makeCheckouts } from "./useCases/checkouts.ts"
import { type Checkout, type CheckoutError, makeCheckout } from "./useCases/createCheckout.ts"
import { type Customers, makeCustomers } from "./useCases/customers.ts"
import { makeDiagnose } from "./useCases/diagnose.ts"
import type { Diagnosis } from "./useCases/diagnosis.ts"
import { type AccessCacheOptions, accessIn, makeEntitlements } from "./useCases/entitlements.ts"
import { type EraseOptions, type Erasure, makeErasures } from "./useCases/erasures.ts"
import { makeExportUser, type PersonalData } from "./useCases/exportUser.ts"
import { type Health, makeHealth } from "./useCases/health.ts"
import { rememberHandlers } from "./useCases/knownHandlers.ts"
import { type LicenseKeyOptions, type LicenseKeys, makeLicenseKeys } from "./useCases/licenseKeys.ts"
import { makeLinkWaiting } from "./useCases/linkWaiting.ts"
import { makeLookAtClock } from "./useCases/lookAtClock.ts"
import { NotificationDispatcher } from "./useCases/NotificationDispatcher.ts"
import { customerNamed, makeProductNames } from "./useCases/namedIds.ts"
import { makeNotifications, type Notifications, untilSettled } from "./useCases/notifications.ts"
import { makeObserve } from "./useCases/observe.ts"
import { makeOperations, type Operations } from "./useCases/operations.ts"
import {
  type DocumentError,
  type DocumentOptions,
  makeOrderDocuments,
  type OrderDocument
} from "./useCases/orderDocuments.ts"
import { makeOrganizationWatch } from "./useCases/organizationWatch.ts"
import { prepareTables } from "./useCases/prepareTables.ts"
import { makeProducts, type Products as SoldProducts } from "./useCases/products.ts"
import type { ReconcileCounts, ReconcileReport } from "./useCases/ReconcileReport.ts"
import { makeReplay, type ReplayOptions, type ReplayQuery, type ReplayReport } from "./useCases/Replay.ts"
import { makeReceiveDelivery, type NotAnEvent, type ReceiveOptions } from "./useCases/receiveDelivery.ts"
import {
  makeReconcile,
  type ReconcileError,
  type ReconcileOptions,
  type ReconcileTookTooLong,
  type ReconcileUserOptions
} from "./useCases/reconcile.ts"
import { makeRefreshWhenDenied, type RefreshWhenDenied } from "./useCases/refreshWhenDenied.ts"
import { makeRefund, type RefundError, type RefundOptions } from "./useCases/refundOrder.ts"
import { makeSessionLimit } from "./useCases/sessionLimit.ts"
import { makeSubscriptions, type Subscriptions } from "./useCases/subscriptions.ts"
import { makeWebhookCheck } from "./useCases/webhookEndpoints.ts"
import type { CustomerId, OrderId, UserId } from "./values/ids.ts"
import * as Options from "./values/options.ts"
import { type WebhookVerificationError, WebhookVerifier } from "./WebhookVerifier.ts"

/**
 * @example
 * Billing.layer({
 *   policy: AccessPolicy.defaultPolicy,
 *   organizationId,
 *   migrate: false,
 *   webhookUrl: "https://app.example.com/webhooks/polar",
 *   emailVerified: ({ emailVerified }) => emailVerified === true,
 *   answer: "beforeAnswer",
 *   buyerTimeout: "5 seconds",
 *   sessionsPerMinute: 30,
 *   trialOncePerUser: true,
 *   refreshWhenDenied: "await",
 *   accessCache: { maxAge: "10 seconds" },
 *   licenseKeys: { maxAge: "1 minute" },
 *   products: { pro: productId },
 *   externalIds: "known",
 *   userExists: (userId) => Effect.succeed(userId.startsWith("user_"))
 * })
 */
export interface BillingOptions extends AppUsersOptions {
  /** Default: `AccessPolicy.defaultPolicy`. */
  readonly policy?: AccessPolicy.AccessPolicy | undefined
  /** Polar's id of the organization that this app serves; deliveries of any other are recorded and ignored. */
  readonly organizationId?: string | undefined
  /** Whether `start` creates and upgrades the tables. Default: true. */
  readonly migrate?: boolean | undefined
  /**
   * The address of this app's webhook endpoint, as Polar has it: `reconcileAll` looks after that one. Default: those whose
   * path ends with `/auth/polar/webhook`.
   */
  readonly webhookUrl?: string | undefined
  /**
   * Whether a user's address is known to be their own: only then is a customer made of it. Default: what the users' table and
   * the caller say.
   */
  readonly emailVerified?: EmailVerified | undefined
  /**
   * When a delivery is answered. `background`: when it is stored; the calls of the app's code that it leads to have begun by
   * then and go on. `beforeAnswer`: when these have ended, or eight seconds after the delivery came, for hosts that stop the
   * process once it has answered. Default: `background`.
   */
  readonly answer?: "background" | "beforeAnswer" | undefined
  /** How long a buyer's click may wait for Polar, all retries included. Default: 8 seconds. */
  readonly buyerTimeout?: Duration.DurationInput | undefined
  /** How many checkouts, and how many portal sessions, one user may open in a minute. Default: 10. */
  readonly sessionsPerMinute?: number | undefined
  /**
   * Whether a user who had a trial, of whatever product, buys without another one. Default: false. Two checkouts that are opened
   * before the first trial begins may both have one.
   */
  readonly trialOncePerUser?: boolean | undefined
  /**
   * Whether Polar is asked when somebody who has dealt with it here is refused: no access, no benefit, no product. What it says
   * is stored, and the app is told, so that who has paid is not locked out because a webhook was lost. At most once a minute for
   * each user, and within a fifth of the limit of requests. `true`, the default: in the background. `"await"`: the answer waits
   * for it, two seconds at most.
   */
  readonly refreshWhenDenied?: RefreshWhenDenied | undefined
  /**
   * Keeps what was read for `access`, `benefits` and `currentSubscription` in memory. What this process stores is seen at once,
   * what others store within `maxAge`. Default: every call reads the database.
   */
  readonly accessCache?: AccessCacheOptions | undefined
  /**
   * For how long answers about license keys are good.
   */
  readonly licenseKeys?: LicenseKeyOptions | undefined
  /**
   * What the app sells: a list of products' ids, or names of the app's own with the id of each. The checkout route sells
   * nothing else, and only subscriptions to these give access or are shown. `"any"`, as the default, is every product of the
   * organization, and says that this is meant: who mounts the routes is not warned of it.
   */
  readonly products?: Products | AnyProduct | undefined
}

/** Opens a checkout; `product` is one or several, of which the first is preselected and the buyer may choose. */
export interface CreateCheckout {
  (
    userId: UserId,
    product: string | ReadonlyArray<string>,
    options?: CheckoutOptions & { readonly ifSubscribed?: "refuse" | "buy" | undefined }
  ): Effect.Effect<Checkout, CheckoutError>
  (
    userId: UserId,
    product: string | ReadonlyArray<string>,
    options: CheckoutOptions
  ): Effect.Effect<CheckoutOutcome, CheckoutOutcomeError>
}

export interface BillingService {
  /** What the app sells: every product of the organization where that is `"any"`, or was not said. */
  readonly catalogue: Catalogue | AnyProduct | undefined

  /** Creates or upgrades the store's tables, and takes up notifications that an earlier run left. Call it at start. */
  readonly start: Effect.Effect<void, StoreError>

  /**
   * A checkout session for the user. `customerEmail` and `customerName` must come from the app's own records, never
   * from the browser: Polar knows customers by their e-mail. `product` is a name in `products`, or an id of Polar's.
   */
  readonly createCheckout: CreateCheckout

  /** A short-lived address at which the user manages what they bought. */
  readonly createPortalSession: (userId: UserId, options?: PortalOptions) => Effect.Effect<CustomerSession, PortalError>

  /** The user's current subscription as the app is shown it, if one is live: cheaper than all of its fields. */
  readonly currentSubscription: (userId: UserId) => Effect.Effect<Option.Option<VisibleSubscription>, StoreError>

  /** The user's current subscription, if one is live. */
  readonly getSubscription: (userId: UserId) => Effect.Effect<Option.Option<Subscription>, StoreError>

  /** All subscriptions the user ever had, the newest first. */
  readonly listSubscriptions: (userId: UserId) => Effect.Effect<ReadonlyArray<Subscription>, StoreError>

  /** Checkouts that this app made, and a buyer who is back before the webhook. */
  readonly checkouts: Checkouts

  /** Changes of what a user has: to another product, its end, a pause. */
  readonly subscriptions: Subscriptions

  /** Polar's portal, where a user manages what they bought. */
  readonly portal: {
    /** An address that opens it for an hour, without a sign-in: send the user there at once, and keep it nowhere. */
    readonly url: (userId: UserId, options?: PortalOptions) => Effect.Effect<string, PortalError>
  }

  /** What the app sells, as its own records have it. */
  readonly products: SoldProducts

  /** Orders: what users paid for, or are to pay. */
  readonly orders: {
    /** The user's orders, the newest first. */
    readonly list: (userId: UserId, query?: OrderQuery) => Effect.Effect<ReadonlyArray<Order>, StoreError>
    /**
     * Whether the user bought this product once, and it is paid and not wholly refunded. A subscription's orders do not count.
     * `product` is a name in `products`, or an id of Polar's.
     */
    readonly owns: (userId: UserId, product: string) => Effect.Effect<boolean, StoreError>
    /** One order, whosever it is. */
    readonly get: (orderId: OrderId) => Effect.Effect<Option.Option<Order>, StoreError>
    /** Where the order's invoice is. It is asked for when there is none yet, and then is `pending` for a moment. */
    readonly invoice: (orderId: OrderId, options?: DocumentOptions) => Effect.Effect<OrderDocument, DocumentError>
    /** Where the receipt of what was paid is. */
    readonly receipt: (orderId: OrderId, options?: DocumentOptions) => Effect.Effect<OrderDocument, DocumentError>
    /**
     * Gives money back, once for each `idempotencyKey`: asked again, or by several at once, it succeeds with the same refund.
     * What that changes is stored when it succeeds.
     */
    readonly refund: (orderId: OrderId, options: RefundOptions) => Effect.Effect<Refund, RefundError>
  }

  /**
   * Benefits that the user has been granted, asked of the own store. `key` is the benefit's `metadata.key`, or its id (Polar
   * docs: features/benefits).
   */
  readonly benefits: {
    readonly has: (userId: UserId, key: string) => Effect.Effect<boolean, StoreError>
    /** Of several grants of it, the one that was granted first. */
    readonly get: (userId: UserId, key: string) => Effect.Effect<Option.Option<GrantedBenefit>, StoreError>
    /** One for each grant, the oldest first: a benefit that was bought twice is there twice. */
    readonly list: (userId: UserId) => Effect.Effect<ReadonlyArray<GrantedBenefit>, StoreError>
  }

  /** License keys that users were granted, and whether one that a program shows is good. */
  readonly licenseKeys: LicenseKeys

  /**
   * Whether the user's current subscription gives access, and why: now, or `at` another time. With `product` or `products`,
   * of the subscriptions to those.
   */
  readonly access: (userId: UserId, options?: AccessOptions) => Effect.Effect<AccessPolicy.Access, StoreError>

  /**
   * Whether a request with these headers may be a delivery at all: for before its body is read, so that nothing is spent
   * on one that cannot.
   */
  readonly checkWebhookHeaders: (
    headers: Readonly<Record<string, string | undefined>>
  ) => Effect.Effect<void, WebhookVerificationError>

  /**
   * Verifies and applies one delivery. `rawBody` is the body as it came, byte for byte. Succeeds for duplicates too:
   * answer 2xx. On a `StoreError` nothing was written: answer 503, and Polar delivers again.
   */
  readonly receiveWebhook: (
    headers: Readonly<Record<string, string | undefined>>,
    rawBody: Uint8Array,
    options?: ReceiveOptions
  ) => Effect.Effect<DeliveryOutcome, WebhookVerificationError | NotAnEvent | StoreError | UserLookupFailed>

  /** Whose customers and records are: to look at, and to put right. */
  readonly customers: Customers

  /** What is stored of a person: given to them, and erased. */
  readonly privacy: {
    /** All that is stored of the user, as plain JSON. */
    readonly export: (userId: UserId) => Effect.Effect<PersonalData, StoreError>
    /**
     * Erases the user: here at once, and at Polar as asked for. What accounting needs stays under a pseudonym. Where Polar does not
     * answer the rest waits, and goes on by itself. Nothing that Polar sends later brings it back.
     */
    readonly erase: (userId: UserId, options: EraseOptions) => Effect.Effect<Erasure, StoreError | PolarError>
    /** All erasures, the newest first. Nothing in them leads to a user. */
    readonly erasures: Effect.Effect<ReadonlyArray<Erasure>, StoreError>
    /** Goes on now with those that wait for Polar, as `Maintenance` does by itself. Succeeds with how many are done by that. */
    readonly resume: Effect.Effect<number, StoreError>
  }

  /** Says whose customer it is, for customers that were not made by a checkout of this app. */
  readonly linkCustomer: (
    userId: UserId,
    customerId: CustomerId
  ) => Effect.Effect<void, CustomerLinkedToAnotherUser | StoreError>

  /**
   * Gives what waited for a user who exists by now to that user; succeeds with how many records that were. Call it when the app
   * has made users; `Maintenance` does it every few minutes.
   */
  readonly linkWaiting: Effect.Effect<number, StoreError | UserLookupFailed>

  /**
   * Sets right what has ended by the clock alone, such as a trial or grace, and tells the app; succeeds with how many did.
   * `Maintenance` does it twice a minute.
   */
  readonly lookAtClock: Effect.Effect<number, StoreError>

  /** What the app was to be told and did not take. */
  readonly notifications: Notifications

  /**
   * Waits until everything that was received has been told, and says what was not: what waits for a further call because one
   * has failed, and what was given up. For tests.
   */
  readonly settled: Effect.Effect<NotificationCounts, StoreError>

  /** Applies recorded deliveries again; the oldest received first. */
  readonly replay: (
    query: ReplayQuery,
    options?: ReplayOptions
  ) => Effect.Effect<ReplayReport, StoreError | UserLookupFailed>

  /**
   * Makes what is stored of this user equal to what Polar's API says now. Also for when a buyer comes back from a checkout
   * and no delivery has arrived yet.
   */
  readonly reconcile: (
    userId: UserId,
    options?: ReconcileUserOptions
  ) => Effect.Effect<ReconcileCounts, PolarError | StoreError | UserLookupFailed | ReconcileTookTooLong>

  /**
   * The same for all users; looks after the webhook endpoint, and asks Polar again for what it could not deliver. One
   * process at a time does it; one that was interrupted is gone on from the page where it was.
   */
  readonly reconcileAll: (options?: ReconcileOptions) => Effect.Effect<ReconcileReport, ReconcileError>

  /**
   * Whether billing works, for a monitor: a few short questions to the own database, and none to Polar. Never fails. Whoever asks
   * again within five seconds is answered the same.
   */
  readonly health: Effect.Effect<Health>

  /**
   * Reads from the store what gauges show of it: how old the oldest notification is, and so on (`Metrics.observed`). `Maintenance`
   * does it every few minutes; whoever asks again within ten seconds changes nothing.
   */
  readonly observe: Effect.Effect<void, StoreError>

  /**
   * What is wrong with this installation, and what puts it right: the database, the token, the webhook endpoint, what waits, and
   * whether both sides say the same. Looks only, and never fails: what cannot be looked at is a finding.
   */
  readonly diagnose: Effect.Effect<Diagnosis>

  /** What billing's console looks at, and the audit trail of what is done there. */
  readonly operations: Operations

  /** The same, unless it was done to the end at this time or later. For a schedule that several processes keep. */
  readonly reconcileUnlessDoneSince: (since: Date) => Effect.Effect<Option.Option<ReconcileReport>, ReconcileError>
}

export class Billing extends Context.Tag("@kavach-polar/core/Billing")<Billing, BillingService>() {}

const make = (options: BillingOptions = {}) =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    const client = yield* PolarClient
    const verifier = yield* WebhookVerifier
    const dispatcher = yield* NotificationDispatcher
    const catalogue = catalogueIn(options.products)
    const chosen = options.policy ?? AccessPolicy.defaultPolicy
    const policy = catalogue === undefined ? chosen : { ...chosen, products: catalogue.ids }
    const named = makeProductNames(catalogue)
    const { organizationId, webhookUrl } = options
    const openCheckout = makeCheckout({
      client,
      store,
      policy,
      handlers: dispatcher.handlers,
      emailVerified: options.emailVerified,
      trialOncePerUser: options.trialOncePerUser ?? false
    })
    const { buyerTimeout: buyersTime = defaultBuyersTime, sessionsPerMinute } = options
    const openPortal = makePortal({ client, store })
    const documents = makeOrderDocuments({ client, store })
    const portalClick = makeSessionLimit<CustomerSession, PortalError>("portal sessions", sessionsPerMinute)
    const askAppUsers = makeAppUsers(store, options)
    const replay = makeReplay({ store, dispatcher, policy, organizationId, askAppUsers })
    const checkWebhooks = makeWebhookCheck({ client, store, webhookUrl })
    const reconciliation = makeReconcile({
      client,
      store,
      dispatcher,
      checkWebhooks,
      policy,
      organizationId,
      askAppUsers
    })
    const customers = makeCustomers({ client, store, dispatcher, policy })
    const diagnose = makeDiagnose({ client, store, organizationId, checkWebhooks, sample: reconciliation.sample })
    const licenseKeys = makeLicenseKeys({ client, store, policy, organizationId, buyersTime, ...options.licenseKeys })
    const products = makeProducts({ store, catalogue })
    const refund = makeRefund({ client, store, learn: reconciliation.learn })
    const within = (operation: string) => withinBuyersTime(operation, buyersTime)
    const notifications = makeNotifications({ dispatcher, store })
    const organization = makeOrganizationWatch({ client, organizationId })
    const scope = yield* Effect.scope
    const subscriptions = makeSubscriptions({ client, store, learn: reconciliation.learn, named, within, scope })
    const linkWaiting = makeLinkWaiting({ store, dispatcher, policy, organizationId, askAppUsers })
    const lookAtClock = makeLookAtClock({ store, dispatcher, policy, refresh: reconciliation.refresh })

    const receive = yield* makeReceiveDelivery({
      store,
      dispatcher,
      policy,
      organizationId,
      askAppUsers,
      organization,
      answer: options.answer
    })

    const createPortalSession = (userId: UserId, options: PortalOptions | undefined) =>
      portalClick({
        userId,
        same: JSON.stringify([options]),
        open: within("open portal")(openPortal(userId, options)),
        reuse: false,
        isOpen: () => Effect.succeed(true)
      })

    const clickToBuy = makeCheckoutClicks({
      store,
      openCheckout,
      openPortal: createPortalSession,
      subscriptions,
      within,
      perMinute: sessionsPerMinute
    })
    const createCheckout = Effect.fn("Billing.createCheckout")(function* (
      userId: UserId,
      product: string | ReadonlyArray<string>,
      options?: CheckoutOptions
    ) {
      yield* checkCheckoutOptions(options, product)
      return yield* clickToBuy(userId, yield* named.allToBuy("createCheckout()", "productId", product), options)
    })

    const learn: typeof reconciliation.learn = (snapshots, asker) =>
      Effect.uninterruptible(reconciliation.learn(snapshots, asker))
    const { ask: askCheckout, ...checkouts } = yield* makeCheckouts({
      client,
      store,
      learn,
      accessOf: accessIn(store, policy),
      within
    })
    const health = yield* makeHealth({ store })
    const observe = yield* makeObserve({ store, dispatcher, notifications })
    const exportUser = makeExportUser({ client, store })
    const erasures = makeErasures({ client, store, policy, learn, externalIds: askAppUsers.users.externalIds })
    const entitlements = yield* makeEntitlements({
      store,
      policy,
      named,
      accessCache: options.accessCache,
      unlessDenied: yield* makeRefreshWhenDenied({
        client,
        store,
        learn,
        askCheckout,
        mode: options.refreshWhenDenied ?? true,
        scope
      })
    })

    const service: BillingService = {
      start: prepareTables(store, options.migrate).pipe(
        Effect.zipRight(rememberHandlers(store, dispatcher.handlers)),
        Effect.zipRight(dispatcher.wake),
        // Beside it: whatever Polar answers, and when, is no reason not to start.
        Effect.zipLeft(Effect.forkIn(organization.ask, scope)),
        Effect.withSpan("Billing.start")
      ),

      catalogue: catalogue ?? (options.products === "any" ? "any" : undefined),

      // What comes of it, `ifSubscribed` says: `CreateCheckout` has each in its type.
      createCheckout: createCheckout as CreateCheckout,

      createPortalSession: Effect.fn("Billing.createPortalSession")((userId, options) =>
        Effect.zipRight(checkOptionsOf.createPortalSession(options), createPortalSession(userId, options))
      ),

      portal: {
        url: Effect.fn("Billing.portal.url")((userId, options) =>
          Effect.zipRight(
            checkOptionsOf.portalUrl(options),
            Effect.map(createPortalSession(userId, options), ({ customerPortalUrl }) => customerPortalUrl)
          )
        )
      },

      subscriptions,

      checkouts: {
        get: (checkoutId, options) =>
          Effect.zipRight(checkOptionsOf.checkoutsGet(options), checkouts.get(checkoutId, options)),
        complete: (userId, checkoutId, options) =>
          Effect.zipRight(
            checkOptionsOf.checkoutsComplete(options),
            asBuyersCall(checkouts.complete(userId, checkoutId, options))
          )
      },

      currentSubscription: entitlements.currentSubscription,

      products: {
        get: Effect.fn("Billing.products.get")((idOrKey) => products.get(idOrKey)),
        list: Effect.withSpan(products.list, "Billing.products.list")
      },

      orders: {
        list: Effect.fn("Billing.orders.list")(function* (userId, query) {
          yield* checkOptionsOf.ordersList(query)
          return [...(yield* store.recordsOf(orderKind, userId, query))].sort(newestFirst)
        }),
        owns: entitlements.owns,
        get: Effect.fn("Billing.orders.get")((orderId) =>
          Effect.map(
            store.record(orderKind, orderId),
            Option.map(({ value }) => value)
          )
        ),
        invoice: Effect.fn("Billing.orders.invoice")((orderId, options) =>
          Effect.zipRight(
            checkOptionsOf.ordersInvoice(options),
            within("get invoice")(documents.invoice(orderId, options))
          )
        ),
        receipt: Effect.fn("Billing.orders.receipt")((orderId, options) =>
          Effect.zipRight(
            checkOptionsOf.ordersReceipt(options),
            within("get receipt")(documents.receipt(orderId, options))
          )
        ),
        refund: Effect.fn("Billing.orders.refund")((orderId, options) =>
          Effect.zipRight(checkOptionsOf.ordersRefund(options ?? {}), refund(orderId, options))
        )
      },

      benefits: entitlements.benefits,

      licenseKeys: {
        list: Effect.fn("Billing.licenseKeys.list")((userId) => asBuyersCall(licenseKeys.list(userId))),
        validate: Effect.fn("Billing.licenseKeys.validate")((key, options) =>
          Effect.zipRight(checkOptionsOf.licenseKeysValidate(options), asBuyersCall(licenseKeys.validate(key, options)))
        ),
        activate: Effect.fn("Billing.licenseKeys.activate")((key, options) =>
          Effect.zipRight(
            checkOptionsOf.licenseKeysActivate(options ?? {}),
            within("activate license key")(licenseKeys.activate(key, options))
          )
        ),
        deactivate: Effect.fn("Billing.licenseKeys.deactivate")((key, activationId) =>
          within("deactivate license key")(licenseKeys.deactivate(key, activationId))
        )
      },

      getSubscription: entitlements.getSubscription,

      listSubscriptions: Effect.fn("Billing.listSubscriptions")(function* (userId) {
        const subscriptions = yield* store.subscriptionsOf(userId, "all")
        return [...subscriptions].sort(newestFirst)
      }),

      access: entitlements.access,

      checkWebhookHeaders: verifier.checkHeaders,

      receiveWebhook: (headers, rawBody, options = {}) =>
        traced("Billing.receiveWebhook", () => ({
          kind: "consumer",
          attributes: {
            "messaging.system": "polar",
            "messaging.operation.type": "process",
            "messaging.operation.name": "receive"
          }
        }))(Effect.flatMap(verifier.verify({ headers, body: rawBody }), (delivery) => receive(delivery, options))),

      notifications: {
        dead: Effect.fn("Billing.notifications.dead")((query) =>
          Effect.zipRight(checkOptionsOf.notificationsDead(query), notifications.dead(query))
        ),
        retry: Effect.fn("Billing.notifications.retry")((query) =>
          Effect.zipRight(checkOptionsOf.notificationsRetry(query), notifications.retry(query))
        ),
        bury: Effect.fn("Billing.notifications.bury")((query) =>
          Effect.zipRight(checkOptionsOf.notificationsBury(query), notifications.bury(query))
        ),
        count: Effect.withSpan(notifications.count, "Billing.notifications.count")
      },

      settled: Effect.withSpan(untilSettled({ dispatcher, store }), "Billing.settled"),

      customers: {
        waiting: Effect.fn("Billing.customers.waiting")((options) =>
          Effect.zipRight(checkOptionsOf.customersWaiting(options), customers.waiting(options))
        ),
        of: Effect.fn("Billing.customers.of")((userId) => customers.of(userId)),
        timeline: (query, options) =>
          Effect.zipRight(checkOptionsOf.customersTimeline(options), customers.timeline(query, options)),
        link: Effect.fn("Billing.customers.link")((userId, customerId, options) =>
          Effect.zipRight(checkOptionsOf.customersLink(options), customers.link(userId, customerId, options))
        ),
        move: Effect.fn("Billing.customers.move")((id, options) =>
          Effect.zipRight(checkOptionsOf.customersMove(options), customers.move(id, options))
        ),
        unlink: Effect.fn("Billing.customers.unlink")((customerId, options) =>
          Effect.zipRight(checkOptionsOf.customersUnlink(options), customers.unlink(customerId, options))
        )
      },

      privacy: {
        export: Effect.fn("Billing.privacy.export")((userId) => exportUser(userId)),
        erase: Effect.fn("Billing.privacy.erase")((userId, options) =>
          Effect.zipRight(checkOptionsOf.privacyErase(options ?? {}), erasures.erase(userId, options))
        ),
        erasures: Effect.withSpan(erasures.list, "Billing.privacy.erasures"),
        resume: Effect.withSpan(erasures.resume, "Billing.privacy.resume")
      },

      linkCustomer: Effect.fn("Billing.linkCustomer")(function* (userId, given) {
        const customerId = yield* customerNamed("linkCustomer()", given)
        const notified = yield* store.linkCustomer({ customerId, userId, linkedBy: "host" }, policy, {
          handlers: dispatcher.handlers
        })
        if (notified > 0) yield* dispatcher.wake
      }),

      linkWaiting: Effect.withSpan(linkWaiting, "Billing.linkWaiting"),

      lookAtClock: Effect.withSpan(lookAtClock, "Billing.lookAtClock"),

      replay: Effect.fn("Billing.replay")((query, options) =>
        Effect.zipRight(
          Effect.zipRight(checkOptionsOf.replay(query), checkOptionsOf.replayOptions(options)),
          replay(query, options)
        )
      ),

      reconcile: Effect.fn("Billing.reconcile")((userId, options) =>
        Effect.zipRight(checkOptionsOf.reconcile(options), reconciliation.reconcile(userId, options))
      ),

      reconcileAll: Effect.fn("Billing.reconcileAll")(function* (options) {
        yield* checkOptionsOf.reconcileAll(options)
        return yield* Effect.flatMap(reconciliation.reconcileAll(options), (report) =>
          Option.match(report, {
            onNone: () => Effect.dieMessage("A comparison that is due whenever it is asked for was not."),
            onSome: Effect.succeed
          })
        )
      }),

      diagnose: diagnose.all,

      operations: makeOperations({ store, findings: diagnose.stored }),

      health,

      observe,

      reconcileUnlessDoneSince: Effect.fn("Billing.reconcileUnlessDoneSince")((since) =>
        reconciliation.reconcileAll({ unlessFinishedSince: since })
      )
    }
    return service
  })

const billingOptions: Schema.Schema<BillingOptions> = Schema.Struct({
  policy: Options.optional(Options.foreign<AccessPolicy.AccessPolicy>("it must be an AccessPolicy")),
  organizationId: Options.optional(Options.text("Polar's id of your organization")),
  migrate: Options.optional(Options.boolean),
  webhookUrl: Options.optional(Options.anyText),
  answer: Options.optional(Options.oneOf("background", "beforeAnswer")),
  buyerTimeout: Options.optional(Options.duration),
  sessionsPerMinute: Options.optional(Options.positive("a number of sessions, or Infinity for no limit")),
  trialOncePerUser: Options.optional(Options.boolean),
  refreshWhenDenied: Options.optional(
    Options.said(Schema.Literal(true, false, "await"), 'it must be true, false or "await"')
  ),
  accessCache: Options.optional(Options.group(Schema.Struct({ maxAge: Options.duration }))),
  emailVerified: Options.optional(Options.callback<EmailVerified>()),
  externalIds: Options.optional(Options.oneOf("known", "trust")),
  userExists: Options.optional(Options.callback<NonNullable<AppUsersOptions["userExists"]>>()),
  licenseKeys: Options.optional(
    Options.group(
      Schema.Struct({ maxAge: Options.optional(Options.duration), staleIfError: Options.optional(Options.duration) })
    )
  ),
  products: Options.optional(productsSchema({ missing: "refused" }))
})

const checkOptions = Options.optionsCheck("Billing.layer()", billingOptions)

/**
 * Throws an `InvalidOption` for options that there are not, or that are without effect.
 *
 * @example
 * Billing.layer({ products: { pro: productId } }).pipe(Layer.provide(NotificationDispatcher.layer()))
 */
export const layer = (
  options?: BillingOptions
): Layer.Layer<Billing, never, BillingStore | PolarClient | WebhookVerifier | NotificationDispatcher> => {
  checkOptions(options)
  if (options?.externalIds === "trust" && options.userExists !== undefined) {
    throw new Options.InvalidOption({ call: "Billing.layer()", option: "externalIds", problem: asksNobody })
  }
  return Layer.scoped(Billing, make(options))
}

const newestFirst = <A extends { readonly id: string; readonly createdAt: Date | null }>(a: A, b: A): number =>
  (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0) || (a.id < b.id ? -1 : 1)

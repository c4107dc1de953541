/** The use cases: the only place where the ports meet. */
import type * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AccessPolicy from "./rules/AccessPolicy.ts"
import { type Checkout, type CheckoutOptions, makeCheckout } from "./useCases/createCheckout.ts"

export type { Checkout, CheckoutOptions } from "./useCases/createCheckout.ts"

import { type CustomerSession, PolarClient } from "./polar/PolarClient.ts"
import type { PolarError } from "./polar/PolarError.ts"
import type { Delivery, DeliveryOutcome, DeliveryState } from "./records/Delivery.ts"
import * as DeliveryContent from "./records/deliveryContent.ts"
import { type Order, type OrderStatus, orderKind } from "./records/Order.ts"
import { type Subscription, type VisibleSubscription, visible } from "./records/Subscription.ts"
import * as GroupCommit from "./runtime/groupCommit.ts"
import { logDebug } from "./runtime/logDebug.ts"
import { annotate, traced } from "./runtime/traced.ts"
import { BillingStore, type LiveSubscription } from "./store/BillingStore.ts"
import { type CustomerLinkedToAnotherUser, StoreError } from "./store/StoreError.ts"
import { makeLinkWaiting } from "./useCases/linkWaiting.ts"
import { NotificationDispatcher } from "./useCases/NotificationDispatcher.ts"
import type { ReconcileCounts, ReconcileReport } from "./useCases/ReconcileReport.ts"
import { makeReplay, type ReplayQuery, type ReplayReport } from "./useCases/Replay.ts"
import { makeReconcile, type ReconcileError, type ReconcileOptions } from "./useCases/reconcile.ts"
import { makeWebhookCheck } from "./useCases/webhookEndpoints.ts"
import type { CustomerId, OrderId, ProductId, UserId } from "./values/ids.ts"
import { type VerifiedDelivery, type WebhookVerificationError, WebhookVerifier } from "./WebhookVerifier.ts"

export interface BillingOptions {
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
}

/** An authentic delivery whose body is no event: Polar is set to another format, or it is not Polar. */
export class NotAnEvent extends Schema.TaggedError<NotAnEvent>()("NotAnEvent", { problem: Schema.String }) {
  override get message(): string {
    return `The delivery is authentic, but not an event of Polar: ${this.problem}. Set the webhook endpoint's format to "raw".`
  }
}

/** Which of a user's orders; every condition given must hold. */
export interface OrderQuery {
  readonly status?: OrderStatus | undefined
  readonly productId?: string | undefined
}

export interface BillingService {
  /** Creates or upgrades the store's tables, and takes up notifications that an earlier run left. Call it at start. */
  readonly start: Effect.Effect<void, StoreError>

  /**
   * A checkout session for the user. `customerEmail` and `customerName` must come from the app's own records, never
   * from the browser: Polar knows customers by their e-mail.
   */
  readonly createCheckout: (
    userId: UserId,
    productId: ProductId,
    options?: CheckoutOptions
  ) => Effect.Effect<Checkout, PolarError | StoreError>

  /** A short-lived address at which the user manages what they bought. */
  readonly createPortalSession: (
    userId: UserId,
    options?: { readonly returnUrl?: string | undefined }
  ) => Effect.Effect<CustomerSession, PolarError | StoreError>

  /** The user's current subscription as the app is shown it, if one is live: cheaper than all of its fields. */
  readonly currentSubscription: (userId: UserId) => Effect.Effect<Option.Option<VisibleSubscription>, StoreError>

  /** The user's current subscription, if one is live. */
  readonly getSubscription: (userId: UserId) => Effect.Effect<Option.Option<Subscription>, StoreError>

  /** All subscriptions the user ever had, the newest first. */
  readonly listSubscriptions: (userId: UserId) => Effect.Effect<ReadonlyArray<Subscription>, StoreError>

  /** Orders: what users paid for, or are to pay. */
  readonly orders: {
    /** The user's orders, the newest first. */
    readonly list: (userId: UserId, query?: OrderQuery) => Effect.Effect<ReadonlyArray<Order>, StoreError>
    /** One order, whosever it is. */
    readonly get: (orderId: OrderId) => Effect.Effect<Option.Option<Order>, StoreError>
  }

  /** Whether the user's current subscription gives access, and why: now, or `at` another time. */
  readonly access: (
    userId: UserId,
    options?: { readonly at?: Date | undefined }
  ) => Effect.Effect<AccessPolicy.Access, StoreError>

  /**
   * Verifies and applies one delivery. `rawBody` is the body as it came, byte for byte. Succeeds for duplicates too:
   * answer 2xx. On a `StoreError` nothing was written: answer 503, and Polar delivers again.
   */
  readonly receiveWebhook: (
    headers: Readonly<Record<string, string | undefined>>,
    rawBody: Uint8Array
  ) => Effect.Effect<DeliveryOutcome, WebhookVerificationError | NotAnEvent | StoreError>

  /** Says whose customer it is, for customers that were not made by a checkout of this app. */
  readonly linkCustomer: (
    userId: UserId,
    customerId: CustomerId
  ) => Effect.Effect<void, CustomerLinkedToAnotherUser | StoreError>

  /**
   * Gives subscriptions that waited for a user who exists by now to that user; succeeds with how many. Call it when the app
   * has made users; `Maintenance` does it every few minutes.
   */
  readonly linkWaiting: Effect.Effect<number, StoreError>

  /** Applies recorded deliveries again; the oldest received first. `onProgress` is called every few deliveries. */
  readonly replay: (
    query: ReplayQuery,
    onProgress?: (report: ReplayReport) => Effect.Effect<void>
  ) => Effect.Effect<ReplayReport, StoreError>

  /**
   * Makes what is stored of this user equal to what Polar's API says now. Also for when a buyer comes back from a checkout
   * and no delivery has arrived yet.
   */
  readonly reconcile: (
    userId: UserId,
    options?: { readonly dryRun?: boolean | undefined }
  ) => Effect.Effect<ReconcileCounts, PolarError | StoreError>

  /**
   * The same for all users; looks after the webhook endpoint, and asks Polar again for what it could not deliver. One
   * process at a time does it; one that was interrupted is gone on from the page where it was.
   */
  readonly reconcileAll: (options?: ReconcileOptions) => Effect.Effect<ReconcileReport, ReconcileError>

  /** The same, unless it was done to the end at this time or later. For a schedule that several processes keep. */
  readonly reconcileUnlessDoneSince: (since: Date) => Effect.Effect<Option.Option<ReconcileReport>, ReconcileError>
}

export class Billing extends Context.Tag("@kavach-polar/core/Billing")<Billing, BillingService>() {}

const deliveriesReceived = Metric.counter("kavach_polar_deliveries", {
  description: "Authentic deliveries, by what became of them",
  incremental: true
})

const receivedAs = (state: DeliveryState | "duplicate") => Metric.tagged(deliveriesReceived, "state", state)

const received = {
  applied: receivedAs("applied"),
  stale: receivedAs("stale"),
  ignored: receivedAs("ignored"),
  unlinked: receivedAs("unlinked"),
  failed: receivedAs("failed"),
  duplicate: receivedAs("duplicate")
} as const

const refusals = {
  late: "the delivery was not stored within five seconds",
  full: "too many deliveries wait to be stored"
} as const

/** How deliveries that are in flight at once share steps, and so commits. */
const sharedSteps = {
  maxSize: 100,
  // In characters of bodies: less than what any server takes in one statement, with everything that comes along.
  maxWeight: 2 * 1024 * 1024,
  weigh: ({ body }: Delivery) => body.length,
  // Polar waits for ten seconds (Polar docs: webhooks/delivery), and what is told to be late is delivered again.
  deadline: Duration.seconds(5),
  // Many times what Polar has under way at once; each of them holds a body.
  maxWaiting: 512,
  refuse: (why: "late" | "full") =>
    new StoreError({ operation: "receiveDeliveries", reason: "busy", detail: refusals[why] }),
  // A row of one user's that the app has locked.
  isHeldUp: ({ reason }: StoreError) => reason === "busy",
  blamesOne: ({ reason }: StoreError) => reason === "constraint" || reason === "schema" || reason === "unknown"
}

const make = (options: BillingOptions = {}) =>
  Effect.gen(function* () {
    const store = yield* BillingStore
    const client = yield* PolarClient
    const verifier = yield* WebhookVerifier
    const dispatcher = yield* NotificationDispatcher
    const policy = options.policy ?? AccessPolicy.defaultPolicy
    const { organizationId, webhookUrl } = options
    const createCheckout = makeCheckout({ client, store, policy, notify: dispatcher.listens })
    const replay = makeReplay({ store, dispatcher, policy, organizationId })
    const checkWebhooks = makeWebhookCheck({ client, store, webhookUrl })
    const reconciliation = makeReconcile({ client, store, dispatcher, checkWebhooks, policy, organizationId })
    const linkWaiting = makeLinkWaiting({ store, dispatcher, policy })

    const current = (userId: UserId) =>
      Effect.map(store.subscriptionsOf(userId, "live"), (subscriptions) => AccessPolicy.current(policy, subscriptions))

    const currentOfLive = (userId: UserId) =>
      Effect.map(
        store.liveSubscriptionsOf(userId),
        (live) => AccessPolicy.current(policy, live.map(candidateOf))?.subscription
      )

    const apply = yield* GroupCommit.make({
      commit: (deliveries: Arr.NonEmptyReadonlyArray<Delivery>) =>
        dispatcher.receiving(deliveries.length, (claim) =>
          store.receiveDeliveries(deliveries, policy, claim, { notify: dispatcher.listens })
        ),
      concurrency: store.parallelSteps,
      ...sharedSteps
    })

    const receive = Effect.fnUntraced(function* ({ body, id }: VerifiedDelivery) {
      const delivery: Delivery = {
        id,
        receivedAt: yield* Clock.currentTimeMillis,
        ...DeliveryContent.readBytes(body, organizationId)
      }
      const { content } = delivery
      const outcome = yield* apply(delivery)
      yield* Metric.increment(received[outcome.duplicate ? "duplicate" : outcome.state])
      const type = content._tag === "UnreadableEvent" ? (content.type ?? "unreadable") : content.type
      yield* annotate({ "delivery.type": type, "delivery.state": outcome.state })
      if (content._tag === "UnreadableEvent") {
        if (!content.isEnvelope) return yield* new NotAnEvent({ problem: content.problem })
        yield* Effect.logError(
          `A delivery of type ${type} could not be read and is kept as failed: ${content.problem}.`
        ).pipe(Effect.annotateLogs({ delivery: outcome.id }))
      } else {
        yield* logDebug("Received a delivery.", () => ({
          delivery: outcome.id,
          type,
          state: outcome.state,
          duplicate: outcome.duplicate
        }))
      }
      return outcome
    })

    const service: BillingService = {
      start: Effect.zipRight(options.migrate === false ? Effect.void : store.migrate, dispatcher.wake).pipe(
        Effect.withSpan("Billing.start")
      ),

      createCheckout: Effect.fn("Billing.createCheckout")(createCheckout),

      createPortalSession: Effect.fn("Billing.createPortalSession")(function* (userId, { returnUrl } = {}) {
        const customerId = yield* store.customerOf(userId)
        return yield* client.createCustomerSession(
          Option.isSome(customerId) ? { customerId: customerId.value } : { externalCustomerId: userId },
          returnUrl
        )
      }),

      currentSubscription: (userId) =>
        Effect.map(currentOfLive(userId), (subscription) =>
          subscription === undefined ? Option.none() : Option.some(visible(subscription))
        ).pipe(traced("Billing.currentSubscription")),

      orders: {
        list: Effect.fn("Billing.orders.list")(function* (userId, query) {
          return [...(yield* store.recordsOf(orderKind, userId, query))].sort(newestFirst)
        }),
        get: Effect.fn("Billing.orders.get")((orderId) =>
          Effect.map(
            store.record(orderKind, orderId),
            Option.map(({ value }) => value)
          )
        )
      },

      getSubscription: (userId) =>
        Effect.map(current(userId), Option.fromNullable).pipe(traced("Billing.getSubscription")),

      listSubscriptions: Effect.fn("Billing.listSubscriptions")(function* (userId) {
        const subscriptions = yield* store.subscriptionsOf(userId, "all")
        return [...subscriptions].sort(newestFirst)
      }),

      access: (userId, { at } = {}) =>
        Effect.zipWith(currentOfLive(userId), Clock.currentTimeMillis, (subscription, now) =>
          subscription === undefined
            ? AccessPolicy.noSubscription
            : AccessPolicy.decide(policy, subscription, at ?? new Date(now))
        ).pipe(traced("Billing.access")),

      receiveWebhook: (headers, rawBody) =>
        traced("Billing.receiveWebhook")(Effect.flatMap(verifier.verify({ headers, body: rawBody }), receive)),

      linkCustomer: Effect.fn("Billing.linkCustomer")(function* (userId, customerId) {
        const notified = yield* store.linkCustomer({ customerId, userId, linkedBy: "host" }, policy, {
          notify: dispatcher.listens
        })
        if (notified > 0) yield* dispatcher.wake
      }),

      linkWaiting: Effect.withSpan(linkWaiting, "Billing.linkWaiting"),

      replay: Effect.fn("Billing.replay")(replay),

      reconcile: Effect.fn("Billing.reconcile")(reconciliation.reconcile),

      reconcileAll: Effect.fn("Billing.reconcileAll")(function* (options) {
        return yield* Effect.flatMap(reconciliation.reconcileAll(options), (report) =>
          Option.match(report, {
            onNone: () => Effect.dieMessage("A comparison that is due whenever it is asked for was not."),
            onSome: Effect.succeed
          })
        )
      }),

      reconcileUnlessDoneSince: Effect.fn("Billing.reconcileUnlessDoneSince")((since) =>
        reconciliation.reconcileAll({ unlessFinishedSince: since })
      )
    }
    return service
  })

export const layer = (
  options?: BillingOptions
): Layer.Layer<Billing, never, BillingStore | PolarClient | WebhookVerifier | NotificationDispatcher> =>
  Layer.scoped(Billing, make(options))

const newestFirst = <A extends { readonly id: string; readonly createdAt: Date | null }>(a: A, b: A): number =>
  (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0) || (a.id < b.id ? -1 : 1)

const candidateOf = (subscription: LiveSubscription) => ({
  id: subscription.id,
  status: subscription.status,
  isLive: true,
  periodEnd: subscription.currentPeriodEnd?.getTime() ?? null,
  subscription
})

/** The port to Polar's API, and its implementation over HTTP. */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { checkoutKind } from "../records/Checkout.ts"
import type { Kind, ListedKind } from "../records/Kind.ts"
import { PolarCustomer, toSubscription, userIdMetadataKey } from "../records/PolarObjects.ts"
import type { RecordReport } from "../records/RecordReport.ts"
import type { CheckoutId, Subscription, SubscriptionId } from "../records/Subscription.ts"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import * as OptionTypes from "../values/options.ts"
import { fromMillis } from "../values/Timestamp.ts"
import { createOrGetCustomer, refuseTrimmed } from "./createOrGetCustomer.ts"
import { type CustomerCalls, makeCustomerCalls } from "./customerCalls.ts"
import { type LicenseKeyCalls, makeLicenseKeyCalls } from "./licenseKeyCalls.ts"
import { makeOrderCalls, type OrderCalls } from "./orderCalls.ts"
import {
  CheckoutSession,
  type CreateCheckout,
  type CreateCustomer,
  CustomerPage,
  type CustomerReference,
  CustomerSession,
  type CustomerState,
  checkoutBody,
  customerBody,
  customerSessionBody,
  type FailedDelivery,
  FailedDeliveryPage,
  type Member,
  MemberPage,
  type Organization,
  OrganizationPage,
  PolarCustomerState,
  type RecordFilter,
  reported,
  type SnapshotPage,
  type SubscriptionFilter,
  SubscriptionPage,
  statusesOf,
  type UndeliveredEvent,
  type UnreadableRecord,
  UnreadPage,
  type WebhookEndpoint,
  WebhookEndpointPage
} from "./PolarApi.ts"
import * as PolarClientMemory from "./PolarClientMemory.ts"
import { type CustomerEmailTaken, type PolarError, PolarNotConfigured } from "./PolarError.ts"
import * as PolarHttp from "./polarHttp.ts"
import { makeScopeCalls, type ScopeCalls } from "./scopeCalls.ts"
import { makeSecretBox, type SecretBox } from "./secretBox.ts"
import { makeSubscriptionCalls, operationOf, type SubscriptionCalls } from "./subscriptionCalls.ts"
import { makeWebhookCalls, type WebhookCalls } from "./webhookCalls.ts"

export { accessTokenProblem } from "./accessToken.ts"
export type {
  ActivatedLicenseKey,
  ActivateLicenseKey,
  DeactivateLicenseKey,
  LicenseKeyWithActivations,
  PolarLicenseKey,
  ValidatedLicenseKey,
  ValidateLicenseKey
} from "./licenseKeyCalls.ts"
export { type CreateRefund, type ReceiptAnswer, type RefundReason, refundReasons } from "./orderCalls.ts"
export type {
  ActiveSubscription,
  CheckoutSession,
  CreateCheckout,
  CreateCustomer,
  CustomerReference,
  CustomerSession,
  CustomerState,
  GrantedBenefit,
  Member,
  Organization,
  RecordFilter,
  SnapshotPage,
  SubscriptionFilter,
  UndeliveredEvent,
  UnreadableRecord,
  WebhookDelivery,
  WebhookEndpoint
} from "./PolarApi.ts"
export { type MemoryCheckout, MemoryPolar } from "./PolarClientMemory.ts"
export type { WritingScope } from "./scopeCalls.ts"
export type { ChangePreview } from "./subscriptionCalls.ts"
export type { WebhookEndpointChange, WebhookEndpointWithSecret } from "./webhookCalls.ts"

/**
 * What is asked of Polar. A call that changes nothing is tried again when it fails in passing; one that does is made
 * once, because Polar has no idempotency keys.
 */
export class PolarClient extends Context.Tag("@kavach-polar/core/PolarClient")<
  PolarClient,
  {
    /** Opens a checkout. Each call opens another one. */
    readonly createCheckout: (input: CreateCheckout) => Effect.Effect<CheckoutSession, PolarError>

    /**
     * Whether Polar would let the buyer pay this checkout, beside the subscription that they have. It says so only when the
     * checkout is changed, so it is: to the product that it has.
     */
    readonly allowsSubscription: (checkoutId: string, productId: string) => Effect.Effect<boolean, PolarError>

    /** Creates a customer. E-mail address and external id taken by another one are a `PolarRejected`. */
    readonly createCustomer: (input: CreateCustomer) => Effect.Effect<PolarCustomer, PolarError>

    /**
     * The customer with exactly this external id. One that no path can hold (with a `/`, or `.` or `..`) is looked for
     * in the list of customers.
     */
    readonly findCustomerByExternalId: (externalId: string) => Effect.Effect<Option.Option<PolarCustomer>, PolarError>

    /**
     * The customer of the user `input.externalId`, created if there is none. A customer that exists is returned as it
     * is. Fails with `CustomerEmailTaken` when the address belongs to another customer, who is left alone.
     */
    readonly createOrGetCustomer: (
      input: CreateCustomer
    ) => Effect.Effect<PolarCustomer, PolarError | CustomerEmailTaken>

    /** What the customer with this external id has now; `None` if there is no such customer. */
    readonly getCustomerState: (externalId: string) => Effect.Effect<Option.Option<CustomerState>, PolarError>

    /**
     * Subscriptions, the oldest first, each once, read page by page as they are taken. Pages are offsets: one that
     * stops matching the filter while they are read can push another over the edge of a page, where it is not seen.
     * So absence proves nothing, unless the filter is one that nothing leaves.
     */
    readonly listSubscriptions: (filter: SubscriptionFilter) => Stream.Stream<Subscription, PolarError>

    /**
     * One page of the records of a kind, the oldest first, with what it takes to compare them with what is stored: for
     * work that goes on where it was left.
     */
    readonly recordPage: (
      kind: ListedKind<unknown>,
      filter: RecordFilter,
      page: number
    ) => Effect.Effect<SnapshotPage, PolarError>

    /** The subscription with this id; `None` if Polar has none, or the token may not see it. */
    readonly getSubscription: (id: SubscriptionId) => Effect.Effect<Option.Option<Snapshot>, PolarError>

    /** The checkout with this id; `None` if Polar has none, or the token may not see it. */
    readonly getCheckout: (id: CheckoutId) => Effect.Effect<Option.Option<Snapshot>, PolarError>

    /** The organizations that the token is of; one, for an organization access token. Needs the scope `organizations:read`. */
    readonly organizations: Effect.Effect<ReadonlyArray<Organization>, PolarError>

    /** All webhook endpoints of the organization. */
    readonly webhookEndpoints: Effect.Effect<ReadonlyArray<WebhookEndpoint>, PolarError>

    /**
     * Events that the endpoint did not take in any attempt since, each once. Those that Polar skipped because the
     * endpoint was disabled are not among them: no list of Polar's has them.
     */
    readonly undeliveredEvents: (endpointId: string, since: Date) => Stream.Stream<UndeliveredEvent, PolarError>

    /** Asks Polar to deliver an event again. Asking twice delivers twice, under the same `webhook-id`. */
    readonly redeliver: (eventId: string) => Effect.Effect<void, PolarError>

    /** The members of a customer that is a team. */
    readonly listMembers: (customerId: string) => Effect.Effect<ReadonlyArray<Member>, PolarError>

    /** Opens Polar's customer portal, and leads back to `returnUrl`. An unknown customer is a `PolarRejected`. */
    readonly createCustomerSession: (
      customer: CustomerReference,
      returnUrl?: string | undefined
    ) => Effect.Effect<CustomerSession, PolarError>

    /**
     * By how many milliseconds this machine's clock is ahead of Polar's, by Polar's last answer. `None` before there is one. A
     * second or two may be what the answer took.
     */
    readonly clockAhead: Effect.Effect<Option.Option<number>>

    /** For what Polar tells only to whoever has the access token, and is kept all the same. */
    readonly secretBox: SecretBox
  } & CustomerCalls &
    OrderCalls &
    SubscriptionCalls &
    LicenseKeyCalls &
    ScopeCalls &
    WebhookCalls
>() {}

type Service = Context.Tag.Service<typeof PolarClient>

/**
 * @example
 * PolarClient.layer({
 *   accessToken: Redacted.make(accessToken),
 *   organizationId,
 *   sandbox: true,
 *   apiBaseUrl: "http://127.0.0.1:4010",
 *   apiVersion: "2026-10",
 *   timeout: "10 seconds",
 *   requestsPerMinute: 100,
 *   maxRetries: 2,
 *   detectOtherEnvironment: false,
 *   transformClient: HttpClient.withTracerPropagation(false)
 * })
 */
export interface Options extends PolarHttp.Options {
  /** Lists are narrowed to this organization. Only needed with a token that sees several. */
  readonly organizationId?: string | undefined
}

const clientOptions: Schema.Schema<Options> = Schema.Struct({
  accessToken: OptionTypes.redacted,
  sandbox: OptionTypes.optional(OptionTypes.boolean),
  apiBaseUrl: OptionTypes.optional(OptionTypes.anyText),
  apiVersion: OptionTypes.optional(OptionTypes.anyText),
  timeout: OptionTypes.optional(OptionTypes.duration),
  requestsPerMinute: OptionTypes.optional(OptionTypes.positive("a number of requests")),
  maxRetries: OptionTypes.optional(OptionTypes.wholeNumberBetween(0, 100, "a number of tries")),
  detectOtherEnvironment: OptionTypes.optional(OptionTypes.boolean),
  transformClient: OptionTypes.optional(OptionTypes.callback<NonNullable<Options["transformClient"]>>()),
  organizationId: OptionTypes.optional(OptionTypes.anyText)
})

const checkOptions = OptionTypes.optionsCheck("PolarClient.layer()", clientOptions)

/**
 * A client over HTTP. It makes no call before it is asked to, and holds nothing that must be closed.
 *
 * @example
 * PolarClient.make({ accessToken: Redacted.make(accessToken) }).pipe(Effect.provide(FetchHttpClient.layer))
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Service, never, HttpClient.HttpClient> {
  const { call, clockAhead } = yield* PolarHttp.make(options)
  const organization: Query = options.organizationId === undefined ? [] : [["organization_id", options.organizationId]]

  const onePage = <A, I>({ operation, path, query }: ListRequest, schema: Schema.Schema<Page<A>, I>, number: number) =>
    Effect.map(
      call(
        {
          operation,
          method: "GET",
          path,
          query: [...organization, ...query, ["limit", "100"], ["page", `${number}`]]
        },
        schema
      ),
      ({ items, pagination }) => ({ items, isLast: items.length === 0 || number >= pagination.max_page })
    )

  /** The items of a list, a page at a time. Ascending order, so that what is new comes last and moves nothing. */
  const list = <A extends { readonly id: string }, I>(
    request: ListRequest,
    schema: Schema.Schema<Page<A>, I>
  ): Stream.Stream<A, PolarError> =>
    Stream.suspend(() => {
      const seen = new Set<string>()
      return Stream.paginateChunkEffect(1, (number) =>
        Effect.map(onePage(request, schema, number), ({ isLast, items }) => {
          const fresh = items.filter(({ id }) => !seen.has(id) && seen.add(id))
          return [Chunk.unsafeFromArray(fresh), isLast ? Option.none() : Option.some(number + 1)] as const
        })
      )
    })

  const one = (kind: Kind<unknown>, path: string, id: string) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      call(
        {
          operation: `get ${kind.name}`,
          method: "GET",
          path: `${path}${encodeURIComponent(id)}`,
          template: `${path}{id}`
        },
        reported(kind)
      ).pipe(
        Effect.map((report) => Option.some({ report, fetchedAt: fromMillis(now) })),
        Effect.catchTag("PolarNotFound", () => Effect.succeedNone),
        // Of an id that is not of Polar's form it does not say that there is none, but that it is not one.
        Effect.catchIf(
          (error) => error._tag === "PolarRejected" && error.status === 422,
          () => Effect.succeedNone
        )
      )
    )

  const findInList = (operation: string, externalId: string) => {
    if (externalId === "") return Effect.succeedNone
    return list(
      {
        operation,
        path: "/v1/customers/",
        query: [
          // Polar matches the beginning of the external id, and takes a backslash for an escape.
          ["query", externalId.split("\\", 1).join("")],
          ["sorting", "created_at"]
        ]
      },
      CustomerPage
    ).pipe(Stream.filter(isCustomerOf(externalId)), Stream.runHead)
  }

  const find = (operation: string, externalId: string) =>
    isAddressable(externalId)
      ? call(
          {
            operation,
            method: "GET",
            path: `/v1/customers/external/${encodeURIComponent(externalId)}`,
            template: "/v1/customers/external/{external_id}"
          },
          PolarCustomer
        ).pipe(
          Effect.map(Option.liftPredicate(isCustomerOf(externalId))),
          Effect.catchTag("PolarNotFound", () => Effect.succeedNone)
        )
      : findInList(operation, externalId)

  const state = (path: string, template: string, externalId: string) =>
    call({ operation: "get customer state", method: "GET", path, template }, PolarCustomerState).pipe(
      Effect.map(({ active_subscriptions, granted_benefits, ...customer }) => ({
        customer,
        activeSubscriptions: active_subscriptions,
        grantedBenefits: granted_benefits
      })),
      Effect.map(Option.liftPredicate(({ customer }) => isCustomerOf(externalId)(customer))),
      Effect.catchTag("PolarNotFound", () => Effect.succeedNone)
    )

  const createCheckout = Effect.fn("PolarClient.createCheckout")((input: CreateCheckout) =>
    call(
      { operation: "create checkout", method: "POST", path: "/v1/checkouts/", body: checkoutBody(input) },
      CheckoutSession
    )
  )

  const createCustomer = Effect.fn("PolarClient.createCustomer")((input: CreateCustomer) =>
    Effect.zipRight(
      refuseTrimmed(input),
      call(
        { operation: "create customer", method: "POST", path: "/v1/customers/", body: customerBody(input) },
        PolarCustomer
      )
    )
  )

  const findCustomerByExternalId = Effect.fn("PolarClient.findCustomerByExternalId")((externalId: string) =>
    find("find customer", externalId)
  )

  return {
    createCheckout,

    allowsSubscription: Effect.fn("PolarClient.allowsSubscription")((checkoutId: string, productId: string) =>
      call(
        {
          operation: "check checkout",
          method: "PATCH",
          path: `/v1/checkouts/${encodeURIComponent(checkoutId)}`,
          template: "/v1/checkouts/{id}",
          body: { product_id: productId }
        },
        Schema.Unknown
      ).pipe(
        Effect.as(true),
        Effect.catchIf(
          (error) => error._tag === "PolarRejected" && error.code === "AlreadyActiveSubscriptionError",
          () => Effect.succeed(false)
        )
      )
    ),

    createCustomer,
    findCustomerByExternalId,
    createOrGetCustomer: Effect.fn("PolarClient.createOrGetCustomer")(
      createOrGetCustomer({ createCustomer, findCustomerByExternalId })
    ),

    getCustomerState: Effect.fn("PolarClient.getCustomerState")(function* (externalId: string) {
      if (isAddressable(externalId)) {
        return yield* state(
          `/v1/customers/external/${encodeURIComponent(externalId)}/state`,
          "/v1/customers/external/{external_id}/state",
          externalId
        )
      }
      const customer = yield* findInList("get customer state", externalId)
      return Option.isNone(customer)
        ? Option.none()
        : yield* state(
            `/v1/customers/${encodeURIComponent(customer.value.id)}/state`,
            "/v1/customers/{id}/state",
            externalId
          )
    }),

    listSubscriptions: (filter) =>
      list(subscriptionList(filter), SubscriptionPage).pipe(
        Stream.map((subscription) => toSubscription(subscription)),
        Stream.withSpan("PolarClient.listSubscriptions")
      ),

    recordPage: Effect.fn("PolarClient.recordPage")(function* (
      kind: ListedKind<unknown>,
      filter: RecordFilter,
      page: number
    ) {
      const fetchedAt = fromMillis(yield* Clock.currentTimeMillis)
      const { isLast, items } = yield* onePage(
        {
          operation: `list ${kind.name}s`,
          path: kind.list.path,
          query: [
            ...parameter("customer_id", filter.customerId),
            ...parameter("order_id", filter.orderId),
            ...parameter("checkout_id", filter.checkoutId),
            ...parameter(`metadata[${userIdMetadataKey}]`, filter.metadataUserId),
            ["sorting", filter.newestFirst === true ? `-${kind.list.sorting.replace(/^-/, "")}` : kind.list.sorting]
          ]
        },
        UnreadPage,
        page
      )
      const read = items.map((item) => readRecord(kind, item))
      return {
        snapshots: read.flatMap((one) => (Either.isRight(one) ? [{ report: one.right, fetchedAt }] : [])),
        unreadable: read.flatMap((one) => (Either.isLeft(one) ? [one.left] : [])),
        isLast
      }
    }),

    getSubscription: Effect.fn("PolarClient.getSubscription")((id: SubscriptionId) =>
      one(subscriptionKind, "/v1/subscriptions/", id)
    ),

    getCheckout: Effect.fn("PolarClient.getCheckout")((id: CheckoutId) => one(checkoutKind, "/v1/checkouts/", id)),

    // Not narrowed to the organization that is configured, because it is that one which is looked for.
    organizations: call(
      { operation: "list organizations", method: "GET", path: "/v1/organizations/", query: [["limit", "100"]] },
      OrganizationPage
    ).pipe(
      Effect.map(({ items }) => items),
      Effect.withSpan("PolarClient.organizations")
    ),

    webhookEndpoints: list(
      { operation: "list webhook endpoints", path: "/v1/webhooks/endpoints", query: [] },
      WebhookEndpointPage
    ).pipe(
      Stream.runCollect,
      Effect.map((endpoints) => Chunk.toReadonlyArray(endpoints)),
      Effect.withSpan("PolarClient.webhookEndpoints")
    ),

    undeliveredEvents: (endpointId, since) =>
      Stream.suspend(() => {
        // Each failed attempt is a delivery of its own.
        const seen = new Set<string>()
        return list(
          {
            operation: "list webhook deliveries",
            path: "/v1/webhooks/deliveries",
            query: [
              ["endpoint_id", endpointId],
              ["succeeded", "false"],
              ["start_timestamp", since.toISOString()]
            ]
          },
          FailedDeliveryPage
        ).pipe(
          Stream.map(({ webhook_event }) => webhook_event),
          Stream.filter((event) => isUndelivered(event) && !seen.has(event.id) && seen.add(event.id) === seen),
          Stream.map(({ id, type }): UndeliveredEvent => ({ id, type }))
        )
      }).pipe(Stream.withSpan("PolarClient.undeliveredEvents")),

    redeliver: Effect.fn("PolarClient.redeliver")((eventId: string) =>
      call(
        {
          operation: "redeliver event",
          method: "POST",
          path: `/v1/webhooks/events/${encodeURIComponent(eventId)}/redeliver`,
          template: "/v1/webhooks/events/{id}/redeliver",
          body: {}
        },
        Schema.Unknown
      )
    ),

    listMembers: Effect.fn("PolarClient.listMembers")((customerId: string) =>
      list({ operation: "list members", path: "/v1/members/", query: [["customer_id", customerId]] }, MemberPage).pipe(
        Stream.runCollect,
        Effect.map((members) => Chunk.toReadonlyArray(members))
      )
    ),

    createCustomerSession: Effect.fn("PolarClient.createCustomerSession")(
      (customer: CustomerReference, returnUrl?: string | undefined) =>
        call(
          {
            operation: "create customer session",
            method: "POST",
            path: "/v1/customer-sessions/",
            body: customerSessionBody(customer, returnUrl)
          },
          CustomerSession
        )
    ),

    ...makeCustomerCalls(call),
    ...makeOrderCalls(call),
    ...makeSubscriptionCalls(call),
    ...makeLicenseKeyCalls(call),
    ...makeScopeCalls(call),
    ...makeWebhookCalls(call),
    clockAhead,
    secretBox: makeSecretBox(options.accessToken)
  }
})

/**
 * The client that `make` gives. Throws an `InvalidOption` for options that there are not; a token that is missing, as while
 * a build imports the app, is only told by its calls.
 *
 * @example
 * PolarClient.layer({ accessToken: Redacted.make(accessToken) }).pipe(Layer.provide(FetchHttpClient.layer))
 */
export const layer = (options: Options): Layer.Layer<PolarClient, never, HttpClient.HttpClient> => {
  checkOptions(options)
  return Layer.effect(PolarClient, make(options))
}

/**
 * @example
 * PolarClient.layerConfig({ accessToken: Config.redacted("POLAR_ACCESS_TOKEN") }).pipe(Layer.provide(FetchHttpClient.layer))
 */
export const layerConfig = (
  config: Config.Config.Wrap<Options>
): Layer.Layer<PolarClient, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Layer.effect(PolarClient, Effect.flatMap(Config.unwrap(config), make))

/**
 * A Polar in this process's memory, for an app's own tests: see `MemoryPolar` for what a test can do with it. It
 * keeps customers unique as Polar does; products and checkouts it does not check.
 */
export const layerMemory: Layer.Layer<PolarClient | PolarClientMemory.MemoryPolar> = Layer.effectContext(
  Effect.map(PolarClientMemory.make, ({ client, polar }) =>
    Context.make(PolarClient, client).pipe(Context.add(PolarClientMemory.MemoryPolar, polar))
  )
)

/**
 * For a server without an access token: every call fails with `PolarNotConfigured` and this reason.
 *
 * @example
 * PolarClient.layerDisabled("no access token is configured")
 */
export const layerDisabled = (reason: string): Layer.Layer<PolarClient> => {
  const fail = (operation: string) => () => new PolarNotConfigured({ operation, reason })
  return Layer.succeed(PolarClient, {
    createCheckout: fail("create checkout"),
    allowsSubscription: fail("check checkout"),
    createCustomer: fail("create customer"),
    findCustomerByExternalId: fail("find customer"),
    createOrGetCustomer: fail("create customer"),
    getCustomerState: fail("get customer state"),
    listSubscriptions: () => Stream.fail(new PolarNotConfigured({ operation: "list subscriptions", reason })),
    recordPage: (kind) => fail(`list ${kind.name}s`)(),
    getSubscription: fail("get subscription"),
    getCheckout: fail("get checkout"),
    organizations: Effect.suspend(fail("list organizations")),
    webhookEndpoints: Effect.suspend(fail("list webhook endpoints")),
    undeliveredEvents: () => Stream.fail(new PolarNotConfigured({ operation: "list webhook deliveries", reason })),
    redeliver: fail("redeliver event"),
    listMembers: fail("list members"),
    createCustomerSession: fail("create customer session"),
    deleteCustomer: fail("delete customer"),
    updateSubscription: (_, update) => fail(operationOf(update))(),
    previewChange: fail("preview change"),
    findDiscount: fail("find discount"),
    getOrder: fail("get order"),
    getInvoice: fail("get invoice"),
    requestInvoice: fail("request invoice"),
    getReceipt: fail("get receipt"),
    createRefund: fail("create refund"),
    getLicenseKey: fail("get license key"),
    validateLicenseKey: fail("validate license key"),
    activateLicenseKey: fail("activate license key"),
    deactivateLicenseKey: fail("deactivate license key"),
    mayWrite: (scope) => fail(`look for ${scope}`)(),
    createWebhookEndpoint: fail("create webhook endpoint"),
    updateWebhookEndpoint: fail("update webhook endpoint"),
    webhookSecret: fail("get webhook endpoint"),
    renewWebhookSecret: fail("reset webhook secret"),
    webhookDeliveries: fail("list webhook deliveries"),
    clockAhead: Effect.succeedNone,
    secretBox: makeSecretBox(Redacted.make(""))
  })
}

type Query = ReadonlyArray<readonly [string, string]>

interface ListRequest {
  readonly operation: string
  readonly path: string
  readonly query: Query
}

interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly pagination: { readonly max_page: number }
}

const subscriptionList = (filter: SubscriptionFilter): ListRequest => ({
  operation: "list subscriptions",
  path: "/v1/subscriptions/",
  query: [
    ...parameter("product_id", filter.productId),
    ...parameter("customer_id", filter.customerId),
    ...parameter("external_customer_id", filter.externalCustomerId),
    ...parameter(`metadata[${userIdMetadataKey}]`, filter.metadataUserId),
    ...(filter.active === undefined ? [] : statusesOf(filter.active).map((status) => ["status", status] as const)),
    ["sorting", "started_at"]
  ]
})

/** Given up on, and still there to be sent. */
const isUndelivered = (event: FailedDelivery["webhook_event"]): boolean =>
  event.succeeded === false && !event.skipped && !event.is_archived

const parameter = (name: string, value: string | undefined): Query => (value === undefined ? [] : [[name, value]])

// An encoded slash is decoded before Polar routes, dots are path segments to every URL parser, and half a surrogate
// pair has no encoding.
const isAddressable = (externalId: string): boolean =>
  externalId !== "" && externalId !== "." && externalId !== ".." && !/[/\p{Surrogate}]/u.test(externalId)

const isCustomerOf = (externalId: string) => (customer: PolarCustomer) => customer.external_id === externalId

/** One item of a list. */
const readRecord = <A>(kind: ListedKind<A>, item: unknown): Either.Either<RecordReport, UnreadableRecord> =>
  Either.mapLeft(Schema.decodeUnknownEither(reported(kind))(item), (error) => ({
    id: Predicate.hasProperty(item, "id") && typeof item.id === "string" ? item.id : null,
    error: PolarHttp.unexpected(`list ${kind.name}s`, 200, error)
  }))

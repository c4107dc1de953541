/** The port to Polar's API, and its implementation over HTTP. */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Kind } from "../records/Kind.ts"
import { PolarCustomer, toSubscription, userIdMetadataKey } from "../records/PolarObjects.ts"
import type { Subscription, SubscriptionId } from "../records/Subscription.ts"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import { fromMillis } from "../values/Timestamp.ts"
import { createOrGetCustomer, refuseTrimmed } from "./createOrGetCustomer.ts"
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
  PolarCustomerState,
  type RecordFilter,
  reported,
  reportPage,
  type SnapshotPage,
  type SubscriptionFilter,
  SubscriptionPage,
  statusesOf,
  type UndeliveredEvent,
  type WebhookEndpoint,
  WebhookEndpointPage
} from "./PolarApi.ts"
import * as PolarClientMemory from "./PolarClientMemory.ts"
import { type CustomerEmailTaken, type PolarError, PolarNotConfigured } from "./PolarError.ts"
import * as PolarHttp from "./polarHttp.ts"

export type {
  ActiveSubscription,
  CheckoutSession,
  CreateCheckout,
  CreateCustomer,
  CustomerReference,
  CustomerSession,
  CustomerState,
  GrantedBenefit,
  RecordFilter,
  SnapshotPage,
  SubscriptionFilter,
  UndeliveredEvent,
  WebhookEndpoint
} from "./PolarApi.ts"
export { type MemoryCheckout, MemoryPolar } from "./PolarClientMemory.ts"

/**
 * What is asked of Polar. A call that changes nothing is tried again when it fails in passing; one that does is made
 * once, because Polar has no idempotency keys.
 */
export class PolarClient extends Context.Tag("@kavach-polar/core/PolarClient")<
  PolarClient,
  {
    /** Opens a checkout. Each call opens another one. */
    readonly createCheckout: (input: CreateCheckout) => Effect.Effect<CheckoutSession, PolarError>

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
      kind: Kind<unknown>,
      filter: RecordFilter,
      page: number
    ) => Effect.Effect<SnapshotPage, PolarError>

    /** The subscription with this id; `None` if Polar has none, or the token may not see it. */
    readonly getSubscription: (id: SubscriptionId) => Effect.Effect<Option.Option<Snapshot>, PolarError>

    /** All webhook endpoints of the organization. */
    readonly webhookEndpoints: Effect.Effect<ReadonlyArray<WebhookEndpoint>, PolarError>

    /**
     * Events that the endpoint did not take in any attempt since, each once. Those that Polar skipped because the
     * endpoint was disabled are not among them: no list of Polar's has them.
     */
    readonly undeliveredEvents: (endpointId: string, since: Date) => Stream.Stream<UndeliveredEvent, PolarError>

    /** Asks Polar to deliver an event again. Asking twice delivers twice, under the same `webhook-id`. */
    readonly redeliver: (eventId: string) => Effect.Effect<void, PolarError>

    /** Opens Polar's customer portal, and leads back to `returnUrl`. An unknown customer is a `PolarRejected`. */
    readonly createCustomerSession: (
      customer: CustomerReference,
      returnUrl?: string | undefined
    ) => Effect.Effect<CustomerSession, PolarError>
  }
>() {}

type Service = Context.Tag.Service<typeof PolarClient>

export interface Options extends PolarHttp.Options {
  /** Lists are narrowed to this organization. Only needed with a token that sees several. */
  readonly organizationId?: string | undefined
}

/** A client over HTTP. It makes no call before it is asked to, and holds nothing that must be closed. */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Service, never, HttpClient.HttpClient> {
  const { call } = yield* PolarHttp.make(options)
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
      kind: Kind<unknown>,
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
            ...parameter(`metadata[${userIdMetadataKey}]`, filter.metadataUserId),
            ["sorting", kind.list.sorting]
          ]
        },
        reportPage(kind),
        page
      )
      return { snapshots: items.map((report) => ({ report, fetchedAt })), isLast }
    }),

    getSubscription: Effect.fn("PolarClient.getSubscription")(function* (id: SubscriptionId) {
      const fetchedAt = fromMillis(yield* Clock.currentTimeMillis)
      return yield* call(
        {
          operation: "get subscription",
          method: "GET",
          path: `/v1/subscriptions/${encodeURIComponent(id)}`,
          template: "/v1/subscriptions/{id}"
        },
        reported(subscriptionKind)
      ).pipe(
        Effect.map((report) => Option.some({ report, fetchedAt })),
        Effect.catchTag("PolarNotFound", () => Effect.succeedNone),
        // Of an id that is not of Polar's form it does not say that there is none, but that it is not one.
        Effect.catchIf(
          (error) => error._tag === "PolarRejected" && error.status === 422,
          () => Effect.succeedNone
        )
      )
    }),

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
    )
  }
})

export const layer = (options: Options): Layer.Layer<PolarClient, never, HttpClient.HttpClient> =>
  Layer.effect(PolarClient, make(options))

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

/** For a server without an access token: every call fails with `PolarNotConfigured` and this reason. */
export const layerDisabled = (reason: string): Layer.Layer<PolarClient> => {
  const fail = (operation: string) => () => new PolarNotConfigured({ operation, reason })
  return Layer.succeed(PolarClient, {
    createCheckout: fail("create checkout"),
    createCustomer: fail("create customer"),
    findCustomerByExternalId: fail("find customer"),
    createOrGetCustomer: fail("create customer"),
    getCustomerState: fail("get customer state"),
    listSubscriptions: () => Stream.fail(new PolarNotConfigured({ operation: "list subscriptions", reason })),
    recordPage: (kind) => fail(`list ${kind.name}s`)(),
    getSubscription: fail("get subscription"),
    webhookEndpoints: Effect.suspend(fail("list webhook endpoints")),
    undeliveredEvents: () => Stream.fail(new PolarNotConfigured({ operation: "list webhook deliveries", reason })),
    redeliver: fail("redeliver event"),
    createCustomerSession: fail("create customer session")
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

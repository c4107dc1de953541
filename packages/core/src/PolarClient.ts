/** The port to Polar's API, and its implementation over HTTP. */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Chunk from "effect/Chunk"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { createOrGetCustomer, refuseTrimmed } from "./internal/CreateOrGetCustomer.ts"
import * as PolarHttp from "./internal/PolarHttp.ts"
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
  PolarCustomerState,
  type SubscriptionFilter,
  SubscriptionPage,
  statusesOf
} from "./PolarApi.ts"
import * as PolarClientMemory from "./PolarClientMemory.ts"
import { type CustomerEmailTaken, type PolarError, PolarNotConfigured } from "./PolarError.ts"
import { PolarCustomer, toSubscription } from "./PolarObjects.ts"
import type { Subscription } from "./Subscription.ts"

export type {
  ActiveSubscription,
  CheckoutSession,
  CreateCheckout,
  CreateCustomer,
  CustomerReference,
  CustomerSession,
  CustomerState,
  GrantedBenefit,
  SubscriptionFilter
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

  /** The items of a list, a page at a time. Ascending order, so that what is new comes last and moves nothing. */
  const list = <A extends { readonly id: string }, I>(
    request: { readonly operation: string; readonly path: string; readonly query: Query },
    schema: Schema.Schema<Page<A>, I>
  ): Stream.Stream<A, PolarError> =>
    Stream.suspend(() => {
      const seen = new Set<string>()
      return Stream.paginateChunkEffect(1, (number) =>
        Effect.map(
          call(
            {
              operation: request.operation,
              method: "GET",
              path: request.path,
              query: [...organization, ...request.query, ["limit", "100"], ["page", `${number}`]]
            },
            schema
          ),
          ({ items, pagination }) => {
            const fresh = items.filter(({ id }) => !seen.has(id) && seen.add(id))
            const more = items.length > 0 && number < pagination.max_page
            return [Chunk.unsafeFromArray(fresh), more ? Option.some(number + 1) : Option.none()] as const
          }
        )
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
      list(
        {
          operation: "list subscriptions",
          path: "/v1/subscriptions/",
          query: [
            ...parameter("product_id", filter.productId),
            ...parameter("customer_id", filter.customerId),
            ...parameter("external_customer_id", filter.externalCustomerId),
            ...(filter.active === undefined
              ? []
              : statusesOf(filter.active).map((status) => ["status", status] as const)),
            ["sorting", "started_at"]
          ]
        },
        SubscriptionPage
      ).pipe(
        Stream.map((subscription) => toSubscription(subscription)),
        Stream.withSpan("PolarClient.listSubscriptions")
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
    createCustomerSession: fail("create customer session")
  })
}

type Query = ReadonlyArray<readonly [string, string]>

interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly pagination: { readonly max_page: number }
}

const parameter = (name: string, value: string | undefined): Query => (value === undefined ? [] : [[name, value]])

// An encoded slash is decoded before Polar routes, dots are path segments to every URL parser, and half a surrogate
// pair has no encoding.
const isAddressable = (externalId: string): boolean =>
  externalId !== "" && externalId !== "." && externalId !== ".." && !/[/\p{Surrogate}]/u.test(externalId)

const isCustomerOf = (externalId: string) => (customer: PolarCustomer) => customer.external_id === externalId

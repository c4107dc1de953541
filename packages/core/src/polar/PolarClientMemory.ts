/** A Polar in memory: what an app's own tests need of it, without a network. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { Kind, ListedKind } from "../records/Kind.ts"
import { type PolarCustomer, userIdMetadataKey } from "../records/PolarObjects.ts"
import type { RecordReport } from "../records/RecordReport.ts"
import { CheckoutId, CustomerId, type Subscription, type SubscriptionId } from "../records/Subscription.ts"
import { reportOf } from "../records/subscriptionKind.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import { fromMillis } from "../values/Timestamp.ts"
import { createOrGetCustomer, refuseTrimmed } from "./createOrGetCustomer.ts"
import { makeMemoryOrderCalls } from "./memoryOrderCalls.ts"
import { makeMemorySubscriptionCalls } from "./memorySubscriptionCalls.ts"
import { makeMemoryWebhookCalls } from "./memoryWebhookCalls.ts"
import {
  type ActiveSubscription,
  type CheckoutSession,
  type CreateCheckout,
  type CreateCustomer,
  type CustomerReference,
  type CustomerSession,
  type CustomerState,
  type Member,
  type RecordFilter,
  type SnapshotPage,
  type SubscriptionFilter,
  statusesOf,
  type UndeliveredEvent,
  type WebhookEndpoint
} from "./PolarApi.ts"
import { type PolarError, type PolarIssue, PolarNotFound, PolarRejected } from "./PolarError.ts"
import { makeSecretBox } from "./secretBox.ts"

/** A checkout that was opened, and what was asked for. */
export interface MemoryCheckout {
  readonly session: CheckoutSession
  readonly input: CreateCheckout
}

/** What a test can see and do behind the client of `PolarClient.layerMemory`. */
export class MemoryPolar extends Context.Tag("@kavach-polar/core/MemoryPolar")<
  MemoryPolar,
  {
    /** Makes a subscription be there as given, in place of one with the same id; its customer too, if it is unknown. */
    readonly putSubscription: (subscription: Subscription) => Effect.Effect<void>
    /** Makes an object of another kind be there, as Polar's API would give it. Dies if that kind cannot read it. */
    readonly putRecord: (kind: Kind<unknown>, object: unknown) => Effect.Effect<void>
    /** All customers, the oldest first. */
    readonly customers: Effect.Effect<ReadonlyArray<PolarCustomer>>
    /** All checkouts opened, the oldest first. */
    readonly checkouts: Effect.Effect<ReadonlyArray<MemoryCheckout>>
    /** Makes these the organization's webhook endpoints. */
    readonly setWebhookEndpoints: (endpoints: ReadonlyArray<WebhookEndpoint>) => Effect.Effect<void>
    /** Makes these the events that an endpoint did not take. */
    readonly setUndelivered: (endpointId: string, events: ReadonlyArray<UndeliveredEvent>) => Effect.Effect<void>
    /** The events that were asked for again, the first one first. */
    readonly redelivered: Effect.Effect<ReadonlyArray<string>>
    /** Makes the next call fail with this error and do nothing. Asked for several times, as many calls fail, in order. */
    readonly failNext: (error: PolarError) => Effect.Effect<void>
  }
>() {}

const hour = 3_600_000

/** As many as Polar gives at most. */
const pageSize = 100

/** The client and what stands behind it, with nothing in them. */
export const make = Effect.sync(() => {
  const customers = new Map<string, PolarCustomer>()
  const subscriptions = new Map<string, Subscription>()
  const others = new Map<string, Map<string, RecordReport>>()
  const checkouts: Array<MemoryCheckout> = []
  const failures: Array<PolarError> = []
  let endpoints: ReadonlyArray<WebhookEndpoint> = []
  const undelivered = new Map<string, ReadonlyArray<UndeliveredEvent>>()
  const redelivered: Array<string> = []

  const answer = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | PolarError> =>
    Effect.suspend((): Effect.Effect<A, E | PolarError> => {
      const failure = failures.shift()
      return failure === undefined ? effect : Effect.fail(failure)
    })

  const customerWith = (matches: (customer: PolarCustomer) => boolean): Option.Option<PolarCustomer> =>
    Option.fromNullable([...customers.values()].find(matches))

  const externalId = (id: string) => (customer: PolarCustomer) => customer.external_id === id

  const createCustomer = (input: CreateCustomer): Effect.Effect<PolarCustomer, PolarError> =>
    answer(
      Effect.gen(function* () {
        yield* refuseTrimmed(input)
        const id = CustomerId.make(yield* uuid)
        const email = input.email.toLowerCase()
        const issues: Array<PolarIssue> = []
        if (Option.isSome(customerWith((customer) => customer.email?.toLowerCase() === email))) {
          issues.push({ path: ["email"], message: "A customer with this email address already exists." })
        }
        if (Option.isSome(customerWith(externalId(input.externalId)))) {
          issues.push({ path: ["external_id"], message: "A customer with this external ID already exists." })
        }
        if (issues.length > 0) return yield* ruleBroken("create customer", issues)
        const customer: PolarCustomer = {
          id,
          external_id: input.externalId,
          email: input.email,
          name: input.name ?? null,
          organization_id: null,
          deleted_at: null
        }
        customers.set(id, customer)
        return customer
      })
    )

  const findCustomerByExternalId = (id: string): Effect.Effect<Option.Option<PolarCustomer>, PolarError> =>
    answer(Effect.sync(() => customerWith(externalId(id))))

  const createCheckout = (input: CreateCheckout): Effect.Effect<CheckoutSession, PolarError> =>
    answer(
      Effect.gen(function* () {
        const { customerId, externalCustomerId } = input
        if (customerId !== undefined && !customers.has(customerId)) {
          return yield* ruleBroken("create checkout", [{ path: ["customer_id"], message: "Customer does not exist." }])
        }
        const customer =
          customerId !== undefined
            ? Option.fromNullable(customers.get(customerId))
            : externalCustomerId !== undefined
              ? customerWith(externalId(externalCustomerId))
              : Option.none()
        const session: CheckoutSession = {
          id: CheckoutId.make(yield* uuid),
          url: `https://sandbox.polar.sh/checkout/polar_c_${yield* secret}`,
          expiresAt: new Date((yield* Clock.currentTimeMillis) + 24 * hour),
          customerId: Option.match(customer, { onNone: () => null, onSome: ({ id }) => id })
        }
        checkouts.push({ session, input })
        return session
      })
    )

  const createCustomerSession = (
    reference: CustomerReference,
    returnUrl?: string | undefined
  ): Effect.Effect<CustomerSession, PolarError> =>
    answer(
      Effect.gen(function* () {
        const customer =
          "customerId" in reference
            ? Option.fromNullable(customers.get(reference.customerId))
            : customerWith(externalId(reference.externalCustomerId))
        if (Option.isNone(customer)) {
          const field = "customerId" in reference ? "customer_id" : "external_customer_id"
          return yield* ruleBroken("create customer session", [{ path: [field], message: "Customer does not exist." }])
        }
        const token = `polar_cst_${yield* secret}`
        const back = returnUrl === undefined ? "" : `&return_url=${encodeURIComponent(returnUrl)}`
        return {
          customerPortalUrl: `https://sandbox.polar.sh/memory/portal?customer_session_token=${token}${back}`,
          token: Redacted.make(token),
          expiresAt: new Date((yield* Clock.currentTimeMillis) + hour)
        }
      })
    )

  const matching = (filter: SubscriptionFilter) => {
    const { active, customerId, externalCustomerId, metadataUserId, productId } = filter
    const statuses = active === undefined ? undefined : statusesOf(active)
    return [...subscriptions.values()]
      .filter(
        ({ customer, metadata, productId: product, status }) =>
          (metadataUserId === undefined || metadata[userIdMetadataKey] === metadataUserId) &&
          (customerId === undefined || customer.id === customerId) &&
          (externalCustomerId === undefined || customers.get(customer.id)?.external_id === externalCustomerId) &&
          (productId === undefined || product === productId) &&
          (statuses === undefined || statuses.includes(status))
      )
      .sort((one, other) => (one.startedAt?.getTime() ?? 0) - (other.startedAt?.getTime() ?? 0))
  }

  const othersOf = (kind: Kind<unknown>, { checkoutId, customerId, metadataUserId, orderId }: RecordFilter) =>
    [...(others.get(kind.name)?.values() ?? [])]
      .filter(
        (report) =>
          (customerId === undefined || report.customer.id === customerId) &&
          (orderId === undefined || report.orderId === orderId) &&
          (checkoutId === undefined || report.checkoutId === checkoutId) &&
          (metadataUserId === undefined || report.metadataUserId === metadataUserId)
      )
      .sort((one, other) => (one.changedAt ?? 0) - (other.changedAt ?? 0))

  const putOther = (report: RecordReport): void => {
    const known = others.get(report.kind) ?? new Map<string, RecordReport>()
    others.set(report.kind, known.set(report.id, report))
  }

  const getCustomerState = (id: string): Effect.Effect<Option.Option<CustomerState>, PolarError> =>
    answer(
      Effect.sync(() =>
        Option.map(customerWith(externalId(id)), (customer) => ({
          customer,
          activeSubscriptions: matching({ customerId: customer.id, active: true }).map(activeSubscription),
          grantedBenefits: []
        }))
      )
    )

  const client = {
    createCheckout,
    allowsSubscription: (): Effect.Effect<boolean, PolarError> => answer(Effect.succeed(true)),
    createCustomer,
    findCustomerByExternalId,
    createOrGetCustomer: createOrGetCustomer({ createCustomer, findCustomerByExternalId }),
    getCustomerState,
    listSubscriptions: (filter: SubscriptionFilter): Stream.Stream<Subscription, PolarError> =>
      Stream.fromIterableEffect(answer(Effect.sync(() => matching(filter)))),
    recordPage: (
      kind: ListedKind<unknown>,
      filter: RecordFilter,
      page: number
    ): Effect.Effect<SnapshotPage, PolarError> =>
      answer(
        Effect.gen(function* () {
          const fetchedAt = fromMillis(yield* Clock.currentTimeMillis)
          const all = kind.name === "subscription" ? matching(filter).map(subscriptionReport) : othersOf(kind, filter)
          return {
            unreadable: [],
            snapshots: (filter.newestFirst === true ? all.toReversed() : all)
              .slice((page - 1) * pageSize, page * pageSize)
              .map((report): Snapshot => ({ report, fetchedAt })),
            isLast: page * pageSize >= all.length
          }
        })
      ),
    getSubscription: (id: SubscriptionId): Effect.Effect<Option.Option<Snapshot>, PolarError> =>
      answer(
        Effect.map(Clock.currentTimeMillis, (now) =>
          Option.map(
            Option.fromNullable(subscriptions.get(id)),
            (found): Snapshot => ({ report: subscriptionReport(found), fetchedAt: fromMillis(now) })
          )
        )
      ),
    // A checkout is what `putRecord` says it is: nobody pays here.
    getCheckout: (id: CheckoutId): Effect.Effect<Option.Option<Snapshot>, PolarError> =>
      answer(
        Effect.map(Clock.currentTimeMillis, (now) =>
          Option.map(
            Option.fromNullable(others.get("checkout")?.get(id)),
            (report): Snapshot => ({ report, fetchedAt: fromMillis(now) })
          )
        )
      ),
    organizations: answer(Effect.succeed([])),
    webhookEndpoints: answer(Effect.sync(() => endpoints)),
    undeliveredEvents: (endpointId: string): Stream.Stream<UndeliveredEvent, PolarError> =>
      Stream.fromIterableEffect(answer(Effect.sync(() => undelivered.get(endpointId) ?? []))),
    redeliver: (eventId: string): Effect.Effect<void, PolarError> =>
      answer(Effect.sync(() => void redelivered.push(eventId))),
    // Its customers are people.
    listMembers: (): Effect.Effect<ReadonlyArray<Member>, PolarError> => answer(Effect.succeed([])),
    createCustomerSession,
    // What Polar does then, such as to end subscriptions, the simulator shows.
    deleteCustomer: (id: CustomerId): Effect.Effect<void, PolarError> =>
      answer(Effect.sync(() => void customers.delete(id))),
    ...makeMemoryOrderCalls({
      answer,
      uuid,
      reports: (kind) => [...(others.get(kind)?.values() ?? [])],
      put: putOther
    }),
    ...makeMemorySubscriptionCalls({
      answer,
      subscription: (id) => subscriptions.get(id),
      put: (subscription) => void subscriptions.set(subscription.id, subscription),
      snapshotOf: (subscription, now) => ({ report: subscriptionReport(subscription), fetchedAt: fromMillis(now) })
    }),
    // Whoever asks may do everything.
    mayWrite: (): Effect.Effect<boolean, PolarError> => answer(Effect.succeed(true)),
    ...makeMemoryWebhookCalls({
      answer,
      uuid,
      all: () => endpoints,
      put: (endpoint) => {
        const isThere = endpoints.some(({ id }) => id === endpoint.id)
        endpoints = isThere
          ? endpoints.map((one) => (one.id === endpoint.id ? endpoint : one))
          : [...endpoints, endpoint]
      }
    }),
    // It gives out no keys, and knows none.
    getLicenseKey: (): Effect.Effect<Option.Option<never>, PolarError> => answer(Effect.succeedNone),
    validateLicenseKey: (): Effect.Effect<never, PolarError> => answer(noKey("validate license key")),
    activateLicenseKey: (): Effect.Effect<never, PolarError> => answer(noKey("activate license key")),
    deactivateLicenseKey: (): Effect.Effect<never, PolarError> => answer(noKey("deactivate license key")),
    clockAhead: Effect.succeedNone,
    secretBox: makeSecretBox(Redacted.make("of no organization"))
  }

  const polar: Context.Tag.Service<typeof MemoryPolar> = {
    putSubscription: (subscription) =>
      Effect.sync(() => {
        const { email, externalId, id, name } = subscription.customer
        subscriptions.set(subscription.id, subscription)
        if (!customers.has(id)) {
          customers.set(id, { id, external_id: externalId, email, name, organization_id: null, deleted_at: null })
        }
      }),
    putRecord: (kind, object) =>
      Either.match(kind.read(object), {
        onLeft: (error) => Effect.die(error),
        onRight: (report) => Effect.sync(() => putOther(report))
      }),
    customers: Effect.sync(() => [...customers.values()]),
    checkouts: Effect.sync(() => [...checkouts]),
    setWebhookEndpoints: (given) =>
      Effect.sync(() => {
        endpoints = given
      }),
    setUndelivered: (endpointId, events) => Effect.sync(() => void undelivered.set(endpointId, events)),
    redelivered: Effect.sync(() => [...redelivered]),
    failNext: (error) => Effect.sync(() => void failures.push(error))
  }

  return { client, polar }
})

const subscriptionReport = (subscription: Subscription): RecordReport => {
  const changedAt = subscription.modifiedAt ?? subscription.createdAt
  return reportOf(subscription, changedAt === null ? null : fromMillis(changedAt.getTime()))
}

const noKey = (operation: string) => Effect.fail(new PolarNotFound({ operation, code: "ResourceNotFound" }))

const ruleBroken = (operation: string, issues: ReadonlyArray<PolarIssue>) =>
  new PolarRejected({ operation, status: 422, code: "PolarRequestValidationError", detail: null, issues })

const activeSubscription = (subscription: Subscription): ActiveSubscription => ({
  id: subscription.id,
  status: subscription.status,
  productId: subscription.productId,
  currentPeriodStart: subscription.currentPeriodStart,
  currentPeriodEnd: subscription.currentPeriodEnd,
  trialEnd: subscription.trialEnd,
  cancelAtPeriodEnd: subscription.cancelAtPeriodEnd,
  canceledAt: subscription.canceledAt,
  startedAt: subscription.startedAt,
  endsAt: subscription.endsAt,
  amount: subscription.amount,
  currency: subscription.currency,
  recurringInterval: subscription.recurringInterval,
  seats: subscription.seats,
  units: subscription.units
})

const hex = (digits: number): Effect.Effect<string> =>
  Effect.map(Effect.replicateEffect(Random.nextIntBetween(0, 16), digits), (values) =>
    values.map((value) => value.toString(16)).join("")
  )

const secret = hex(32)

// RFC 9562, 5.4: Polar takes version 4 only.
const uuid: Effect.Effect<string> = Effect.gen(function* () {
  const digits = yield* hex(31)
  const variant = (yield* Random.nextIntBetween(8, 12)).toString(16)
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `4${digits.slice(12, 15)}`,
    `${variant}${digits.slice(15, 18)}`,
    digits.slice(18, 30)
  ].join("-")
})

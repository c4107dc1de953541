/** What waits for its user: its deliveries came before the user did. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { RecordedDelivery } from "../records/Delivery.ts"
import * as DeliveryContent from "../records/deliveryContent.ts"
import { ownedKinds } from "../records/kinds.ts"
import { customerInStored, isRecordedIn, metadataInStored, userIdIn } from "../records/PolarObjects.ts"
import { recordKey } from "../records/RecordReport.ts"
import type { RecordRow } from "../records/rows.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import { asUserId } from "../rules/identity.ts"
import type { OwnershipEvidence } from "../steps/keys.ts"
import type { NamedCustomer } from "../steps/linkNamedCustomers.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StepOptions } from "../store/BillingStoreService.ts"
import { isOfOneRow, type StoreError } from "../store/StoreError.ts"
import type { CustomerId, UserId } from "../values/ids.ts"
import { type AskAppUsers, type UserLookupFailed, usersNamedBy } from "./appUsers.ts"
import type { NotificationDispatcher } from "./NotificationDispatcher.ts"
import { oldestFirst } from "./recordedDeliveries.ts"

interface Ports {
  readonly store: BillingStoreService
  readonly dispatcher: typeof NotificationDispatcher.Service
  readonly policy: AccessPolicy
  readonly organizationId: string | undefined
  readonly askAppUsers: AskAppUsers
}

/** As many share a step: others wait for their locks. */
const pageSize = 50

/** So many customers are remembered, so that one of whom many deliveries tell is looked at once. */
const rememberedCustomers = 10_000

/**
 * Looks at all of it, and gives it to those users who are known by now. Succeeds with how many records found theirs.
 *
 * First what records themselves say. Then what was said of their customers: an external id is not among what every record
 * keeps, but it stands in the deliveries that wait, as long as these have their bodies.
 */
export const makeLinkWaiting = ({
  askAppUsers,
  dispatcher,
  organizationId,
  policy,
  store
}: Ports): Effect.Effect<number, StoreError | UserLookupFailed> => {
  /** Asks the app for the users whom the evidence names, and has the store link. */
  const linking =
    <Evidence>(
      usersNamed: (evidence: Evidence) => ReadonlyArray<UserId>,
      nameOf: (evidence: Evidence) => string,
      step: (
        some: ReadonlyArray<Evidence>,
        policy: AccessPolicy,
        options: StepOptions
      ) => Effect.Effect<number, StoreError>
    ) =>
    (page: ReadonlyArray<Evidence>): Effect.Effect<number, StoreError | UserLookupFailed> => {
      if (page.length === 0) return Effect.succeed(0)
      return Effect.flatMap(askAppUsers.among(new Set(page.flatMap(usersNamed))), (users) => {
        /** One that cannot be written is left out with its error, and keeps none of the others waiting. */
        const link = (some: ReadonlyArray<Evidence>): Effect.Effect<number, StoreError> =>
          Effect.catchIf(step(some, policy, { handlers: dispatcher.handlers, users }), isOfOneRow, (error) =>
            some.length === 1
              ? Effect.as(Effect.annotateLogs(Effect.logError(error.message), { row: some.map(nameOf).join() }), 0)
              : Effect.map(
                  Effect.forEach(some, (one) => link([one])),
                  (linked) => linked.reduce((sum, count) => sum + count, 0)
                )
          )
        return link(page)
      })
    }

  const linkRecords = linking<OwnershipEvidence>(usersNamedBy, recordKey, (...given) => store.linkUnlinked(...given))
  const linkCustomers = linking<NamedCustomer>(
    usersNamedByCustomer,
    ({ id }) => `customer ${id}`,
    (...given) => store.linkNamedCustomers(...given)
  )

  const byRecords = Stream.fromIterable(ownedKinds).pipe(
    Stream.flatMap(({ name }) => unlinkedPages(store, name)),
    Stream.mapEffect((page) =>
      Effect.zipWith(
        linkRecords(page.map(evidenceOf).filter(namesSomebody)),
        linkCustomers(page.flatMap(customerOfRecord)),
        (byRecord, byCustomer) => byRecord + byCustomer
      )
    )
  )

  const byDeliveries = Stream.suspend(() => {
    const seen = new Set<string>()
    const isNew = (customer: NamedCustomer): boolean => {
      const said = JSON.stringify([customer.id, customer.externalId, customer.email])
      if (seen.has(said)) return false
      if (seen.size === rememberedCustomers) seen.clear()
      seen.add(said)
      return true
    }
    return oldestFirst(store, { states: ["unlinked"] }).pipe(
      Stream.grouped(pageSize),
      Stream.mapEffect((page) =>
        linkCustomers(
          Chunk.toReadonlyArray(page)
            .flatMap((delivery) => customerOfDelivery(delivery, organizationId))
            .filter(isNew)
        )
      )
    )
  })

  return Stream.concat(byRecords, byDeliveries).pipe(
    Stream.tap((linked) => (linked > 0 ? dispatcher.wake : Effect.void)),
    Stream.runSum
  )
}

const unlinkedPages = (store: BillingStoreService, kind: string) =>
  Stream.paginateChunkEffect(undefined as string | undefined, (after) =>
    Effect.map(store.recordPage({ kind, which: "unlinked", after, limit: pageSize }), (page) => [
      page.length === 0 ? Chunk.empty<ReadonlyArray<RecordRow>>() : Chunk.of(page),
      page.length < pageSize ? Option.none() : Option.fromNullable(page.at(-1)?.id)
    ])
  )

/** What the record itself says; of its customer, see `customerOfRecord`. */
const evidenceOf = (row: RecordRow): OwnershipEvidence => {
  const metadata = metadataInStored(row.data)
  return {
    kind: row.kind,
    id: row.id,
    // What is stored of a customer's id was one.
    customer: { id: row.customerId as CustomerId | null, externalId: null, email: null },
    metadataUserId: userIdIn(metadata),
    isRecorded: isRecordedIn(metadata),
    subscriptionId: row.subscriptionId,
    orderId: row.orderId,
    checkoutId: row.checkoutId
  }
}

/** The others wait for somebody to say whose they are. */
const namesSomebody = ({ checkoutId, metadataUserId, orderId, subscriptionId }: OwnershipEvidence): boolean =>
  metadataUserId !== null || checkoutId !== null || orderId !== null || subscriptionId !== null

const usersNamedByCustomer = (customer: NamedCustomer) => usersNamedBy({ customer, metadataUserId: null })

/** Nothing, unless it names a user; nor of a record from a checkout that was made elsewhere, as of those that wait all are. */
const named = (customer: NamedCustomer, isMadeElsewhere: boolean): ReadonlyArray<NamedCustomer> =>
  customer.id === null || isMadeElsewhere || asUserId(customer.externalId) === null ? [] : [customer]

const customerOfRecord = (row: RecordRow): ReadonlyArray<NamedCustomer> =>
  named(
    // What is stored of a customer's id was one.
    { id: row.customerId as CustomerId | null, ...customerInStored(row.data) },
    isRecordedIn(metadataInStored(row.data))
  )

const customerOfDelivery = (
  { body }: RecordedDelivery,
  organizationId: string | undefined
): ReadonlyArray<NamedCustomer> => {
  if (body === null) return []
  const content = DeliveryContent.read(body, organizationId)
  switch (content._tag) {
    case "RecordEvent":
      return named(content.report.customer, content.report.isRecorded)
    case "CustomerEvent": {
      const { email, external_id: externalId, id } = content.customer
      return named({ id, externalId, email }, false)
    }
    default:
      return []
  }
}

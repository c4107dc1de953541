/** All that is known of one person, as a timeline: what somebody in support looks at when a buyer says "I paid". */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { PolarClient } from "../polar/PolarClient.ts"
import type { Action } from "../records/Action.ts"
import { addressIn } from "../records/Customer.ts"
import type { NotificationState } from "../records/Notification.ts"
import { productKind } from "../records/Product.ts"
import { type FoundRows, type HistoryRows, type LinkRow, nobody, type RecordRow } from "../records/rows.ts"
import type { User } from "../records/Subscription.ts"
import type { Access, AccessPolicy } from "../rules/AccessPolicy.ts"
import { whatHelps } from "../rules/whatHelps.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import type { ProductId, UserId } from "../values/ids.ts"
import { toMillis } from "../values/Timestamp.ts"
import type { UsersCustomers } from "./customers.ts"
import { accessIn } from "./entitlements.ts"
import { lookAtPolar, type PolarSide } from "./polarSide.ts"
import { entriesOf, type TimelineEntry } from "./timelineEntries.ts"

/**
 * @example
 * await billing.customers.timeline("ada@example.com", { polar: true })
 */
export interface TimelineOptions {
  /** Whether Polar is asked what it has of the same customers. Nothing is changed by it. Default: false. */
  readonly polar?: boolean | undefined
}

/**
 * By what somebody was found: the id of a user, customer, record (a subscription, an order, ...) or checkout, the address in the
 * app's table of users, or the one that a customer has at Polar, which is where the receipt went.
 */
export type FoundBy = "user_id" | "user_email" | "customer_id" | "customer_email" | "record_id" | "checkout_id"

/** Somebody whom a query may mean: a user, or a customer that is nobody's. */
export interface Candidate {
  readonly userId: string | null
  readonly customerId: string | null
  readonly email: string | null
  readonly foundBy: FoundBy
}

/** One of Polar's objects, as the store has it. */
export interface TimelineRecord {
  /** subscription, order, refund, benefit_grant, customer_seat, checkout, ... */
  readonly kind: string
  readonly id: string
  readonly status: string
  readonly isLive: boolean
  readonly userId: string | null
  readonly customerId: string | null
  /** What said whose it is: see docs/how-it-works.md. */
  readonly ownedBy: string | null
  readonly productId: string | null
  readonly productName: string | null
  readonly subscriptionId: string | null
  readonly orderId: string | null
  /** In minor units (cents) of `currency`; `null` of what has none. */
  readonly amount: number | null
  readonly currency: string | null
  readonly endsAt: Date | null
  /** When it became what it is, by Polar's clock. */
  readonly at: Date
}

/** A delivery that concerns them, without its body. */
export interface TimelineDelivery {
  readonly id: string
  readonly type: string
  readonly state: string
  readonly receivedAt: Date
  readonly customerId: string | null
  readonly recordKind: string | null
  readonly recordId: string | null
  readonly attempts: number
  readonly error: string | null
}

/** What the app was told, is to be told, or never took. */
export interface TimelineNotification {
  readonly id: string
  readonly handler: string
  readonly state: NotificationState
  /** What it tells, in a few words, such as "denied → granted"; `null` where that cannot be said. */
  readonly what: string | null
  readonly attempts: number
  readonly queuedAt: Date
  /** When it was taken, given up or made way; of one that is pending when it is called next. */
  readonly at: Date
  readonly error: string | null
}

/** What was found of one person. Every list has the newest first, and at most 200. */
export interface PersonFound {
  readonly found: "one"
  readonly query: string
  readonly foundBy: FoundBy
  /** `null` of a customer that is nobody's. */
  readonly user: { readonly id: string; readonly email: string | null; readonly isInTable: boolean } | null
  readonly customers: ReadonlyArray<{
    readonly customerId: string
    /** The address that Polar has; `null` where it is not known here. */
    readonly email: string | null
    /** Who said whose it is; `null` where nobody did. */
    readonly linkedBy: LinkRow["linkedBy"] | null
    readonly linkedAt: Date | null
    readonly deletedAt: Date | null
  }>
  /** `null` of a customer that is nobody's. */
  readonly access: Access | null
  /** What to say, and what to do. */
  readonly answer: {
    readonly sentence: string
    readonly helps: ReadonlyArray<{ readonly what: string; readonly command: string | null }>
  }
  readonly records: ReadonlyArray<TimelineRecord>
  readonly checkouts: ReadonlyArray<{ readonly id: string; readonly productId: string; readonly createdAt: Date }>
  readonly deliveries: ReadonlyArray<TimelineDelivery>
  readonly notifications: ReadonlyArray<TimelineNotification>
  readonly changes: UsersCustomers["changes"]
  /** What people did about them with the console. */
  readonly actions: ReadonlyArray<Action>
  /** All of it by time, the oldest first. */
  readonly timeline: ReadonlyArray<TimelineEntry>
  /** The lists of which there is more than is shown. */
  readonly leftOut: ReadonlyArray<string>
  /** `null` unless it was asked for. */
  readonly polar: PolarSide | null
}

export type Timeline =
  | PersonFound
  /** Nothing here bears that id or address. */
  | { readonly found: "nothing"; readonly query: string }
  /** Several people may be meant, such as two users with one address. Ask for one of them by id. */
  | { readonly found: "several"; readonly query: string; readonly candidates: ReadonlyArray<Candidate> }

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  readonly policy: AccessPolicy
}

/** Of each list. */
const most = 200

/** So many products are named. */
const mostProducts = 50

export const makeTimeline = ({ client, policy, store }: Ports) => {
  const accessOf = accessIn(store, policy)

  const namesOf = (ids: ReadonlyArray<string>): Effect.Effect<ReadonlyMap<string, string>, StoreError> =>
    Effect.forEach(
      ids.slice(0, mostProducts),
      // What is stored of an id was one.
      (id) => Effect.map(store.record(productKind, id as ProductId), (found) => [id, found] as const),
      { concurrency: 4 }
    ).pipe(
      Effect.map(
        (found) =>
          new Map(
            found.flatMap(([id, record]) =>
              Option.toArray(Option.flatMapNullable(record, ({ value }) => value.name)).map(
                (name) => [id, name] as const
              )
            )
          )
      ),
      // A name is a comfort: what cannot be read is shown by its id.
      Effect.orElseSucceed(() => new Map<string, string>())
    )

  const person = (query: string, candidate: Candidate, options: TimelineOptions) =>
    Effect.gen(function* () {
      // What is stored of a user's id was one.
      const userId = candidate.userId as UserId | null
      const rows = yield* historyOf(userId, candidate.customerId)
      const user: Option.Option<User> = userId === null ? Option.none() : yield* store.findUser(userId)
      const access = userId === null ? null : yield* accessOf(userId)
      const { leftOut, ...history } = bounded(rows)
      const names = yield* namesOf([
        ...new Set(
          [...history.records, ...history.checkouts].flatMap(({ productId }) => (productId === null ? [] : [productId]))
        )
      ])
      const customers = customersIn(history, candidate.customerId)
      const records = history.records.map((row) => recordOf(row, names))
      const deliveries = history.deliveries.map(
        ({ attempts, customerId, id, lastError, receivedAt, recordId, recordKind, state, type }) => ({
          id,
          type,
          state,
          receivedAt: new Date(receivedAt),
          customerId,
          recordKind,
          recordId,
          attempts,
          error: lastError
        })
      )
      const notifications = history.notifications.map((row) => ({
        id: row.id,
        handler: row.handler,
        state: row.state,
        what: toldIn(row.payload),
        attempts: row.attempts,
        queuedAt: new Date(row.createdAt),
        at: new Date(row.availableAt),
        error: row.lastError
      }))
      const polar =
        options.polar === true
          ? yield* lookAtPolar(client, {
              userId,
              customerIds: customers.map(({ customerId }) => customerId),
              stored: history.records
            })
          : null
      const about = {
        user:
          userId === null
            ? null
            : {
                id: userId as string,
                email: Option.getOrNull(Option.flatMap(user, ({ email }) => email)),
                isInTable: Option.isSome(user)
              },
        customers,
        access,
        records,
        checkouts: history.checkouts.map(({ createdAt, id, productId }) => ({
          id,
          productId,
          createdAt: new Date(createdAt)
        })),
        deliveries,
        notifications,
        changes: history.changes.map(
          ({ action, changedAt, changedBy, customerId, fromUserId, recordKey: record, toUserId }) => ({
            action,
            customerId,
            record,
            from: fromUserId,
            to: toUserId,
            by: changedBy,
            at: new Date(changedAt)
          })
        ),
        actions: history.actions.map((row) => ({ ...row, at: new Date(row.at) })),
        polar
      }
      return {
        found: "one",
        query,
        foundBy: candidate.foundBy,
        ...about,
        answer: whatHelps(about),
        timeline: entriesOf(about, names),
        leftOut
      } satisfies PersonFound
    })

  /** With the customers of whom the user has something, beside those that are linked. */
  const historyOf = (userId: UserId | null, customerId: string | null): Effect.Effect<HistoryRows, StoreError> =>
    Effect.gen(function* () {
      const ask = (customerIds: ReadonlyArray<string>) => store.historyOf({ userId, customerIds, limit: most + 1 })
      if (userId === null) return yield* ask(customerId === null ? [] : [customerId])
      const { links } = yield* store.ownershipOf(userId)
      return yield* ask(links.map((link) => link.customerId))
    })

  return Effect.fn("Billing.customers.timeline")(function* (text: string, options: TimelineOptions = {}) {
    const query = text.trim()
    if (query === "") return { found: "nothing", query } satisfies Timeline
    const email = /^[^\s@]+@[^\s@]+$/.test(query) ? query.toLowerCase() : null
    const candidates = candidatesIn(query, email, yield* store.lookUp({ text: query, email, limit: most }))
    const [first, ...others] = candidates
    if (first === undefined) return { found: "nothing", query } satisfies Timeline
    if (others.length > 0) return { found: "several", query, candidates } satisfies Timeline
    return yield* person(query, first, options)
  })
}

/** Each once, by the best that it was found by. */
const candidatesIn = (query: string, email: string | null, found: FoundRows): ReadonlyArray<Candidate> => {
  const candidates = new Map<string, Candidate>()
  const add = (candidate: Candidate): void => {
    const key = candidate.userId === null ? `customer ${candidate.customerId}` : `user ${candidate.userId}`
    if (!candidates.has(key)) candidates.set(key, candidate)
  }
  const userOf = new Map(found.links.map(({ customerId, userId }) => [customerId, userId === nobody ? null : userId]))
  const ofUser = (userId: string, foundBy: FoundBy, address: string | null = null): void =>
    add({ userId, customerId: null, email: address, foundBy })
  const ofCustomer = (customerId: string, foundBy: FoundBy, address: string | null = null): void => {
    const userId = userOf.get(customerId) ?? null
    if (userId === null) add({ userId, customerId, email: address, foundBy })
    else ofUser(userId, foundBy, address)
  }
  if (found.isUserId) ofUser(query, "user_id")
  for (const user of found.users) ofUser(user.id, "user_email", user.email)
  for (const { userId } of found.checkouts) ofUser(userId, "checkout_id")
  for (const record of found.records.filter(({ id, kind }) => id === query && kind !== "customer")) {
    // What the merchant has is nobody's.
    if (record.userId !== null) ofUser(record.userId, "record_id")
    else if (record.customerId !== null) ofCustomer(record.customerId, "record_id")
  }
  if (found.links.some(({ customerId }) => customerId === query)) ofCustomer(query, "customer_id")
  for (const record of found.records.filter((row) => row.customerId === query && row.kind !== "customer")) {
    if (record.userId !== null) ofUser(record.userId, "customer_id")
    else ofCustomer(query, "customer_id")
  }
  for (const record of found.records.filter(({ kind }) => kind === "customer")) {
    if (record.id === query) ofCustomer(query, "customer_id", addressIn(record.data))
    else if (email !== null && addressIn(record.data) === email) ofCustomer(record.id, "customer_email", email)
  }
  return [...candidates.values()]
}

/** At most so many of each list, and which of them are longer. */
const bounded = (rows: HistoryRows): HistoryRows & { readonly leftOut: ReadonlyArray<string> } => ({
  links: rows.links.slice(0, most),
  records: rows.records.slice(0, most),
  checkouts: rows.checkouts.slice(0, most),
  changes: rows.changes.slice(0, most),
  deliveries: rows.deliveries.slice(0, most),
  notifications: rows.notifications.slice(0, most),
  actions: rows.actions.slice(0, most),
  leftOut: Object.entries(rows).flatMap(([name, list]) => (list.length > most ? [name] : []))
})

const customersIn = ({ links, records }: HistoryRows, customerId: string | null): PersonFound["customers"] => {
  const byId = new Map(links.map((link) => [link.customerId, link]))
  const addresses = new Map(
    records.filter(({ kind }) => kind === "customer").map(({ data, id }) => [id, addressIn(data)])
  )
  const ids = new Set([
    ...(customerId === null ? [] : [customerId]),
    ...byId.keys(),
    ...records.flatMap((row) => (row.customerId === null ? [] : [row.customerId]))
  ])
  return [...ids].map((id) => {
    const link = byId.get(id)
    const isLinked = link !== undefined && link.userId !== nobody
    return {
      customerId: id,
      email: addresses.get(id) ?? null,
      linkedBy: isLinked ? link.linkedBy : null,
      linkedAt: isLinked ? new Date(link.linkedAt) : null,
      deletedAt: link === undefined || link.deletedAt === null ? null : new Date(link.deletedAt)
    }
  })
}

const recordOf = (row: RecordRow, names: ReadonlyMap<string, string>): TimelineRecord => {
  const money = moneyIn(row)
  return {
    kind: row.kind,
    id: row.id,
    status: row.status,
    isLive: row.live,
    userId: row.userId,
    customerId: row.customerId,
    ownedBy: row.ownedBy,
    productId: row.productId,
    productName: row.productId === null ? null : (names.get(row.productId) ?? null),
    subscriptionId: row.subscriptionId,
    orderId: row.orderId,
    ...money,
    endsAt: row.endsAt === null ? null : new Date(row.endsAt),
    at: new Date(toMillis(row.eventAt as Parameters<typeof toMillis>[0]))
  }
}

/** Of what costs something. Whatever else is stored there, and whether it can be read, does not matter here. */
const moneyIn = ({ data, kind }: RecordRow): Pick<TimelineRecord, "amount" | "currency"> => {
  const json = objectIn(data)
  const amount = json[kind === "order" ? "total_amount" : "amount"]
  const currency = json["currency"]
  return typeof amount === "number" && typeof currency === "string"
    ? { amount, currency }
    : { amount: null, currency: null }
}

const objectIn = (text: string): Readonly<Record<string, unknown>> => {
  try {
    const json: unknown = JSON.parse(text)
    return typeof json === "object" && json !== null ? (json as Readonly<Record<string, unknown>>) : {}
  } catch {
    return {}
  }
}

/** A change of access, a subscription's status, a benefit, an order. */
const toldIn = (payload: string): string | null => {
  const json = objectIn(payload)
  const entitlement = (value: unknown) =>
    typeof value === "object" && value !== null ? String(Reflect.get(value, "entitlement")) : null
  const [before, after] = [entitlement(json["before"]), entitlement(json["after"])]
  if (before !== null && after !== null) return `${before} → ${after}`
  if (typeof json["status"] === "string") return `subscription ${json["status"]}`
  if (typeof json["isGranted"] === "boolean") {
    return `benefit ${String(json["benefitId"])} ${json["isGranted"] ? "granted" : "revoked"}`
  }
  if (typeof json["orderId"] === "string") return `order ${json["orderId"]}`
  return typeof json["deliveryId"] === "string" ? `delivery ${json["deliveryId"]}` : null
}

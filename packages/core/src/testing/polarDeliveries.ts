/** Deliveries for tests: real bodies of Polar's, varied in the few things that a case is about. */
import { randomUUID } from "node:crypto"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Delivery } from "../records/Delivery.ts"
import * as DeliveryContent from "../records/deliveryContent.ts"
import { type EventTypes, eventTypes } from "../records/eventTypes.ts"
import type { Kind } from "../records/Kind.ts"
import { parse } from "../records/PolarEvent.ts"
import type { RecordReport } from "../records/RecordReport.ts"
import type { Subscription } from "../records/Subscription.ts"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import { EpochMicros } from "../values/Timestamp.ts"
import { polarBodies } from "./polarBodies.ts"

type Json = Readonly<Record<string, unknown>>

const Body = Schema.parseJson(
  Schema.Struct(
    {
      type: Schema.String,
      timestamp: Schema.String,
      data: Schema.Record({ key: Schema.String, value: Schema.Unknown })
    },
    { key: Schema.String, value: Schema.Unknown }
  )
)

const fixture = (name: string) => {
  const body = polarBodies[name]
  if (body === undefined) throw new Error(`there is no fixture ${name}`)
  return Schema.decodeSync(Body)(body)
}

/** Not before the fixtures' own time; what a case counts its seconds from. */
export const epoch = Date.parse("2026-12-01T00:00:00.000Z")

/** ISO 8601 with microseconds, of seconds since `epoch`. */
export const timestamp = (seconds: number): string => {
  const micros = Math.round(seconds * 1e6)
  const millis = Math.floor(micros / 1000)
  return `${new Date(epoch + millis).toISOString().slice(0, -1)}${String(micros - millis * 1000).padStart(3, "0")}Z`
}

/** Whom and what a case is about. Every id is new, so that cases share a database without meeting. */
export interface Scene {
  readonly customerId: string
  readonly subscriptionId: string
  readonly productId: string
}

export const newScene = (scene: Partial<Scene> = {}): Scene => ({
  customerId: randomUUID(),
  subscriptionId: randomUUID(),
  productId: randomUUID(),
  ...scene
})

export interface DeliveryOptions {
  /** `webhook-id`; a new one unless given. */
  readonly id?: string
  /** The event's time, in seconds since `epoch`. */
  readonly at?: number
  /** The event's time as it is, in place of `at`. */
  readonly timestamp?: string
  /** Epoch milliseconds. */
  readonly receivedAt?: number
}

export interface SubscriptionOptions extends DeliveryOptions {
  /** The customer's external id. */
  readonly externalId?: string | null
  /** `metadata.kavach_user_id`. */
  readonly metadataUserId?: string
  /** The customer's address. Default: the fixture's, or none where a user is named, who may be known under another. */
  readonly email?: string | null
  /** Replaces fields of Polar's subscription. */
  readonly patch?: Json
  /** Replaces the fixture of the type's own name. */
  readonly fixture?: string
}

/** A delivery with its body as Polar sends it. */
export interface SentDelivery extends Delivery {
  readonly body: string
}

/** `type` without its prefix: `created`, `revoked`, ... */
export const subscriptionDelivery = (scene: Scene, type: string, options: SubscriptionOptions = {}): SentDelivery => {
  const body = fixture(options.fixture ?? `subscription.${type}`)
  const customer = {
    ...objectOf(body.data["customer"]),
    id: scene.customerId,
    external_id: options.externalId ?? null,
    ...addressOf(options)
  }
  const metadata =
    options.metadataUserId === undefined ? {} : { kavach_user_id: options.metadataUserId, plan: "pro_monthly" }
  return delivery(
    {
      ...body,
      type: `subscription.${type}`,
      data: {
        ...body.data,
        id: scene.subscriptionId,
        customer_id: scene.customerId,
        product_id: scene.productId,
        customer,
        metadata,
        ...options.patch
      }
    },
    options
  )
}

/** What was bought, paid and given back, and by whom. */
export interface Purchase extends Scene {
  readonly checkoutId: string
  readonly orderId: string
  readonly refundId: string
}

export const newPurchase = (purchase: Partial<Purchase> = {}): Purchase => ({
  ...newScene(),
  checkoutId: randomUUID(),
  orderId: randomUUID(),
  refundId: randomUUID(),
  ...purchase
})

/**
 * A fixture of an order, such as `paid.purchase`. It hangs on the subscription and comes from the checkout of the purchase,
 * where the fixture has one.
 */
export const orderDelivery = (
  purchase: Purchase,
  name: string,
  { patch, ...options }: Omit<SubscriptionOptions, "fixture"> = {}
): SentDelivery => {
  const body = fixture(`order.${name}`)
  return delivery(
    {
      ...body,
      data: {
        ...body.data,
        id: purchase.orderId,
        customer_id: purchase.customerId,
        product_id: orNull(body.data["product_id"], purchase.productId),
        subscription_id: orNull(body.data["subscription_id"], purchase.subscriptionId),
        checkout_id: orNull(body.data["checkout_id"], purchase.checkoutId),
        customer: {
          ...objectOf(body.data["customer"]),
          id: purchase.customerId,
          external_id: options.externalId ?? null,
          ...addressOf(options)
        },
        metadata:
          options.metadataUserId === undefined ? { campaign: "autumn" } : { kavach_user_id: options.metadataUserId },
        ...patch
      }
    },
    options
  )
}

export interface RefundOptions extends DeliveryOptions {
  readonly metadataUserId?: string
  readonly patch?: Json
}

/** A fixture of a refund, such as `created.partial`, of the purchase's order. */
export const refundDelivery = (
  purchase: Purchase,
  name: string,
  { metadataUserId, patch, ...options }: RefundOptions = {}
): SentDelivery => {
  const body = fixture(`refund.${name}`)
  return delivery(
    {
      ...body,
      data: {
        ...body.data,
        id: purchase.refundId,
        order_id: purchase.orderId,
        customer_id: purchase.customerId,
        subscription_id: orNull(body.data["subscription_id"], purchase.subscriptionId),
        ...(metadataUserId === undefined ? {} : { metadata: { kavach_user_id: metadataUserId } }),
        ...patch
      }
    },
    options
  )
}

export interface GrantOptions extends DeliveryOptions {
  /** The customer's external id. */
  readonly externalId?: string | null
  readonly patch?: Json
  /** Replaces fields of the benefit that it carries. */
  readonly benefit?: Json
}

/** What a grant is of: the same id is used again when a benefit is granted anew. */
export interface GrantScene extends Purchase {
  readonly grantId: string
  readonly benefitId: string
}

export const newGrant = (scene: Partial<GrantScene> = {}): GrantScene => ({
  ...newPurchase(),
  grantId: randomUUID(),
  benefitId: randomUUID(),
  ...scene
})

/** A fixture of a grant, such as `created.license_keys`. It hangs on the subscription or the order of the scene. */
export const grantDelivery = (
  scene: GrantScene,
  name: string,
  { benefit, externalId = null, patch, ...options }: GrantOptions = {}
): SentDelivery => {
  const body = fixture(`benefit_grant.${name}`)
  return delivery(
    {
      ...body,
      data: {
        ...body.data,
        id: scene.grantId,
        benefit_id: scene.benefitId,
        customer_id: scene.customerId,
        subscription_id: orNull(body.data["subscription_id"], scene.subscriptionId),
        order_id: orNull(body.data["order_id"], scene.orderId),
        customer: { ...objectOf(body.data["customer"]), id: scene.customerId, external_id: externalId },
        benefit: { ...objectOf(body.data["benefit"]), id: scene.benefitId, ...benefit },
        ...patch
      }
    },
    options
  )
}

/** A fixture of a benefit, such as `created.feature_flag`. */
export const benefitDelivery = (
  { benefitId }: Pick<GrantScene, "benefitId">,
  name: string,
  { patch, ...options }: DeliveryOptions & { readonly patch?: Json } = {}
): SentDelivery => {
  const body = fixture(`benefit.${name}`)
  return delivery({ ...body, data: { ...body.data, id: benefitId, ...patch } }, options)
}

/** Ids of what a fixture hangs on, and the field that has each. */
const hangsOn = {
  customer_id: "customerId",
  product_id: "productId",
  subscription_id: "subscriptionId",
  order_id: "orderId",
  checkout_id: "checkoutId",
  benefit_id: "benefitId"
} as const

/**
 * Any fixture, such as `customer_seat.claimed`, of an object with the given id. It hangs on what the scene names, where the
 * fixture hangs on something.
 */
export const fixtureDelivery = (
  name: string,
  id: string,
  scene: Partial<GrantScene>,
  { externalId = null, patch, ...options }: Omit<GrantOptions, "benefit"> = {}
): SentDelivery => {
  const body = fixture(name)
  const named = Object.entries(hangsOn).flatMap(([key, of]) =>
    typeof body.data[key] === "string" ? [[key, scene[of] ?? body.data[key]] as const] : []
  )
  const customer = objectOf(body.data["customer"])
  const member = objectOf(body.data["member"])
  return delivery(
    {
      ...body,
      data: {
        ...body.data,
        id,
        ...Object.fromEntries(named),
        ...("customer" in body.data
          ? { customer: { ...customer, id: scene.customerId, external_id: externalId } }
          : {}),
        ...("id" in member ? { member: { ...member, customer_id: scene.customerId } } : {}),
        ...("external_customer_id" in body.data ? { external_customer_id: externalId } : {}),
        ...(body.type.startsWith("customer.") ? { external_id: externalId, ...withNewIds(body.data) } : {}),
        ...patch
      }
    },
    options
  )
}

/** The names of fixtures whose types begin with this, without it. */
export const fixturesOf = (prefix: string): ReadonlyArray<string> =>
  Object.keys(polarBodies).flatMap((name) => (name.startsWith(`${prefix}.`) ? [name.slice(prefix.length + 1)] : []))

/** The object in the body of a delivery, as Polar wrote it. */
export const dataIn = ({ body }: SentDelivery): Json => Schema.decodeSync(Body)(body).data

export interface CustomerOptions extends DeliveryOptions {
  readonly externalId?: string | null
  /** Default: the fixture's, or none where a user is named. */
  readonly email?: string | null
  readonly patch?: Json
}

/** `type` without its prefix: `created`, `state_changed`, ... */
export const customerDelivery = (scene: Scene, type: string, options: CustomerOptions = {}): SentDelivery => {
  const body = fixture(`customer.${type}`)
  return delivery(
    {
      ...body,
      data: {
        ...body.data,
        id: scene.customerId,
        external_id: options.externalId ?? null,
        ...addressOf(options),
        ...withNewIds(body.data),
        ...options.patch
      }
    },
    options
  )
}

/** What a customer's state lists, each with an id of its own. */
const withNewIds = (state: Json): Json =>
  Object.fromEntries(
    ["active_subscriptions", "granted_benefits"].flatMap((list) => {
      const items = state[list]
      return Array.isArray(items) ? [[list, items.map((item) => ({ ...objectOf(item), id: randomUUID() }))]] : []
    })
  )

/** A fixture as it is, such as `checkout.updated`. */
export const otherDelivery = (name: string, options: DeliveryOptions = {}): SentDelivery =>
  delivery(fixture(name), options)

/** An event of a type that no version knows. */
export const unknownDelivery = (options: DeliveryOptions = {}): SentDelivery =>
  delivery({ ...fixture("checkout.updated"), type: unknownType }, options)

export const unknownType = "planet.aligned"

/** A subscription event whose data cannot be read. */
export const unreadableDelivery = (options: DeliveryOptions = {}): SentDelivery =>
  delivery({ ...fixture("subscription.updated"), data: { id: "only-an-id" } }, options)

/** What a delivery says of the record that it carries. */
export const reportIn = ({ content }: Delivery): RecordReport => {
  if (content._tag !== "RecordEvent") throw new Error(`a ${content._tag} carries no record`)
  return content.report
}

/** The object of a kind that a delivery carries. */
export const recordIn = <A>(kind: Kind<A>, delivery: Delivery): A => valueIn(kind, reportIn(delivery))

/** The object of a kind that a report is of. */
export const valueIn = <A>(kind: Kind<A>, { data }: RecordReport): A => Option.getOrThrow(kind.fromStored(data))

/** The subscription that a delivery carries. */
export const subscriptionIn = (delivery: Delivery): Subscription => recordIn(subscriptionKind, delivery)

export interface SnapshotOptions extends SubscriptionOptions {
  /** When Polar changed it last, in seconds since `epoch`; `null` where it does not say. */
  readonly changedAt: number | null
  /** When it was read, in seconds since `epoch`; an hour after everything unless given. */
  readonly fetchedAt?: number
}

/** The same subscription as Polar's API would give it, in the state after an event of this type. */
export const subscriptionSnapshot = (
  scene: Scene,
  type: string,
  { changedAt, fetchedAt = 3600, ...options }: SnapshotOptions
): Snapshot => snapshotOf(subscriptionDelivery(scene, type, options), changedAt, fetchedAt)

/** What a delivery carries, as Polar's API would give it. Times in seconds since `epoch`. */
export const snapshotOf = (delivery: Delivery, changedAt: number | null, fetchedAt: number): Snapshot => ({
  report: { ...reportIn(delivery), changedAt: changedAt === null ? null : microsOf(changedAt) },
  fetchedAt: microsOf(fetchedAt)
})

const microsOf = (seconds: number) => EpochMicros.make(epoch * 1000 + Math.round(seconds * 1e6))

const delivery = (event: Json, options: DeliveryOptions): SentDelivery => {
  const body = JSON.stringify({ ...event, timestamp: options.timestamp ?? timestamp(options.at ?? 0) })
  return {
    id: options.id ?? `msg_${randomUUID()}`,
    receivedAt: options.receivedAt ?? epoch,
    body,
    content: Either.merge(parse(body))
  }
}

/** The same as it is kept: without what is withheld. `types`: what the version knows that receives it. */
export const asReceived = ({ body, ...sent }: SentDelivery, types?: EventTypes): Delivery => ({
  ...sent,
  ...DeliveryContent.readBytes(new TextEncoder().encode(body), undefined, types)
})

/** A version of before the type was known. */
export const withoutType = (unknown: string): EventTypes => ({
  kindOf: (type) => (type === unknown ? undefined : eventTypes.kindOf(type))
})

const addressOf = ({
  email,
  externalId,
  metadataUserId
}: Pick<SubscriptionOptions, "email" | "externalId" | "metadataUserId">): Json =>
  email !== undefined ? { email } : (externalId ?? metadataUserId) === undefined ? {} : { email: null }

const orNull = (given: unknown, value: string): string | null => (given === null ? null : value)

const objectOf = (value: unknown): object => (typeof value === "object" && value !== null ? value : {})

/**
 * The history of one user at Polar: their subscriptions, what they paid and got back, told in whole bodies made of Polar's
 * own, in the order in which Polar would send them.
 */
import { readFileSync } from "node:fs"
import type { Delivery } from "@kavach-polar/core/Delivery"
import { parse } from "@kavach-polar/core/PolarEvent"
import { CustomerId, ProductId, type User, UserId } from "@kavach-polar/core/Subscription"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { CheckoutId } from "../../packages/core/src/values/ids.ts"
import { type Offered, tellBenefit, tellGrant, tellProduct } from "./benefits.ts"
import { begin, beginning, day, iso, type Json, type State, step, type Told } from "./lifecycle.ts"
import { type ToldOfRecord, tellSale } from "./purchases.ts"
import { type Random, randomOf } from "./seeded.ts"
import { tellDiscount, tellMember, tellSeat } from "./team.ts"

/** How the app can know whose it is. With "a checkout" the customer stays nobody's. */
export type Identity = "external_id" | "external_id later" | "metadata" | "the host says" | "a checkout"

export interface HistoryEvent extends Told {
  readonly delivery: Delivery
  /** `null` where the event is of something else. */
  readonly record: ToldOfRecord["record"] | null
}

export interface History {
  readonly index: number
  readonly user: User
  /** Whether the app's own table has the user. */
  readonly hasRow: boolean
  readonly identity: Identity
  readonly customerId: CustomerId
  /** What the app has made for this user, where that is how it knows. */
  readonly checkouts: ReadonlyArray<{ readonly id: CheckoutId; readonly productId: ProductId }>
  /** What the merchant gives; the same one may be given by several. */
  readonly benefits: ReadonlyArray<Offered>
  /** What was to be bought once. */
  readonly products: ReadonlyArray<Offered>
  /** In the order of Polar. */
  readonly events: ReadonlyArray<HistoryEvent>
}

const read = (name: string): { readonly api_version: unknown; readonly data: Json } =>
  JSON.parse(readFileSync(new URL(`../fixtures/polar-webhooks/${name}.json`, import.meta.url), { encoding: "utf8" }))

const fixtures = {
  subscription: read("subscription.created"),
  customer: read("customer.created"),
  state: read("customer.state_changed"),
  order: read("order.created"),
  purchase: read("order.created.purchase"),
  refund: read("refund.created.partial"),
  checkout: read("checkout.updated"),
  grant: read("benefit_grant.created"),
  benefit: read("benefit.created.feature_flag"),
  product: read("product.created.one_time"),
  discount: read("discount.created.percentage"),
  member: read("member.created"),
  seat: read("customer_seat.assigned")
}

const objectOf = (value: unknown): Json => (typeof value === "object" && value !== null ? { ...value } : {})

const firstDay = Date.parse("2026-10-05T14:22:08.455Z") * 1000

/** The user of a case, without their history: rows are made before. */
export const userOf = (seed: number, index: number): { readonly user: User; readonly hasRow: boolean } => ({
  user: {
    id: UserId.make(`usr_${seed.toString(36)}_${index}`),
    email: Option.some(`ada.${seed.toString(36)}.${index}@example.test`),
    name: Option.some("Ada Martin")
  },
  hasRow: (index * 7 + 3) % 5 !== 0
})

export const historyOf = (seed: number, index: number): History => {
  const random = randomOf(seed, index)
  const { hasRow, user } = userOf(seed, index)
  const customerId = CustomerId.make(random.uuid())
  const identity = random.pick<Identity>([
    "external_id",
    "external_id",
    "external_id later",
    hasRow ? "metadata" : "external_id",
    "the host says",
    "a checkout"
  ])
  const told: Array<Omit<HistoryEvent, "delivery">> = []
  const subscriptions = random.pick([1, 1, 2, 3])
  const opensAt = firstDay + random.int(1_000_000)
  // When Polar learns the external id, for those who tell it late: in the middle, and never after the last event.
  const knownFrom = identity === "external_id" ? 0 : opensAt + random.int(60) * day
  const externalIdAt = (at: number): string | null =>
    identity.startsWith("external_id") && at >= knownFrom ? user.id : null

  const customer = (at: number): Json => ({
    ...objectOf(fixtures.subscription.data["customer"]),
    id: customerId,
    external_id: externalIdAt(at),
    email: Option.getOrNull(user.email)
  })

  const checkouts: Array<History["checkouts"][number]> = []
  /** A checkout of the app's for this product, in an app that knows its users by their checkouts. */
  const checkoutFor = (productId: string): string => {
    const id = random.uuid()
    if (identity === "a checkout") checkouts.push({ id: CheckoutId.make(id), productId: ProductId.make(productId) })
    return id
  }
  const metadata = identity === "metadata" ? { kavach_user_id: user.id, plan: "pro" } : { plan: "pro", beta: true }

  /** An order and its refunds. A renewal comes from no checkout, and need not say for whom the first one was. */
  const tellOrder = (
    at: number,
    fixture: Json,
    hangsOn: {
      readonly productId: unknown
      readonly subscriptionId: string | null
      readonly checkoutId: string | null
      readonly reason: string
    }
  ) => {
    const saysNobody = hangsOn.checkoutId === null && random.chance(0.5)
    const sale = {
      orderId: random.uuid(),
      at,
      order: (when: number): Json => ({
        ...fixture,
        customer_id: customerId,
        customer: customer(when),
        product_id: hangsOn.productId,
        subscription_id: hangsOn.subscriptionId,
        checkout_id: hangsOn.checkoutId,
        billing_reason: hangsOn.reason,
        metadata: saysNobody ? {} : metadata
      }),
      refund: { ...fixtures.refund.data, customer_id: customerId, subscription_id: hangsOn.subscriptionId }
    }
    const events = tellSale(random, sale)
    tellAll(events)
    return { orderId: sale.orderId, isPaid: events.some(({ type }) => type === "order.paid") }
  }
  const tellAll = (events: ReadonlyArray<ToldOfRecord>) => {
    for (const event of events) {
      told.push(event)
      lastAt = Math.max(lastAt, event.at)
    }
  }
  const benefits: Array<Offered> = []
  const someBenefit = (): Offered => {
    // Bought twice, a benefit has two grants.
    const [first, ...others] = benefits
    const known = first !== undefined && random.chance(0.4) ? random.pick<Offered>([first, ...others]) : undefined
    const benefit = known ?? tellBenefit(random, opensAt, fixtures.benefit.data)
    if (known === undefined) {
      benefits.push(benefit)
      tellAll(benefit.events)
    }
    return benefit
  }

  let lastAt = opensAt
  let startsAt = opensAt
  for (let number = 0; number < subscriptions; number++) {
    const id = random.uuid()
    const first = begin(random, startsAt)
    const checkoutId = checkoutFor(first.product_id)
    const events = tellSubscription(random, first, startsAt, (state, at, modifiedAt) => ({
      ...fixtures.subscription.data,
      ...state,
      id,
      checkout_id: checkoutId,
      customer_id: customerId,
      customer: customer(at),
      created_at: iso(startsAt),
      started_at: iso(startsAt),
      modified_at: modifiedAt,
      metadata,
      product: {
        ...objectOf(fixtures.subscription.data["product"]),
        id: state.product_id
      }
    }))
    for (const event of events) told.push({ ...event, record: { kind: "subscription", id } })
    const endedAt = events.at(-1)?.at ?? startsAt
    lastAt = Math.max(lastAt, endedAt)
    for (const noise of around(random, startsAt, endedAt, customer, events)) told.push({ ...noise, record: null })
    if (random.chance(0.5)) {
      const benefit = someBenefit()
      const fixture = fixtures.grant.data
      const on = { subscriptionId: id, orderId: null }
      tellAll(tellGrant(random, { at: startsAt, fixture, benefit, customerId, customer, ...on }))
    }
    tellOrder(startsAt + random.int(1_000_000), fixtures.order.data, {
      productId: first.product_id,
      subscriptionId: id,
      checkoutId,
      reason: "subscription_create"
    })
    for (const { at, data, type } of events) {
      if (type !== "subscription.cycled") continue
      tellOrder(at + random.int(1_000_000), fixtures.order.data, {
        productId: data["product_id"],
        subscriptionId: id,
        checkoutId: null,
        reason: "subscription_cycle"
      })
    }
    if (random.chance(0.2)) {
      tellAll(tellSeat(random, { at: startsAt + 1, customerId, subscriptionId: id, fixture: fixtures.seat.data }))
    }
    // The next one runs beside this one, or after it.
    startsAt = random.chance(0.5) ? startsAt + random.int(10 * day) : endedAt + random.int(20 * day)
  }
  if (random.chance(0.2)) tellAll(tellDiscount(random, opensAt, fixtures.discount.data))
  if (random.chance(0.2)) tellAll(tellMember(random, { at: opensAt + 1, customerId, fixture: fixtures.member.data }))
  const products: Array<Offered> = []
  const purchases = random.pick([0, 0, 1, 2])
  for (let number = 0; number < purchases; number++) {
    const again = products[0]
    const product =
      again !== undefined && random.chance(0.4) ? again : tellProduct(random, opensAt, fixtures.product.data)
    if (product !== again) {
      products.push(product)
      tellAll(product.events)
    }
    const at = opensAt + random.int(60 * day)
    const { isPaid, orderId } = tellOrder(at, fixtures.purchase.data, {
      productId: product.id,
      subscriptionId: null,
      checkoutId: checkoutFor(product.id),
      reason: "purchase"
    })
    if (isPaid && random.chance(0.6)) {
      const fixture = fixtures.grant.data
      const on = { subscriptionId: null, orderId }
      tellAll(tellGrant(random, { at, fixture, benefit: someBenefit(), customerId, customer, ...on }))
    }
  }
  if (identity === "external_id later") {
    // However late: in the end Polar has told.
    const at = Math.max(lastAt, knownFrom) + 1 + random.int(1000)
    const data = { ...fixtures.customer.data, id: customerId, external_id: user.id, deleted_at: null }
    told.push({ type: "customer.updated", at, data, record: null })
  }
  told.sort((a, b) => a.at - b.at)
  return {
    index,
    user,
    hasRow,
    identity,
    customerId,
    checkouts,
    benefits,
    products,
    events: told.map((event, place) => ({
      ...event,
      delivery: deliveryOf(event, `msg_${seed.toString(36)}_${index}_${place}`)
    }))
  }
}

/** Plays transitions, and tells each as Polar does: several events, microseconds apart or at the very same one. */
const tellSubscription = (
  random: Random,
  first: State,
  startsAt: number,
  dataOf: (state: State, at: number, modifiedAt: string | null) => Json
): ReadonlyArray<Told> => {
  const told: Array<Told> = []
  let at = startsAt
  let modified = startsAt
  const tell = (events: ReadonlyArray<string>, state: State, modifiedAt: string | null) => {
    const data = dataOf(state, at, modifiedAt)
    for (const [place, event] of events.entries()) {
      if (place > 0 && random.chance(0.7)) at += 1 + random.int(3000)
      told.push({ type: `subscription.${event}`, at, data })
    }
  }
  let state = first
  tell(beginning, state, null)
  const length = random.int(6)
  for (let done = 0; done < length; done++) {
    const tie = random.chance(0.15)
    at += tie ? 0 : random.chance(0.2) ? 1 + random.int(3) : 1 + random.int(20 * day)
    const next = step(state, at, random)
    if (next === undefined) break
    // Two states at one microsecond have to differ in something that Polar tells them apart by.
    const telling = next.state.status !== state.status || next.state.cancel_at_period_end !== state.cancel_at_period_end
    modified = Math.max(at, modified) + (tie && telling && random.chance(0.5) ? 0 : 1000)
    state = next.state
    tell(next.events, state, iso(modified))
  }
  return told
}

/** What else Polar sends in the course of a subscription. */
const around = (
  random: Random,
  from: number,
  to: number,
  customer: (at: number) => Json,
  subscription: ReadonlyArray<Told>
): ReadonlyArray<Told> => {
  const told: Array<Told> = []
  const now = (): number => from + random.int(Math.max(1, Math.min(to - from, 2 ** 45)))
  const add = (type: string, data: Json, at = now()) => told.push({ type, at, data })
  if (random.chance(0.3)) add("checkout.updated", fixtures.checkout.data, from)
  if (random.chance(0.2)) {
    const at = now()
    add("customer.updated", { ...fixtures.customer.data, ...customer(at) }, at)
  }
  if (random.chance(0.2)) {
    const at = now()
    const lists = { active_subscriptions: listedAt(subscription, at), granted_benefits: [], active_meters: [] }
    add("customer.state_changed", { ...fixtures.state.data, ...lists, ...customer(at) }, at)
  }
  return told
}

/** What a state does not say of a subscription. */
const unlisted = ["customer", "customer_id", "product", "checkout_id", "past_due_at", "ended_at", "pending_update"]

/** A customer's state lists a subscription that is active. Polar changes it before the first event that tells of the change. */
const listedAt = (events: ReadonlyArray<Told>, at: number): ReadonlyArray<Json> => {
  const last = events.filter((event) => event.at <= at).at(-1)
  const changedAt = events.find(({ data }) => data === last?.data)?.at
  if (last === undefined || changedAt === undefined) return []
  if (last.data["status"] !== "active" && last.data["status"] !== "trialing") return []
  const listed = Object.entries(last.data).filter(([name]) => !unlisted.includes(name))
  return [{ ...Object.fromEntries(listed), modified_at: iso(changedAt) }]
}

const deliveryOf = ({ at, data, type }: Told, id: string): Delivery => {
  const body = JSON.stringify({ type, timestamp: iso(at), api_version: fixtures.subscription.api_version, data })
  return { id, receivedAt: Math.floor(at / 1000) + 400, body, content: Either.merge(parse(body)) }
}

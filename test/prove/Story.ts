/**
 * What Polar has to tell of one user, without end: subscriptions that begin, change and end, one after the other. And
 * what an app has to know once it was told: a model of its own, that shares nothing with the product.
 */
import { readFileSync } from "node:fs"
import type { Random } from "./seeded.ts"

type Json = Readonly<Record<string, unknown>>

/** The five fields that the app's callback is given. The period's end in milliseconds since 1970. */
export interface Shown {
  readonly id: string
  readonly status: string
  readonly productId: string
  readonly currentPeriodEnd: number
  readonly cancelAtPeriodEnd: boolean
}

/** One subscription, from its beginning to its end. */
export interface Life {
  readonly id: string
  readonly userId: string
  readonly customerId: string
}

export interface StoryEvent {
  /** Polar's `webhook-id`. */
  readonly id: string
  readonly type: string
  /** Whose story it is from. */
  readonly userId: string
  readonly body: string
  /** Microseconds since 1970. No two events of a story have the same. */
  readonly at: number
  /** `null` where the event tells of the customer. */
  readonly told: { readonly life: Life; readonly shown: Shown } | null
}

export interface Story {
  readonly userId: string
  readonly customerId: string
  /** The next event, in the order of Polar. */
  readonly next: () => StoryEvent
}

const types = [
  "customer.created",
  "subscription.created",
  "subscription.updated",
  "subscription.cycled",
  "subscription.canceled",
  "subscription.uncanceled",
  "subscription.past_due",
  "subscription.active",
  "subscription.revoked"
] as const
type Type = (typeof types)[number]

const read = (type: Type): Json & { readonly data: Json } =>
  JSON.parse(readFileSync(new URL(`../fixtures/polar-webhooks/${type}.json`, import.meta.url), "utf8"))

const fixtures = Object.fromEntries(types.map((type) => [type, read(type)])) as Record<Type, ReturnType<typeof read>>

const begin = Date.parse("2026-12-01T00:00:00.000Z")
const day = 86_400_000

/** Most of what a subscription can come to from here; `subscription.updated` then changes nothing that can be seen. */
const nextTypes = ({ cancelAtPeriodEnd, status }: Shown): readonly [Type, ...ReadonlyArray<Type>] => {
  if (status === "past_due") return ["subscription.active", "subscription.updated", "subscription.revoked"]
  return cancelAtPeriodEnd
    ? ["subscription.uncanceled", "subscription.updated", "subscription.revoked"]
    : [
        "subscription.cycled",
        "subscription.cycled",
        "subscription.canceled",
        "subscription.past_due",
        "subscription.updated",
        "subscription.updated"
      ]
}

const after = (type: Type, shown: Shown): Shown => {
  switch (type) {
    case "subscription.cycled":
      return { ...shown, currentPeriodEnd: shown.currentPeriodEnd + 30 * day }
    case "subscription.canceled":
      return { ...shown, cancelAtPeriodEnd: true }
    case "subscription.uncanceled":
      return { ...shown, cancelAtPeriodEnd: false }
    case "subscription.past_due":
      return { ...shown, status: "past_due", currentPeriodEnd: shown.currentPeriodEnd + 30 * day }
    case "subscription.active":
      return { ...shown, status: "active" }
    case "subscription.revoked":
      return { ...shown, status: "canceled" }
    default:
      return shown
  }
}

export const storyOf = (userId: string, random: Random): Story => {
  const customerId = random.uuid()
  let at = begin * 1000
  let current: { readonly life: Life; readonly shown: Shown } | undefined
  let customerTold = false

  const tell = (type: Type, told: StoryEvent["told"], data: Json): StoryEvent => {
    const { data: example, ...envelope } = fixtures[type]
    return {
      id: random.uuid(),
      type,
      userId,
      at,
      told,
      body: JSON.stringify({ ...envelope, timestamp: iso(at), data: { ...example, ...data } })
    }
  }

  return {
    userId,
    customerId,
    next: () => {
      at += 1 + random.int(3_600_000_000)
      if (!customerTold) {
        customerTold = true
        return tell("customer.created", null, { id: customerId, external_id: userId })
      }
      let type: Type = "subscription.created"
      if (current === undefined) {
        const life = { id: random.uuid(), userId, customerId }
        const currentPeriodEnd = Math.floor(at / 1_000_000) * 1000 + 30 * day
        current = {
          life,
          shown: { id: life.id, status: "active", productId: random.uuid(), currentPeriodEnd, cancelAtPeriodEnd: false }
        }
      } else {
        type = random.pick(nextTypes(current.shown))
        current = { life: current.life, shown: after(type, current.shown) }
      }
      const { life, shown } = current
      const ended = type === "subscription.revoked"
      if (ended) current = undefined
      const customer = fixtures[type].data["customer"]
      return tell(
        type,
        { life, shown },
        {
          id: life.id,
          customer_id: customerId,
          customer: { ...(typeof customer === "object" ? customer : {}), id: customerId, external_id: userId },
          product_id: shown.productId,
          status: shown.status,
          modified_at: iso(at),
          current_period_end: new Date(shown.currentPeriodEnd).toISOString(),
          cancel_at_period_end: shown.cancelAtPeriodEnd,
          past_due_at: shown.status === "past_due" ? iso(at) : null,
          ended_at: ended ? iso(at) : null
        }
      )
    }
  }
}

/** ISO 8601 with microseconds, as Polar writes it. */
const iso = (micros: number): string =>
  `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1)}${String(micros % 1000).padStart(3, "0")}Z`

/** What the user's row in the app's own table has to show. */
export interface Projection {
  readonly customerId: string
  readonly subscriptionId: string | null
  readonly status: string | null
  readonly productId: string | null
  readonly currentPeriodEnd: number | null
  readonly cancelAtPeriodEnd: boolean
}

/** A user has at most one subscription that is not over: what was told last of it, or that all are over. */
export const projectionOf = (customerId: string, newest: Iterable<Shown>): Projection => {
  let anything = false
  for (const shown of newest) {
    anything = true
    if (shown.status === "canceled") continue
    const { currentPeriodEnd, cancelAtPeriodEnd, id, productId, status } = shown
    return { customerId, subscriptionId: id, status, productId, currentPeriodEnd, cancelAtPeriodEnd }
  }
  return {
    customerId,
    subscriptionId: null,
    status: anything ? "canceled" : null,
    productId: null,
    currentPeriodEnd: null,
    cancelAtPeriodEnd: false
  }
}

export const sameShown = (a: Shown, b: Shown): boolean => JSON.stringify(shownKey(a)) === JSON.stringify(shownKey(b))

const shownKey = (shown: Shown) => [
  shown.id,
  shown.status,
  shown.productId,
  shown.currentPeriodEnd,
  shown.cancelAtPeriodEnd
]

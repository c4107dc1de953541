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
  /** Whether the clock ends what it gives, within seconds. */
  readonly byClock: boolean
}

/** A subscription, as an event tells of it. */
export interface LifeTold {
  readonly life: Life
  readonly shown: Shown
  /** When the clock ends what it gives, unless something else is told before: milliseconds since 1970. `null`: not while a proof runs. */
  readonly lapsesAt: number | null
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
  readonly told: LifeTold | null
}

export interface Story {
  readonly userId: string
  readonly customerId: string
  /** The next event, in the order of Polar. */
  readonly next: () => StoryEvent
  /** What ends a subscription that goes on. */
  readonly end: () => ReadonlyArray<StoryEvent>
  /** A subscription that begins, and that the clock ends at this time: milliseconds since 1970, whole seconds. */
  readonly lapse: (at: number) => ReadonlyArray<StoryEvent>
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

/** Long after the proof runs: servers go by the clock, and a scheduled end that has passed is an end. */
const begin = Date.parse("2036-12-01T00:00:00.000Z")
const day = 86_400_000

/** After a scheduled end, and for who is overdue, in the policy that holds unless another is given. */
const toleranceMillis = 3_600_000
const graceMillis = 7 * day

/** Most of what a subscription can come to from here; `subscription.updated` then changes nothing that can be seen. */
const nextTypes = ({ cancelAtPeriodEnd, status }: Shown): readonly [Type, ...ReadonlyArray<Type>] => {
  if (status === "trialing") return ["subscription.cycled", "subscription.updated", "subscription.revoked"]
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
      return { ...shown, status: "active", currentPeriodEnd: shown.currentPeriodEnd + 30 * day }
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

/** The same, where the clock is to end within seconds what may end. */
const afterByClock = (type: Type, shown: Shown, lapsesAt: number, periodEnd: number): Shown => {
  const next = after(type, shown)
  if (type === "subscription.created" || type === "subscription.canceled") {
    return { ...next, currentPeriodEnd: lapsesAt - toleranceMillis }
  }
  return type === "subscription.cycled" || type === "subscription.past_due"
    ? { ...next, currentPeriodEnd: periodEnd }
    : next
}

export interface StoryOptions {
  /**
   * Trials, scheduled ends and grace end while the proof runs: seconds after they are told of, though an event may still say
   * otherwise. Default: long after it.
   */
  readonly byClock?: boolean
}

export const storyOf = (userId: string, random: Random, { byClock = false }: StoryOptions = {}): Story => {
  const customerId = random.uuid()
  let at = begin * 1000
  let current: (LifeTold & { readonly pastDueAt: number | null }) | undefined
  let customerTold = false

  const tell = (type: Type, told: StoryEvent["told"], data: Json): StoryEvent => {
    const { data: example, ...envelope } = fixtures[type]
    return {
      id: random.uuid(),
      type,
      userId,
      at,
      told,
      // Each subscription is from a checkout of its own.
      body: JSON.stringify({
        ...envelope,
        timestamp: iso(at),
        data: { ...example, ...("checkout_id" in example ? { checkout_id: data["id"] } : {}), ...data }
      })
    }
  }

  const longAfter = (): number => Math.floor(at / 1_000_000) * 1000 + 30 * day
  // Plain SQL readers see whole seconds.
  const soon = (): number => Math.ceil((Date.now() + 100 + random.int(2000)) / 1000) * 1000

  /** `lapsesAt`: when the clock ends what may end; `null` where that is long after the proof. */
  const become = (type: Type, lapsesAt: number | null, isTrial: boolean): NonNullable<typeof current> => {
    if (current === undefined) {
      const life = { id: random.uuid(), userId, customerId, byClock }
      const ends = isTrial ? lapsesAt : null
      const currentPeriodEnd = ends === null ? longAfter() : ends - toleranceMillis
      const status = ends === null ? "active" : "trialing"
      const shown = { id: life.id, status, productId: random.uuid(), currentPeriodEnd, cancelAtPeriodEnd: false }
      return { life, shown, lapsesAt: ends, pastDueAt: null }
    }
    const { life, pastDueAt } = current
    if (lapsesAt === null) {
      const shown = after(type, current.shown)
      return { life, shown, lapsesAt, pastDueAt: shown.status === "past_due" ? at / 1000 : null }
    }
    const shown = afterByClock(type, current.shown, lapsesAt, longAfter())
    switch (type) {
      case "subscription.updated":
        return { ...current, shown }
      case "subscription.canceled":
        return { life, shown, lapsesAt, pastDueAt }
      case "subscription.past_due":
        return { life, shown, lapsesAt, pastDueAt: lapsesAt - graceMillis }
      default:
        return { life, shown, lapsesAt: null, pastDueAt: null }
    }
  }

  const happen = (type: Type, lapsesAt: number | null, isTrial = false): StoryEvent => {
    at += 1 + random.int(3_600_000_000)
    current = become(type, lapsesAt, isTrial)
    const { life, pastDueAt, shown } = current
    const ended = type === "subscription.revoked"
    const told = { life, shown, lapsesAt: current.lapsesAt }
    if (ended) current = undefined
    const customer = fixtures[type].data["customer"]
    const trialEnd = shown.status === "trialing" ? new Date(shown.currentPeriodEnd).toISOString() : null
    return tell(type, told, {
      id: life.id,
      customer_id: customerId,
      customer: { ...(typeof customer === "object" ? customer : {}), id: customerId, external_id: userId },
      product_id: shown.productId,
      status: shown.status,
      modified_at: iso(at),
      current_period_end: new Date(shown.currentPeriodEnd).toISOString(),
      trial_end: trialEnd,
      cancel_at_period_end: shown.cancelAtPeriodEnd,
      ends_at: ended ? iso(at) : shown.cancelAtPeriodEnd ? new Date(shown.currentPeriodEnd).toISOString() : null,
      past_due_at: shown.status === "past_due" && pastDueAt !== null ? iso(Math.floor(pastDueAt * 1000)) : null,
      ended_at: ended ? iso(at) : null
    })
  }

  return {
    userId,
    customerId,
    next: () => {
      if (!customerTold) {
        at += 1 + random.int(3_600_000_000)
        customerTold = true
        return tell("customer.created", null, { id: customerId, external_id: userId })
      }
      const type: Type = current === undefined ? "subscription.created" : random.pick(nextTypes(current.shown))
      return happen(type, byClock ? soon() : null, byClock && random.chance(0.5))
    },
    end: () => (current === undefined ? [] : [happen("subscription.revoked", null)]),
    lapse: (lapsesAt) => {
      const type = random.pick(["subscription.created", "subscription.canceled", "subscription.past_due"] as const)
      return type === "subscription.created"
        ? [happen(type, lapsesAt, true)]
        : [happen("subscription.created", lapsesAt), happen(type, lapsesAt)]
    }
  }
}

/** What the app knows of it once its time has passed. Who is overdue stays so. */
export const asOf = ({ lapsesAt, shown }: Omit<LifeTold, "life">, now: number): Shown =>
  lapsesAt === null || now < lapsesAt || shown.status === "past_due" ? shown : { ...shown, status: "canceled" }

export type Entitlement = "granted" | "grace" | "denied"

/** What a subscription that this was told of last gives. */
export const entitlementOf = ({ lapsesAt, shown }: Omit<LifeTold, "life">, now: number): Entitlement => {
  if (shown.status === "canceled" || (lapsesAt !== null && now >= lapsesAt)) return "denied"
  return shown.status === "past_due" ? "grace" : "granted"
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

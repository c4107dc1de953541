/**
 * What can happen to what is sold and what it gives: products, benefits and grants, and which events tell of it (Polar's
 * server: product/service, benefit/service, benefit/grant/service).
 */
import { day, iso, type Json } from "./lifecycle.ts"
import type { ToldOfRecord } from "./purchases.ts"
import type { Random } from "./seeded.ts"

/** A product or a benefit, in the states in which Polar tells of it. */
export interface Offered {
  readonly id: string
  /** By which the app asks for it. */
  readonly key: string
  readonly events: ReadonlyArray<ToldOfRecord>
  /** As Polar writes it into what else it sends at this time. */
  readonly asOf: (at: number) => Json
}

/** Made before it is sold, changed now and then, and perhaps taken away: which Polar tells as another change. */
const tellOffered = (
  random: Random,
  {
    at: startsAt,
    fixture,
    kind,
    takenAway
  }: {
    readonly kind: "product" | "benefit"
    readonly at: number
    readonly fixture: Json
    readonly takenAway: Json
  }
): Offered => {
  const id = random.uuid()
  const key = `${kind}-${id.slice(0, 8)}`
  const createdAt = startsAt - 1 - random.int(day)
  const events: Array<ToldOfRecord> = []
  let at = createdAt
  const changes = random.int(4)
  for (let change = 0; change <= changes; change++) {
    if (change > 0) at += 1 + random.int(random.chance(0.3) ? 5 : 20 * day)
    const data = {
      ...fixture,
      id,
      created_at: iso(createdAt),
      modified_at: change === 0 ? null : iso(at),
      metadata: { key, limit: random.int(100) },
      ...(change === changes && change > 0 && random.chance(0.2) ? takenAway : {})
    }
    events.push({ type: `${kind}.${change === 0 ? "created" : "updated"}`, at, data, record: { kind, id } })
  }
  return { id, key, events, asOf: (when) => events.findLast((event) => event.at <= when)?.data ?? {} }
}

export const tellProduct = (random: Random, at: number, fixture: Json): Offered =>
  tellOffered(random, { kind: "product", at, fixture, takenAway: { is_archived: true } })

export const tellBenefit = (random: Random, at: number, fixture: Json): Offered =>
  tellOffered(random, { kind: "benefit", at, fixture, takenAway: { is_deleted: true } })

export interface Giving {
  readonly at: number
  readonly fixture: Json
  readonly benefit: Offered
  readonly customerId: string
  readonly customer: (at: number) => Json
  readonly subscriptionId: string | null
  readonly orderId: string | null
}

type GrantState = "waiting" | "granted" | "revoked"
type Next = readonly [state: GrantState, event: string]

/**
 * What follows each state. One that waits for the customer is granted later, or never; what was taken away comes back under the
 * same id; and a renewal tells of what is granted once more.
 */
const nextStates: Readonly<Record<GrantState, readonly [Next, ...ReadonlyArray<Next>]>> = {
  waiting: [
    ["granted", "updated"],
    ["granted", "updated"],
    ["revoked", "revoked"]
  ],
  granted: [
    ["granted", "cycled"],
    ["granted", "updated"],
    ["revoked", "revoked"],
    ["revoked", "revoked"]
  ],
  revoked: [
    ["granted", "created"],
    ["granted", "created"],
    ["waiting", "created"]
  ]
}

/** A grant of what a subscription or an order gives. */
export const tellGrant = (
  random: Random,
  { at: startsAt, benefit, customer, customerId, fixture, orderId, subscriptionId }: Giving
): ReadonlyArray<ToldOfRecord> => {
  const told: Array<ToldOfRecord> = []
  const id = random.uuid()
  let at = startsAt + random.int(1_000_000)
  const createdAt = at
  let [state, event]: Next = [random.chance(0.3) ? "waiting" : "granted", "created"]
  let grantedAt: number | null = null
  const turns = 1 + random.int(5)
  for (let turn = 0; turn < turns; turn++) {
    if (turn > 0) {
      at += 1 + random.int(random.chance(0.3) ? 5 : 10 * day)
      ;[state, event] = random.pick(nextStates[state])
    }
    grantedAt = state === "granted" ? (event === "cycled" ? grantedAt : at) : null
    const data = {
      ...fixture,
      id,
      customer_id: customerId,
      customer: customer(at),
      subscription_id: subscriptionId,
      order_id: orderId,
      benefit_id: benefit.id,
      benefit: benefit.asOf(at),
      created_at: iso(createdAt),
      modified_at: turn === 0 ? null : iso(at),
      is_granted: state === "granted",
      is_revoked: state === "revoked",
      granted_at: grantedAt === null ? null : iso(grantedAt),
      revoked_at: state === "revoked" ? iso(at) : null,
      error:
        state === "waiting"
          ? { type: "BenefitActionRequiredError", message: "Connect an account", timestamp: iso(at) }
          : null
    }
    told.push({ type: `benefit_grant.${event}`, at, data, record: { kind: "benefit_grant", id } })
  }
  return told
}

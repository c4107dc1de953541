/**
 * What can happen to what a team buys with, and what it buys: discounts, the members of a customer and the seats that they are
 * given, and which events tell of it (Polar's server: discount/service, member/service, customer_seat/service).
 */
import { day, iso, type Json } from "./lifecycle.ts"
import type { ToldOfRecord } from "./purchases.ts"
import type { Random } from "./seeded.ts"

type Kind = "discount" | "member" | "customer_seat"

/** Tells of one of these, one change after the other, never two at the same time. */
const teller = (random: Random, kind: Kind, startsAt: number, fixture: Json) => {
  const id = random.uuid()
  const told: Array<ToldOfRecord> = []
  let at = startsAt
  return {
    told,
    tell: (event: string, change: (at: number) => Json) => {
      if (told.length > 0) at += 1 + random.int(random.chance(0.3) ? 5 : 15 * day)
      const times = { created_at: iso(startsAt), modified_at: told.length === 0 ? null : iso(at) }
      const data = { ...fixture, ...told.at(-1)?.data, id, ...times, ...change(at) }
      told.push({ type: `${kind}.${event}`, at, data, record: { kind, id } })
    }
  }
}

/** Made, changed now and then, and perhaps deleted. */
export const tellDiscount = (random: Random, at: number, fixture: Json): ReadonlyArray<ToldOfRecord> => {
  const { tell, told } = teller(random, "discount", at, fixture)
  tell("created", () => ({ basis_points: 1000 }))
  const changes = random.int(3)
  for (let change = 0; change < changes; change++) tell("updated", () => ({ basis_points: random.int(10_000) }))
  if (random.chance(0.3)) tell("deleted", () => ({}))
  return told
}

export const tellMember = (
  random: Random,
  { at, customerId, fixture }: { readonly at: number; readonly customerId: string; readonly fixture: Json }
): ReadonlyArray<ToldOfRecord> => {
  const { tell, told } = teller(random, "member", at, fixture)
  tell("created", () => ({ customer_id: customerId, name: "Hugo Brandt", role: "member" }))
  const changes = random.int(3)
  for (let change = 0; change < changes; change++) {
    tell("updated", () => ({ role: random.pick(["member", "billing_manager", "owner"]) }))
  }
  if (random.chance(0.3)) tell("deleted", () => ({}))
  return told
}

export interface Seating {
  readonly at: number
  readonly customerId: string
  readonly subscriptionId: string
  readonly fixture: Json
}

/** Offered, taken, and taken away: then the next member is offered it under the same id. */
export const tellSeat = (
  random: Random,
  { at, customerId, fixture, subscriptionId }: Seating
): ReadonlyArray<ToldOfRecord> => {
  const { tell, told } = teller(random, "customer_seat", at, fixture)
  const hangsOn = { customer_id: customerId, subscription_id: subscriptionId, order_id: null }
  const people = 1 + random.int(3)
  for (let person = 0; person < people; person++) {
    const memberId = random.uuid()
    const member = { id: memberId, customer_id: customerId, email: "hugo@globex-mail.dev", name: "Hugo Brandt" }
    const given = { ...hangsOn, member_id: memberId, member, email: member.email, claimed_at: null, revoked_at: null }
    tell("assigned", () => ({ ...given, status: "pending" }))
    if (random.chance(0.7)) tell("claimed", (now) => ({ status: "claimed", claimed_at: iso(now) }))
    if (person < people - 1 || random.chance(0.3)) {
      tell("revoked", (now) => ({ status: "revoked", revoked_at: iso(now) }))
    }
  }
  return told
}

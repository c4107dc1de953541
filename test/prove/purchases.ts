/**
 * What can happen to one order at Polar and to the money of it, and which events tell of it (Polar's server: order/service,
 * refund/service).
 */
import { day, iso, type Json, type Told } from "./lifecycle.ts"
import type { Random } from "./seeded.ts"

export interface ToldOfRecord extends Told {
  readonly record: {
    readonly kind:
      | "subscription"
      | "order"
      | "refund"
      | "benefit_grant"
      | "benefit"
      | "product"
      | "discount"
      | "member"
      | "customer_seat"
    readonly id: string
  }
}

export interface Sale {
  readonly orderId: string
  /** In microseconds since 1970. */
  readonly at: number
  /** What Polar says of the order, apart from what changes, at this time. */
  readonly order: (at: number) => Json
  /** What it says of a refund of it. */
  readonly refund: Json
}

const net = 1900
const tax = 380

interface OrderState {
  readonly status: string
  readonly refunded_amount: number
}

/** Plays what happens to an order: paid at once, later or never; given back in parts or wholly, and not after all. */
export const tellSale = (
  random: Random,
  { at: startsAt, order, orderId, refund }: Sale
): ReadonlyArray<ToldOfRecord> => {
  const told: Array<ToldOfRecord> = []
  let at = startsAt
  let tie = false
  const pass = () => {
    tie = random.chance(0.2)
    if (!tie) at += random.chance(0.2) ? 1 + random.int(3) : 1 + random.int(5 * day)
  }

  let state: OrderState = { status: random.pick(["paid", "paid", "pending", "pending", "draft"]), refunded_amount: 0 }
  let modified: number | null = null
  let isSameTime = false
  const tell = (types: ReadonlyArray<string>) => {
    const data = {
      ...order(at),
      id: orderId,
      status: state.status,
      paid: state.status !== "pending" && state.status !== "draft" && state.status !== "void",
      net_amount: net,
      tax_amount: tax,
      refunded_amount: state.refunded_amount,
      refunded_tax_amount: Math.round((state.refunded_amount / net) * tax),
      created_at: iso(startsAt),
      modified_at: modified === null ? null : iso(modified)
    }
    for (const [place, type] of types.entries()) {
      if (place > 0 && random.chance(0.7)) at += 1 + random.int(3000)
      told.push({ type: `order.${type}`, at, data, record: { kind: "order", id: orderId } })
    }
  }
  const become = (next: OrderState, types: ReadonlyArray<string>) => {
    // Two states at one microsecond have to differ in something that Polar tells them apart by: here in the status alone.
    isSameTime = tie && !isSameTime && next.status !== state.status && random.chance(0.5)
    if (!isSameTime) modified = Math.max(at, modified ?? startsAt) + 1000
    state = next
    tell(types)
  }

  tell(state.status === "paid" ? ["created", "updated", "paid"] : ["created"])
  if (state.status !== "paid") {
    if (random.chance(0.15)) return told
    pass()
    if (random.chance(0.15)) {
      become({ ...state, status: "void" }, ["updated"])
      return told
    }
    become({ ...state, status: "paid" }, ["updated", "paid"])
  }

  const refunds = random.pick([0, 0, 0, 1, 2])
  for (let number = 0; number < refunds && state.refunded_amount < net; number++) {
    const id = random.uuid()
    const left = net - state.refunded_amount
    const amount = random.chance(0.5) ? left : 1 + random.int(left)
    pass()
    const madeAt = at
    let changed: number | null = null
    const tellRefund = (type: string, status: string) => {
      if (type === "updated" && !(tie && random.chance(0.5))) changed = Math.max(at, changed ?? madeAt) + 1000
      const data = {
        ...refund,
        id,
        order_id: orderId,
        status,
        amount,
        created_at: iso(madeAt),
        modified_at: changed === null ? null : iso(changed)
      }
      told.push({ type: `refund.${type}`, at, data, record: { kind: "refund", id } })
    }
    const isPending = random.chance(0.3)
    tellRefund("created", isPending ? "pending" : "succeeded")
    if (isPending) {
      pass()
      const outcome = random.pick(["succeeded", "succeeded", "failed", "canceled"])
      tellRefund("updated", outcome)
      if (outcome !== "succeeded") continue
    }
    become(stateAfter(state.refunded_amount + amount), ["updated", "refunded"])
    if (random.chance(0.3)) {
      pass()
      tellRefund("updated", "failed")
      become(stateAfter(state.refunded_amount - amount), ["updated"])
    }
  }
  return told
}

const stateAfter = (refunded: number): OrderState => ({
  status: refunded === 0 ? "paid" : refunded < net ? "partially_refunded" : "refunded",
  refunded_amount: refunded
})

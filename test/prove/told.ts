/** What each of the app's handlers was told of histories, and how that differs from what it must be. */
import { isDeepStrictEqual } from "node:util"
import type { HandlerNames } from "../../packages/core/src/rules/handlers.ts"
import type { ClaimedNotification } from "../../packages/core/src/rules/told.ts"
import type { History } from "./history.ts"
import type { Expected, Shown } from "./model.ts"
import type { Entitlement, Refunded } from "./toldModel.ts"

/** All that there are; of events the one that hears of every type. */
export const everyHandler: HandlerNames = new Set([
  "onSubscriptionChange",
  "onAccessChange",
  "onBenefitChange",
  "onPurchase",
  "onRefund",
  "*"
])

interface Flip {
  readonly before: Entitlement
  readonly after: Entitlement
}

/** Each in the order in which it was told. */
export interface Told {
  /** By subscription. */
  readonly subscriptions: Map<string, Array<Shown>>
  /** By user. */
  readonly flips: Map<string, Array<Flip>>
  /** By user and benefit: whether it was granted or revoked. */
  readonly benefits: Map<string, Array<boolean>>
  /** By order: to whom. */
  readonly purchases: Map<string, Array<string>>
  /** By order. */
  readonly refunds: Map<string, Array<Refunded>>
  /** By delivery: when among all that was told, and of what type. */
  readonly events: Map<string, Array<{ readonly place: number; readonly type: string }>>
  /** How often each notification was told. */
  readonly ids: Map<string, number>
}

export const nothingTold = (): Told => ({
  subscriptions: new Map(),
  flips: new Map(),
  benefits: new Map(),
  purchases: new Map(),
  refunds: new Map(),
  events: new Map(),
  ids: new Map()
})

const add = <A>(to: Map<string, Array<A>>, key: string, one: A) => {
  const known = to.get(key)
  if (known === undefined) to.set(key, [one])
  else known.push(one)
}

export const tell = (all: Told, { id, told, userId }: ClaimedNotification): void => {
  all.ids.set(id, (all.ids.get(id) ?? 0) + 1)
  switch (told._tag) {
    case "SubscriptionChange": {
      // What is told beside them, such as the amount, is no change by itself.
      const { cancelAtPeriodEnd, currentPeriodEnd, id: subscriptionId, productId, status } = told.subscription
      add(all.subscriptions, subscriptionId, {
        id: subscriptionId,
        status,
        productId,
        currentPeriodEnd: currentPeriodEnd?.getTime() ?? null,
        cancelAtPeriodEnd
      })
      break
    }
    case "AccessChange": {
      const { after, before } = told.change
      add(all.flips, String(userId), { before: before.entitlement, after: after.entitlement })
      break
    }
    case "BenefitChange":
      add(all.benefits, benefitKey(String(userId), told.benefit.benefitId), told.isGranted)
      break
    case "Purchase":
      add(all.purchases, told.order.id, String(userId))
      break
    case "Refund":
      add(all.refunds, told.refund.order.id, { amount: told.refund.amount, total: told.refund.total })
      break
    case "Event":
      add(all.events, told.deliveryId, { place: all.ids.size, type: told.event.type })
      break
  }
}

const benefitKey = (userId: string, benefitId: string): string => `${userId} ${benefitId}`

/** Differences as short sentences; none when all is as it must be. */
export const toldDifferences = (
  way: "in order" | "shuffled",
  { events, identity, user }: History,
  expected: Expected,
  told: Told
): ReadonlyArray<string> => {
  const found: Array<string> = []
  const compare = (what: string, is: unknown, mustBe: unknown) => {
    if (isDeepStrictEqual(is, mustBe)) return
    found.push(`${way}, ${what} ${JSON.stringify(is) ?? "nothing"} in place of ${JSON.stringify(mustBe) ?? "nothing"}`)
  }
  // Of whoever is found in the middle it is not known what was news to them.
  const isCounted = way === "in order" && identity !== "external_id later"

  for (const [id, shown] of expected.told) {
    compare(`what was told last of ${id}`, told.subscriptions.get(id)?.at(-1), shown)
    const calls = expected.calls?.get(id)
    if (isCounted && calls !== undefined) {
      compare(`the number of times that ${id} was told of`, told.subscriptions.get(id)?.length, calls)
    }
  }

  const flips = told.flips.get(user.id) ?? []
  const isLinked = flips.every(
    ({ after, before }, place) => before !== after && before === (flips[place - 1]?.after ?? "denied")
  )
  if (!isLinked) found.push(`${way}, changes of access do not follow each other: ${JSON.stringify(flips)}`)
  compare("the access that was told last", flips.at(-1)?.after ?? "denied", expected.handlers.access)
  if (isCounted) {
    compare(
      "changes of access",
      flips.map(({ after }) => after),
      expected.handlers.flips
    )
  }

  for (const [benefitId, { changes, isGranted }] of expected.handlers.benefits) {
    const changed = told.benefits.get(benefitKey(user.id, benefitId)) ?? []
    const alternates = changed.every((one, place) => one === (place % 2 === 0))
    if (!alternates) found.push(`${way}, benefit ${benefitId} was granted and revoked as ${JSON.stringify(changed)}`)
    compare(`what was told last of benefit ${benefitId}`, changed.at(-1) ?? false, isGranted)
    if (isCounted) compare(`the number of times that benefit ${benefitId} was told of`, changed.length, changes)
  }

  const wasKnown = isCounted || identity === "external_id"
  for (const [id, { isPaid, refunds, wasPaid, wasRefunded }] of expected.handlers.orders) {
    const purchases = told.purchases.get(id) ?? []
    // What was wholly given back before its user was known is no news to them.
    const isDue = wasPaid && (wasKnown || (isPaid && !wasRefunded))
    if (purchases.length > (wasPaid ? 1 : 0) || (isDue && purchases.length === 0)) {
      found.push(`${way}, order ${id} was told ${purchases.length} times as a purchase`)
    }
    if (purchases.some((userId) => userId !== user.id)) found.push(`${way}, order ${id} was told to somebody else`)
    const refunded = told.refunds.get(id) ?? []
    if (isCounted) compare(`the refunds of order ${id}`, refunded, refunds.made)
    for (const { amount, total } of refunded) {
      if (amount <= 0 || amount > total || !refunds.totals.includes(total)) {
        found.push(`${way}, a refund of order ${id} was told as ${amount} of ${total}`)
      }
    }
    // Where the user was known all along, what stays given back was told.
    const last = refunded.at(-1)?.total ?? 0
    if (wasKnown && last < refunds.left) {
      found.push(`${way}, of order ${id} ${last} was told as refunded in place of ${refunds.left}`)
    }
  }

  const places = new Map<string, Array<{ readonly at: number; readonly place: number }>>()
  for (const { at, delivery, record, type } of events) {
    const heard = told.events.get(delivery.id) ?? []
    compare(
      `the event ${delivery.id} was told as`,
      heard.map((one) => one.type),
      [type]
    )
    const [first] = heard
    if (record !== null && first !== undefined) add(places, `${record.kind} ${record.id}`, { at, place: first.place })
  }
  if (way === "in order") {
    for (const [record, list] of places) {
      const byPlace = [...list].sort((a, b) => a.place - b.place)
      if (byPlace.some(({ at }, place) => at < (byPlace[place - 1]?.at ?? 0))) {
        found.push(`${way}, events of ${record} were not told in their order`)
      }
    }
  }
  return found
}

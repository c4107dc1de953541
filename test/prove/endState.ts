/** Compares what a store holds after a history with what must be so. */
import { isDeepStrictEqual } from "node:util"
import * as AccessPolicy from "@kavach-polar/core/AccessPolicy"
import { Subscription } from "@kavach-polar/core/Subscription"
import { plainOrder, plainRefund } from "@kavach-polar/core/testing/plainRecords"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { orderKind } from "../../packages/core/src/records/Order.ts"
import { refundKind } from "../../packages/core/src/records/Refund.ts"
import type { Cluster } from "./Cluster.ts"
import type { History } from "./history.ts"
import type { Expected, Shown } from "./model.ts"

/** What the app was told of each subscription, in order. */
export type Told = Map<string, Array<Shown>>

const encode = Schema.encodeSync(Subscription)

/** Differences as short sentences; none when all is as it must be. */
export const differences = (
  way: "in order" | "shuffled",
  cluster: Cluster,
  history: History,
  expected: Expected,
  told: Told
): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.gen(function* () {
    const store = cluster.stores[history.index % cluster.stores.length] ?? cluster.stores[0]
    const found: Array<string> = []
    const compare = (what: string, is: unknown, mustBe: unknown) => {
      if (!isDeepStrictEqual(is, mustBe)) found.push(`${way}, ${what} ${differing(is, mustBe)}`)
    }

    const stored = yield* store.subscriptionsOf(history.user.id, "all")
    compare(
      "the subscriptions",
      stored.map(({ id }) => id as string).sort(),
      [...expected.last.subscription.keys()].sort()
    )
    for (const subscription of stored) {
      const { content } = expected.last.subscription.get(subscription.id)?.delivery ?? {}
      if (content?._tag !== "RecordEvent") continue
      compare(`subscription ${subscription.id}`, encode(subscription), JSON.parse(content.report.data))
      compare(`what is shown of ${subscription.id}`, shownOf(subscription), expected.shown.get(subscription.id))
    }

    for (const [kind, plain] of [
      [orderKind, plainOrder],
      [refundKind, plainRefund]
    ] as const) {
      const last = expected.last[kind.name === "order" ? "order" : "refund"]
      const own: ReadonlyArray<{ readonly id: string }> = yield* store.recordsOf<{ readonly id: string }>(
        kind,
        history.user.id
      )
      compare(`the ${kind.name}s`, own.map(({ id }) => id).sort(), [...last.keys()].sort())
      for (const record of own) {
        const event = last.get(record.id)
        if (event !== undefined) compare(`${kind.name} ${record.id}`, { ...record }, plain(event.data))
      }
    }

    const live = yield* store.subscriptionsOf(history.user.id, "live")
    const current = AccessPolicy.current(AccessPolicy.defaultPolicy, live)
    compare("the current subscription", current && shownOf(current), expected.current)

    const customerId = yield* store.customerOf(history.user.id)
    compare("the linked customer", Option.getOrNull(customerId), expected.linked ? history.customerId : null)

    compare("the projection", yield* cluster.projection(history.user.id), projectionOf(history, expected))

    for (const [id, shown] of expected.shown) {
      compare(`what was told last of ${id}`, told.get(id)?.at(-1), shown)
      const calls = expected.calls?.get(id)
      if (way === "in order" && calls !== undefined) {
        compare(`the number of times that ${id} was told of`, told.get(id)?.length, calls)
      }
    }

    const inbox = new Map(
      (yield* store.deliveries({ ids: history.events.map(({ delivery }) => delivery.id), limit: 1000 })).map(
        (delivery) => [delivery.id, delivery] as const
      )
    )
    for (const { delivery, type } of history.events) {
      const row = inbox.get(delivery.id)
      if (row === undefined) {
        found.push(`${way}, delivery ${delivery.id} (${type}) is not in the inbox`)
        continue
      }
      const known = statesOf(type, expected)
      if (!known.includes(row.state)) found.push(`${way}, delivery ${delivery.id} (${type}) is ${row.state}`)
      compare(`delivery ${delivery.id}`, [row.type, row.eventAt, row.body], [type, delivery.content.at, delivery.body])
    }
    return found
  })

/** What a delivery can be recorded as. A user who is known by metadata alone owns the records, not the customer; so does one by a checkout. */
const statesOf = (type: string, { linked }: Expected): ReadonlyArray<string> => {
  if (/^(subscription|order|refund)\./.test(type)) return ["applied", "stale"]
  if (type.startsWith("customer.")) return [linked ? "applied" : "unlinked"]
  return ["ignored"]
}

const shownOf = (subscription: Subscription): Shown => ({
  id: subscription.id,
  status: subscription.status,
  productId: subscription.productId,
  currentPeriodEnd: subscription.currentPeriodEnd?.getTime() ?? null,
  cancelAtPeriodEnd: subscription.cancelAtPeriodEnd
})

const projectionOf = ({ customerId, hasRow }: History, { current, linked, overStatus }: Expected) =>
  hasRow
    ? {
        customerId: linked ? customerId : null,
        subscriptionId: current?.id ?? null,
        status: current?.status ?? overStatus,
        productId: current?.productId ?? null,
        currentPeriodEnd:
          current === undefined || current.currentPeriodEnd === null
            ? null
            : Math.floor(current.currentPeriodEnd / 1000) * 1000,
        cancelAtPeriodEnd: current?.cancelAtPeriodEnd ?? false
      }
    : undefined

/** The fields that differ, where both sides have fields; else both sides. */
const differing = (is: unknown, mustBe: unknown): string => {
  if (isRecord(is) && isRecord(mustBe)) {
    const keys = [...new Set([...Object.keys(is), ...Object.keys(mustBe)])]
    return keys
      .filter((key) => !isDeepStrictEqual(is[key], mustBe[key]))
      .map((key) => `has ${key} ${JSON.stringify(is[key])} in place of ${JSON.stringify(mustBe[key])}`)
      .join(" and ")
  }
  return `is ${JSON.stringify(is) ?? "nothing"} in place of ${JSON.stringify(mustBe) ?? "nothing"}`.slice(0, 600)
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

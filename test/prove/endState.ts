/** Compares what a store holds after a history with what must be so. */
import { isDeepStrictEqual } from "node:util"
import * as AccessPolicy from "@kavach-polar/core/AccessPolicy"
import { Subscription } from "@kavach-polar/core/Subscription"
import { plainOrder, plainRefund } from "@kavach-polar/core/testing/plainRecords"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { benefitKind } from "../../packages/core/src/records/Benefit.ts"
import { benefitGrantKind } from "../../packages/core/src/records/BenefitGrant.ts"
import { customerSeatKind } from "../../packages/core/src/records/CustomerSeat.ts"
import { discountKind } from "../../packages/core/src/records/Discount.ts"
import { memberKind } from "../../packages/core/src/records/Member.ts"
import { isPurchase, orderKind } from "../../packages/core/src/records/Order.ts"
import { productKind } from "../../packages/core/src/records/Product.ts"
import { refundKind } from "../../packages/core/src/records/Refund.ts"
import { benefitOf, grantedBenefits } from "../../packages/core/src/rules/grantedBenefits.ts"
import type { Cluster } from "./Cluster.ts"
import type { History } from "./history.ts"
import type { Json } from "./lifecycle.ts"
import type { Expected, Shown } from "./model.ts"
import { type Told, toldDifferences } from "./told.ts"

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

    const grants = yield* store.recordsOf(benefitGrantKind, history.user.id)
    compare("the grants", grants.map(({ id }) => id).sort(), [...expected.last.benefit_grant.keys()].sort())
    for (const { customerId, grantedAt, id, isGranted, isRevoked, orderId, revokedAt, subscriptionId } of grants) {
      const event = expected.last.benefit_grant.get(id)
      if (event !== undefined) {
        compare(
          `grant ${id}`,
          { customerId, grantedAt, isGranted, isRevoked, orderId, revokedAt, subscriptionId },
          plainGrant(event.data)
        )
      }
    }

    // What belongs to the merchant is nobody's, and as the last event of it says.
    for (const [kind, last, isTakenAway] of [
      [benefitKind, expected.last.benefit, "is_deleted"],
      [productKind, expected.last.product, "is_archived"]
    ] as const) {
      for (const [id, { data }] of last) {
        const record = Option.getOrNull(yield* store.record<{ readonly metadata: unknown }>(kind, id))
        compare(`the user of ${kind.name} ${id}`, record?.userId, null)
        const takenAway = record === null ? undefined : Reflect.get(record.value, camelCase(isTakenAway))
        compare(`${kind.name} ${id}`, [record?.value.metadata, takenAway], [data["metadata"], data[isTakenAway]])
      }
    }

    for (const [id, event] of expected.last.discount) {
      const { basisPoints, isDeleted } = Option.getOrNull(yield* store.record(discountKind, id))?.value ?? {}
      compare(`discount ${id}`, [basisPoints, isDeleted], [event.data["basis_points"], event.type.endsWith(".deleted")])
    }
    // A team's people and their seats are the user's who has the team.
    const owner = expected.linked ? history.user.id : null
    for (const [id, { data, type }] of expected.last.member) {
      const record = Option.getOrNull(yield* store.record(memberKind, id))
      const isDeleted = type.endsWith(".deleted")
      const { isDeleted: isGone, name, role } = record?.value ?? {}
      compare(`member ${id}`, [name, role, isGone], [isDeleted ? null : data["name"], data["role"], isDeleted])
      compare(`the user of member ${id}`, record?.userId, owner)
    }
    for (const [id, { data }] of expected.last.customer_seat) {
      const record = Option.getOrNull(yield* store.record(customerSeatKind, id))
      const { claimedAt, memberId, revokedAt, status } = record?.value ?? {}
      compare(
        `seat ${id}`,
        { status, memberId, claimedAt, revokedAt },
        {
          status: data["status"],
          memberId: data["status"] === "revoked" ? null : data["member_id"],
          claimedAt: time(data["claimed_at"]),
          revokedAt: time(data["revoked_at"])
        }
      )
      compare(`the user of seat ${id}`, record?.userId, history.user.id)
    }

    const granted = grantedBenefits(yield* store.liveGrantsOf(history.user.id))
    for (const [key, metadata] of expected.benefits) {
      compare(`the answer of benefits.get of ${key}`, benefitOf(granted, key)?.metadata ?? null, metadata)
    }
    for (const [productId, isOwned] of expected.owned) {
      const paid = yield* store.recordsOf(orderKind, history.user.id, { live: true, productId })
      compare(`the answer of orders.owns of ${productId}`, paid.some(isPurchase), isOwned)
    }

    const live = yield* store.subscriptionsOf(history.user.id, "live")
    const current = AccessPolicy.current(AccessPolicy.defaultPolicy, live, new Date(yield* Clock.currentTimeMillis))
    compare("the current subscription", current && shownOf(current), expected.current)

    const customerId = yield* store.customerOf(history.user.id)
    compare("the linked customer", Option.getOrNull(customerId), expected.linked ? history.customerId : null)

    compare("the projection", yield* cluster.projection(history.user.id), projectionOf(history, expected))

    found.push(...toldDifferences(way, history, expected, told))

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
  if (/^(subscription|order|refund|benefit_grant)\./.test(type)) return ["applied", "stale"]
  if (type.startsWith("customer.")) return [linked ? "applied" : "unlinked"]
  // Nobody waits for the user of a checkout.
  return ["applied", "stale"]
}

const camelCase = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

const time = (value: unknown): Date | null => (typeof value === "string" ? new Date(value) : null)

const plainGrant = (data: Json) => ({
  customerId: data["customer_id"],
  grantedAt: time(data["granted_at"]),
  isGranted: data["is_granted"],
  isRevoked: data["is_revoked"],
  orderId: data["order_id"],
  revokedAt: time(data["revoked_at"]),
  subscriptionId: data["subscription_id"]
})

const shownOf = (subscription: Subscription): Shown => ({
  id: subscription.id,
  status: subscription.status,
  productId: subscription.productId,
  currentPeriodEnd: subscription.currentPeriodEnd?.getTime() ?? null,
  cancelAtPeriodEnd: subscription.cancelAtPeriodEnd
})

const projectionOf = ({ customerId, hasRow }: History, { current, currentStatus, linked, overStatus }: Expected) =>
  hasRow
    ? {
        customerId: linked ? customerId : null,
        subscriptionId: current?.id ?? null,
        status: currentStatus ?? overStatus,
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

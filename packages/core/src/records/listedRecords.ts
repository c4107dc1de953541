/**
 * What a customer's state lists, as records of their own kinds: the subscriptions that are `active` or `trialing`, and the
 * grants that are granted. A state says less of them than their own events do: of a subscription not its checkout, its reason of
 * cancellation, or what is scheduled beside a cancellation; of a grant not what it hangs on, or whose of a team's it is (Polar's
 * API reference, objects `CustomerStateSubscription` and `CustomerStateBenefitGrant`).
 */
import * as Either from "effect/Either"
import { benefitGrantKind } from "./BenefitGrant.ts"
import type { Kind } from "./Kind.ts"
import type { RecordReport } from "./RecordReport.ts"
import { subscriptionKind } from "./subscriptionKind.ts"

type Json = Readonly<Record<string, unknown>>

/** Subscriptions first. What cannot be read is left out, as it is of the state. */
export const listedIn = (state: Json): ReadonlyArray<RecordReport> => [
  ...reportsOf(subscriptionKind, itemsOf(state["active_subscriptions"]), (item) => ({
    ...item,
    customer_id: state["id"],
    customer: state
  })).filter(({ status }) => status === "active" || status === "trialing"),
  ...reportsOf(benefitGrantKind, itemsOf(state["granted_benefits"]), (item) => ({
    ...item,
    customer_id: state["id"],
    customer: state,
    is_granted: true,
    is_revoked: false,
    benefit: { id: item["benefit_id"], type: item["benefit_type"], metadata: item["benefit_metadata"] }
  }))
]

/** The kinds' own readers, given what a state says once, of the customer, or by listing it at all. */
const reportsOf = (
  kind: Kind<unknown>,
  items: ReadonlyArray<Json>,
  completed: (item: Json) => Json
): ReadonlyArray<RecordReport> =>
  items.flatMap((item) => Either.match(kind.read(completed(item)), { onLeft: () => [], onRight: (report) => [report] }))

const itemsOf = (list: unknown): ReadonlyArray<Json> => (Array.isArray(list) ? list.filter(isObject) : [])

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

/** What the store keeps as JSON text: how it is written, and how it is read back. */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { jsonDecoderOf } from "../values/decoderOf.ts"
import { DateFromTimestamp } from "../values/Timestamp.ts"
import { informative } from "../values/wire.ts"
import type { RecordFact } from "./rows.ts"
import {
  type ChangedSubscription,
  Subscription,
  SubscriptionId,
  SubscriptionStatus,
  type VisibleSubscription
} from "./Subscription.ts"

/** What the schema encodes it to: it has no transformations but those of dates, which are written as JSON writes them. */
export const encodeSubscription = (subscription: Subscription): string => JSON.stringify(subscription)

const decodeFields = jsonDecoderOf(Schema.Struct(Subscription.fields))

/** `None` for what no version has written. */
export const decodeSubscription = (data: string): Option.Option<Subscription> =>
  Option.map(decodeFields(data), Subscription.ofDecoded)

/** The fields on which access, the projection and the app's callback depend, beside status and product. */
export interface SubscriptionSummary
  extends Pick<Subscription, "cancelAtPeriodEnd" | "currentPeriodEnd" | "endsAt" | "pastDueAt" | "pauseAtPeriodEnd"> {}

/** What goes with a change that the app is told, and makes none. */
export type SubscriptionDetails = Pick<ChangedSubscription, "seats" | "amount" | "currency" | "trialEndsAt">

/** The key in a summary of what decides nothing. */
export const detailsKey = "details"

/** A scheduled pause is only written where there is one: what versions before have written says the same without. */
export const encodeSummary = ({
  amount,
  cancelAtPeriodEnd,
  currency,
  currentPeriodEnd,
  endsAt,
  pastDueAt,
  pauseAtPeriodEnd,
  seats,
  trialEnd
}: Subscription): string =>
  JSON.stringify({
    currentPeriodEnd,
    cancelAtPeriodEnd,
    endsAt,
    pastDueAt,
    ...(pauseAtPeriodEnd ? { pauseAtPeriodEnd } : {}),
    [detailsKey]: { seats, amount, currency, trialEndsAt: trialEnd } satisfies SubscriptionDetails
  })

const Details = {
  seats: informative("seats", Schema.Number),
  amount: informative("amount", Schema.Number),
  currency: informative("currency", Schema.String),
  trialEndsAt: informative("trialEndsAt", DateFromTimestamp)
}

const decodeSummaryDetails = jsonDecoderOf(Schema.Struct({ [detailsKey]: Schema.Struct(Details) }))

/** Nothing of what versions before have written. */
export const decodeDetails = (summary: string): SubscriptionDetails =>
  Option.match(decodeSummaryDetails(summary), {
    onNone: () => ({ seats: null, amount: null, currency: null, trialEndsAt: null }),
    onSome: ({ details }) => details
  })

/** What cannot be read says nothing, and so gives nothing. */
export const decodeSummary = (summary: string): SubscriptionSummary => {
  const stored = parsedOrUndefined(summary)
  const field = (name: string): unknown =>
    typeof stored === "object" && stored !== null ? Reflect.get(stored, name) : undefined
  const date = (name: string): Date | null => {
    const value = field(name)
    const millis = typeof value === "string" ? Date.parse(value) : Number.NaN
    return Number.isNaN(millis) ? null : new Date(millis)
  }
  return {
    currentPeriodEnd: date("currentPeriodEnd"),
    cancelAtPeriodEnd: field("cancelAtPeriodEnd") === true,
    endsAt: date("endsAt"),
    pastDueAt: date("pastDueAt"),
    pauseAtPeriodEnd: field("pauseAtPeriodEnd") === true
  }
}

/** What a notification shows of a subscription that is in this status, in the order in which it is written. */
export const encodePayload = (
  { id, productId, summary }: Pick<RecordFact, "id" | "productId" | "summary">,
  status: string
): string => {
  const { cancelAtPeriodEnd, currentPeriodEnd } = decodeSummary(summary)
  const shown: Omit<VisibleSubscription, "currentPeriodEnd"> & { readonly currentPeriodEnd: string | null } = {
    id,
    status,
    productId: productId ?? "",
    currentPeriodEnd: currentPeriodEnd?.toISOString() ?? null,
    cancelAtPeriodEnd
  }
  return JSON.stringify(shown)
}

/** `None` for what no version has written. */
export const decodePayload: (payload: string) => Option.Option<ChangedSubscription> = jsonDecoderOf(
  Schema.Struct({
    id: SubscriptionId,
    status: SubscriptionStatus,
    productId: Schema.String,
    currentPeriodEnd: Schema.NullOr(DateFromTimestamp),
    cancelAtPeriodEnd: Schema.Boolean,
    // What an earlier version has queued has none of these.
    ...Details,
    access: informative(
      "access",
      Schema.Struct({
        entitlement: Schema.Literal("granted", "grace", "denied"),
        reason: Schema.String,
        until: Schema.NullOr(DateFromTimestamp)
      })
    )
  })
)

const parsedOrUndefined = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

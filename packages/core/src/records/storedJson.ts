/** What the store keeps as JSON text: how it is written, and how it is read back. */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { jsonDecoderOf } from "../values/decoderOf.ts"
import { DateFromTimestamp } from "../values/Timestamp.ts"
import type { RecordFact } from "./rows.ts"
import { Subscription, SubscriptionId, SubscriptionStatus, type VisibleSubscription } from "./Subscription.ts"

/** What the schema encodes it to: it has no transformations but those of dates, which are written as JSON writes them. */
export const encodeSubscription = (subscription: Subscription): string => JSON.stringify(subscription)

const decodeFields = jsonDecoderOf(Schema.Struct(Subscription.fields))

/** `None` for what no version has written. */
export const decodeSubscription = (data: string): Option.Option<Subscription> =>
  Option.map(decodeFields(data), Subscription.ofDecoded)

/** The fields on which access, the projection and the app's callback depend, beside status and product. */
export interface SubscriptionSummary
  extends Pick<Subscription, "cancelAtPeriodEnd" | "currentPeriodEnd" | "endsAt" | "pastDueAt"> {}

export const encodeSummary = ({ cancelAtPeriodEnd, currentPeriodEnd, endsAt, pastDueAt }: Subscription): string =>
  JSON.stringify({ currentPeriodEnd, cancelAtPeriodEnd, endsAt, pastDueAt })

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
    pastDueAt: date("pastDueAt")
  }
}

/** What a notification shows, in the order in which it is written. */
export const encodePayload = ({ id, productId, status, summary }: RecordFact): string => {
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
export const decodePayload: (payload: string) => Option.Option<VisibleSubscription> = jsonDecoderOf(
  Schema.Struct({
    id: SubscriptionId,
    status: SubscriptionStatus,
    productId: Schema.String,
    currentPeriodEnd: Schema.NullOr(DateFromTimestamp),
    cancelAtPeriodEnd: Schema.Boolean
  })
)

const parsedOrUndefined = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** What the store keeps as JSON text: how it is written, and how it is read back. */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { isMetadataValue } from "../values/ids.ts"
import * as PlainObject from "../values/plainObject.ts"
import { DateFromTimestamp } from "../values/Timestamp.ts"
import type { RecordFact } from "./rows.ts"
import { Subscription, SubscriptionId, SubscriptionStatus, type VisibleSubscription } from "./Subscription.ts"

/** What the schema encodes it to: it has no transformations but those of dates, which are written as JSON writes them. */
export const encodeSubscription = (subscription: Subscription): string => JSON.stringify(subscription)

const decodeAnySubscription = Schema.decodeUnknownOption(Schema.parseJson(Subscription))

/** `None` for what no version has written. */
export const decodeSubscription = (data: string): Option.Option<Subscription> => {
  const plain = PlainObject.read(parsedOrUndefined(data), "refused", plainSubscription)
  return plain === undefined ? decodeAnySubscription(data) : Option.some(plain)
}

/** Where everything is plain; that both read the same is tested. */
const plainSubscription = (stored: PlainObject.PlainObject): Subscription =>
  Subscription.ofDecoded({
    id: stored.id("id"),
    status: stored.id("status"),
    productId: stored.id("productId"),
    productName: stored.textOrNull("productName"),
    organizationId: stored.textOrNull("organizationId"),
    customer: stored.object("customer", (customer) => ({
      id: customer.id("id"),
      externalId: customer.textOrNull("externalId"),
      email: customer.textOrNull("email"),
      name: customer.textOrNull("name")
    })),
    amount: stored.numberOrNull("amount"),
    currency: stored.textOrNull("currency"),
    recurringInterval: stored.textOrNull("recurringInterval"),
    recurringIntervalCount: stored.numberOrNull("recurringIntervalCount"),
    seats: stored.numberOrNull("seats"),
    units: stored.numberOrNull("units"),
    discountId: stored.textOrNull("discountId"),
    checkoutId: stored.idOrNull("checkoutId"),
    createdAt: stored.dateOrNull("createdAt"),
    modifiedAt: stored.dateOrNull("modifiedAt"),
    startedAt: stored.dateOrNull("startedAt"),
    currentPeriodStart: stored.dateOrNull("currentPeriodStart"),
    currentPeriodEnd: stored.dateOrNull("currentPeriodEnd"),
    trialStart: stored.dateOrNull("trialStart"),
    trialEnd: stored.dateOrNull("trialEnd"),
    cancelAtPeriodEnd: stored.flag("cancelAtPeriodEnd"),
    canceledAt: stored.dateOrNull("canceledAt"),
    cancellationReason: stored.textOrNull("cancellationReason"),
    cancellationComment: stored.textOrNull("cancellationComment"),
    endsAt: stored.dateOrNull("endsAt"),
    endedAt: stored.dateOrNull("endedAt"),
    pastDueAt: stored.dateOrNull("pastDueAt"),
    pauseAtPeriodEnd: stored.flag("pauseAtPeriodEnd"),
    pausedAt: stored.dateOrNull("pausedAt"),
    resumesAt: stored.dateOrNull("resumesAt"),
    pendingUpdate: stored.objectOrNull("pendingUpdate", (update) => ({
      appliesAt: update.date("appliesAt"),
      productId: update.idOrNull("productId"),
      seats: update.numberOrNull("seats"),
      units: update.numberOrNull("units")
    })),
    metadata: stored.recordOf("metadata", isMetadataValue),
    customFieldData: stored.recordOf("customFieldData")
    // The brands are what was checked.
  } as ConstructorParameters<typeof Subscription>[0])

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

const decodeAnyPayload = Schema.decodeUnknownOption(
  Schema.parseJson(
    Schema.Struct({
      id: SubscriptionId,
      status: SubscriptionStatus,
      productId: Schema.String,
      currentPeriodEnd: Schema.NullOr(DateFromTimestamp),
      cancelAtPeriodEnd: Schema.Boolean
    })
  )
)

/** `None` for what no version has written. */
export const decodePayload = (payload: string): Option.Option<VisibleSubscription> => {
  const plain = PlainObject.read(parsedOrUndefined(payload), "refused", plainPayload)
  return plain === undefined ? decodeAnyPayload(payload) : Option.some(plain)
}

const plainPayload = (payload: PlainObject.PlainObject): VisibleSubscription => ({
  id: payload.id("id"),
  status: payload.id("status"),
  productId: payload.text("productId"),
  currentPeriodEnd: payload.dateOrNull("currentPeriodEnd"),
  cancelAtPeriodEnd: payload.flag("cancelAtPeriodEnd")
})

const parsedOrUndefined = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

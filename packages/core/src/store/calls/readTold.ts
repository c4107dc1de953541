/** What a queued notification tells: what is stored in it, or in the record or the delivery that it names. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { benefitKind } from "../../records/Benefit.ts"
import { benefitGrantKind } from "../../records/BenefitGrant.ts"
import type { Kind } from "../../records/Kind.ts"
import { isPurchase, type Order, orderKind } from "../../records/Order.ts"
import type { ClaimedNotificationRow, DeliveryRow } from "../../records/rows.ts"
import * as StoredJson from "../../records/storedJson.ts"
import type { AccessChange } from "../../rules/accessChange.ts"
import { grantedBenefit } from "../../rules/grantedBenefits.ts"
import type { OrderRefund, Told, ToldEvent } from "../../rules/told.ts"
import { jsonDecoderOf } from "../../values/decoderOf.ts"
import { type DeliveryBodies, isSealed } from "../deliveryBodies.ts"
import type { StoreError } from "../StoreError.ts"
import type { DriverCalls } from "./driverCalls.ts"

const Access = Schema.Struct({
  entitlement: Schema.Literal("granted", "grace", "denied"),
  reason: Schema.String,
  until: Schema.NullOr(Schema.Date)
})

const Cause = Schema.Union(
  Schema.Struct({ by: Schema.Literal("event"), type: Schema.String, deliveryId: Schema.String }),
  Schema.Struct({ by: Schema.Literal("clock", "operator", "reconciliation", "link") })
)

const decodeAccessChange: (payload: string) => Option.Option<AccessChange> = jsonDecoderOf(
  Schema.Struct({ before: Access, after: Access, cause: Cause })
)
const decodeBenefitChange = jsonDecoderOf(
  Schema.Struct({ benefitId: Schema.String, grantId: Schema.String, isGranted: Schema.Boolean })
)
const decodePurchase = jsonDecoderOf(Schema.Struct({ orderId: Schema.String }))
const decodeRefund = jsonDecoderOf(
  Schema.Struct({ orderId: Schema.String, amount: Schema.Number, total: Schema.Number })
)
const decodeEvent = jsonDecoderOf(Schema.Struct({ deliveryId: Schema.String }))
const decodeBody = jsonDecoderOf(Schema.Struct({ data: Schema.Record({ key: Schema.String, value: Schema.Unknown }) }))

const none = Effect.succeed(Option.none())

/** `None` for what no version has written, or of which what it names is stored no longer. */
export const makeReadTold = ({ attempt, driver }: DriverCalls, bodies: DeliveryBodies) => {
  const recordOf = <A>(kind: Kind<A>, id: string): Effect.Effect<Option.Option<A>, StoreError> =>
    Effect.map(
      attempt("record", () => driver.record(kind.name, id)),
      (row) => (row === undefined ? Option.none() : kind.fromStored(row.data))
    )

  const ownsProduct = (userId: string, { productId }: Order): Effect.Effect<boolean, StoreError> =>
    productId === null
      ? Effect.succeed(false)
      : Effect.map(
          attempt("recordsOf", () =>
            driver.recordsOf({ kind: "order", userId, live: true, status: undefined, productId })
          ),
          (rows) => rows.some(({ data }) => Option.exists(orderKind.fromStored(data), isPurchase))
        )

  const orderRefund = (
    userId: string,
    { amount, orderId, total }: { orderId: string; amount: number; total: number }
  ) =>
    Effect.flatMap(
      recordOf(orderKind, orderId),
      Option.match({
        onNone: () => none,
        onSome: (order) =>
          Effect.map(ownsProduct(userId, order), (stillOwned) => {
            const refund: OrderRefund = { order, amount, total, isFull: order.status === "refunded", stillOwned }
            return Option.some<Told>({ _tag: "Refund", refund })
          })
      })
    )

  const benefitChange = ({
    benefitId,
    grantId,
    isGranted
  }: {
    benefitId: string
    grantId: string
    isGranted: boolean
  }) =>
    Effect.zipWith(recordOf(benefitGrantKind, grantId), recordOf(benefitKind, benefitId), (grant, benefit) =>
      Option.map(
        grant,
        (value): Told => ({
          _tag: "BenefitChange",
          isGranted,
          benefit: grantedBenefit({ grant: value, benefit: Option.getOrNull(benefit) })
        })
      )
    )

  // One that cannot be decrypted now is not told without its data: it is read again when its lease ends.
  const opened = (row: DeliveryRow): Effect.Effect<DeliveryRow, StoreError> =>
    row.body === null || !isSealed(row.body)
      ? Effect.succeed(row)
      : Effect.map(bodies.open(row.body, { deliveryId: row.id }), (body) => ({ ...row, body }))

  const event = (deliveryId: string) =>
    Effect.flatMap(
      attempt("deliveries", () =>
        driver.deliveries({
          ids: [deliveryId],
          states: undefined,
          types: undefined,
          receivedBefore: undefined,
          receivedAfter: undefined,
          order: "newest",
          after: undefined,
          limit: 1
        })
      ),
      ([row]) =>
        row === undefined
          ? none
          : Effect.map(opened(row), (read) => Option.some<Told>({ _tag: "Event", deliveryId, event: eventIn(read) }))
    )

  return ({ handler, payload, userId }: ClaimedNotificationRow): Effect.Effect<Option.Option<Told>, StoreError> => {
    switch (handler) {
      case "onSubscriptionChange":
        return Effect.succeed(
          Option.map(StoredJson.decodePayload(payload), (subscription) => ({
            _tag: "SubscriptionChange",
            subscription
          }))
        )
      case "onAccessChange":
        return Effect.succeed(Option.map(decodeAccessChange(payload), (change) => ({ _tag: "AccessChange", change })))
      case "onBenefitChange":
        return Option.match(decodeBenefitChange(payload), { onNone: () => none, onSome: benefitChange })
      case "onPurchase":
        return Option.match(decodePurchase(payload), {
          onNone: () => none,
          onSome: ({ orderId }) =>
            Effect.map(
              recordOf(orderKind, orderId),
              Option.map((order) => ({ _tag: "Purchase", order }))
            )
        })
      case "onRefund":
        return Option.match(decodeRefund(payload), {
          onNone: () => none,
          onSome: (refund) => orderRefund(userId, refund)
        })
      default:
        return Option.match(decodeEvent(payload), { onNone: () => none, onSome: ({ deliveryId }) => event(deliveryId) })
    }
  }
}

/** Of a body that is kept no longer, such as of a person whom Polar has deleted, what it was about stays. */
const eventIn = ({ body, customerId, eventAt, receivedAt, recordId, type }: DeliveryRow): ToldEvent => {
  const data = Option.flatMap(Option.fromNullable(body), decodeBody)
  const id = recordId ?? customerId
  return {
    type,
    timestamp: eventAt === null ? new Date(receivedAt) : new Date(eventAt / 1000),
    data: Option.match(data, { onNone: () => (id === null ? {} : { id }), onSome: (read) => read.data })
  }
}

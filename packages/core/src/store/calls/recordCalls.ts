/** Reading records: of a user, by id, or all of a kind page by page. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { benefitKind, readBenefitFacts } from "../../records/Benefit.ts"
import { benefitGrantKind, readGrantFacts } from "../../records/BenefitGrant.ts"
import type { Kind } from "../../records/Kind.ts"
import { orderKind, purchaseFacts } from "../../records/Order.ts"
import type { GrantRow, LiveSubscriptionRow } from "../../records/rows.ts"
import * as StoredJson from "../../records/storedJson.ts"
import { subscriptionKind } from "../../records/subscriptionKind.ts"
import { grantedNames } from "../../rules/grantedBenefits.ts"
import type { UserId } from "../../values/ids.ts"
import type { BillingStoreService, LiveSubscription, RecordQuery } from "../BillingStoreService.ts"
import type { StoreError } from "../StoreError.ts"
import type { DriverCalls } from "./driverCalls.ts"
import { decoded, readableRows } from "./unreadableRows.ts"

export const recordCalls = ({ ask, attempt, driver, span }: DriverCalls) => {
  const recordsOf = <A>(
    operation: string,
    kind: Kind<A>,
    userId: UserId,
    { live, productId, status }: RecordQuery
  ): Effect.Effect<ReadonlyArray<A>, StoreError> =>
    attempt(operation, () => driver.recordsOf({ kind: kind.name, userId, live, status, productId })).pipe(
      Effect.flatMap((rows) => readableRows(kind.name, rows, ({ data }) => kind.fromStored(data))),
      span(operation)
    )

  /** Those that can be read, each with its benefit. */
  const grantsOf = <G, B>(
    operation: string,
    userId: UserId,
    readGrant: (data: string) => Option.Option<G>,
    readBenefit: (data: string) => Option.Option<B>
  ): Effect.Effect<ReadonlyArray<{ readonly grant: G; readonly benefit: B | null }>, StoreError> => {
    const read = ({ benefit, grant }: GrantRow) =>
      Option.map(readGrant(grant), (value) => ({
        grant: value,
        benefit: benefit === null ? null : Option.getOrNull(readBenefit(benefit))
      }))
    return attempt(operation, () => driver.liveGrantsOf(userId)).pipe(
      Effect.flatMap((rows) => readableRows(benefitGrantKind.name, rows, read)),
      span(operation)
    )
  }

  return {
    subscriptionsOf: (userId, which) =>
      recordsOf("subscriptionsOf", subscriptionKind, userId, which === "live" ? { live: true } : {}),

    liveSubscriptionsOf: (userId) =>
      ask("liveSubscriptionsOf", () => driver.liveSubscriptionsOf(userId)).pipe(
        Effect.map((rows) => rows.map(liveSubscriptionOf))
      ),

    liveGrantsOf: (userId) => grantsOf("liveGrantsOf", userId, benefitGrantKind.fromStored, benefitKind.fromStored),

    grantedNamesOf: (userId) =>
      Effect.map(grantsOf("grantedNamesOf", userId, readGrantFacts, readBenefitFacts), grantedNames),

    purchaseFactsOf: (userId, productId) =>
      attempt("purchaseFactsOf", () => driver.liveOrdersOf(userId, productId)).pipe(
        Effect.flatMap((rows) => readableRows(orderKind.name, rows, purchaseFacts)),
        span("purchaseFactsOf")
      ),

    recordsOf: (kind, userId, query = {}) => recordsOf("recordsOf", kind, userId, query),

    record: (kind, id) =>
      attempt("record", () => driver.record(kind.name, id)).pipe(
        Effect.flatMap((row) =>
          row === undefined
            ? Effect.succeedNone
            : Effect.map(decoded("record", kind)(row), (value) =>
                // What is stored of a user's id was one.
                Option.some({ value, userId: row.userId as UserId | null })
              )
        ),
        span("record")
      ),

    recordPage: ({ after, kind, limit, which }) =>
      ask("recordPage", () => driver.recordPage({ kind, which, afterId: after, limit })),

    recordsDue: ({ after, limit }) =>
      Effect.flatMap(Clock.currentTimeMillis, (before) =>
        ask("recordsDue", () => driver.recordsDue({ before, after, limit }))
      )
  } satisfies Partial<BillingStoreService>
}

const liveSubscriptionOf = ({ id, productId, status, summary }: LiveSubscriptionRow): LiveSubscription => ({
  id,
  status,
  productId: productId ?? "",
  endedAt: null,
  ...StoredJson.decodeSummary(summary)
})

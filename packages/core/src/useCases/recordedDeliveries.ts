/** Going through recorded deliveries, a page at a time. */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { DeliveryState, RecordedDelivery } from "../records/Delivery.ts"
import { restArrived } from "../runtime/restArrived.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"

/** Which deliveries; every condition given must hold, and without any it is all of them. */
export interface RecordedQuery {
  /** `webhook-id`s. */
  readonly ids?: ReadonlyArray<string> | undefined
  readonly types?: ReadonlyArray<string> | undefined
  readonly states?: ReadonlyArray<DeliveryState> | undefined
  /** Received at this time or later. */
  readonly receivedAfter?: Date | undefined
  /** Default: what arrives from now on is left out. */
  readonly receivedBefore?: Date | undefined
}

const pageSize = 100

/** In the order they were received. */
export const oldestFirst = (
  store: Pick<BillingStoreService, "deliveries">,
  query: RecordedQuery
): Stream.Stream<RecordedDelivery, StoreError> =>
  Stream.unwrap(Effect.map(Clock.currentTimeMillis, (now) => pagesUntil(store, query, new Date(now + 1))))

const pagesUntil = (store: Pick<BillingStoreService, "deliveries">, query: RecordedQuery, until: Date) =>
  Stream.paginateChunkEffect(undefined as RecordedDelivery | undefined, (last) =>
    Effect.gen(function* () {
      // Between pages others have their turn, also where the database is in this process and answers at once.
      yield* restArrived
      const page = yield* store.deliveries({
        ...query,
        // Nothing is found by its type, and to look for one is to go through all: that is done here, a page at a time.
        types: undefined,
        receivedBefore: query.receivedBefore ?? until,
        order: "oldest",
        after: last,
        limit: pageSize
      })
      const wanted = page.filter(({ type }) => query.types?.includes(type) ?? true)
      // Where a time is none that can be read, the order may not lead on.
      const next = page.length < pageSize ? undefined : page.filter((row) => isAfter(row, last)).at(-1)
      return [Chunk.unsafeFromArray(wanted), Option.fromNullable(next)] as const
    })
  )

const isAfter = (row: RecordedDelivery, last: RecordedDelivery | undefined): boolean =>
  last === undefined ||
  row.receivedAt > last.receivedAt ||
  (row.receivedAt.getTime() === last.receivedAt.getTime() && row.id > last.id)

/** Unlinked records: their deliveries came before their users did. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { kinds } from "../records/kinds.ts"
import { userIdInStored } from "../records/PolarObjects.ts"
import type { RecordRow } from "../records/rows.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { OwnershipEvidence } from "../steps/keys.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import type { CustomerId } from "../values/ids.ts"
import type { NotificationDispatcher } from "./NotificationDispatcher.ts"

interface Ports {
  readonly store: BillingStoreService
  readonly dispatcher: typeof NotificationDispatcher.Service
  readonly policy: AccessPolicy
}

/** As many share a step: others wait for their locks. */
const pageSize = 50

/** Looks at all of them, and gives those to their users whose users are known by now. Succeeds with how many. */
export const makeLinkWaiting = ({ dispatcher, policy, store }: Ports): Effect.Effect<number, StoreError> =>
  Stream.fromIterable(kinds).pipe(
    Stream.flatMap(({ name }) => unlinkedPages(store, name)),
    Stream.mapEffect((page) => {
      const unlinked = page.map(evidenceOf).filter(namesSomebody)
      return unlinked.length === 0
        ? Effect.succeed(0)
        : store.linkUnlinked(unlinked, policy, { notify: dispatcher.listens })
    }),
    Stream.tap((linked) => (linked > 0 ? dispatcher.wake : Effect.void)),
    Stream.runSum
  )

const unlinkedPages = (store: BillingStoreService, kind: string) =>
  Stream.paginateChunkEffect(undefined as string | undefined, (after) =>
    Effect.map(store.recordPage({ kind, which: "unlinked", after, limit: pageSize }), (page) => [
      page.length === 0 ? Chunk.empty<ReadonlyArray<RecordRow>>() : Chunk.of(page),
      page.length < pageSize ? Option.none() : Option.fromNullable(page.at(-1)?.id)
    ])
  )

/** A customer's external id links at once when it arrives: it is not among what a record waits for. */
const evidenceOf = (row: RecordRow): OwnershipEvidence => ({
  kind: row.kind,
  id: row.id,
  // What is stored of a customer's id was one.
  customer: { id: row.customerId as CustomerId | null, externalId: null },
  metadataUserId: userIdInStored(row.data),
  subscriptionId: row.subscriptionId,
  orderId: row.orderId,
  checkoutId: row.checkoutId
})

/** The others wait for somebody to say whose they are. */
const namesSomebody = ({ checkoutId, metadataUserId, orderId, subscriptionId }: OwnershipEvidence): boolean =>
  metadataUserId !== null || checkoutId !== null || orderId !== null || subscriptionId !== null

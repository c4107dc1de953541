/** Subscriptions that belong to nobody: their deliveries came before their users did. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { userIdMetadataKey } from "../records/PolarObjects.ts"
import type { Subscription, SubscriptionId } from "../records/Subscription.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { SubscriptionReport } from "../rules/identity.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { isUserId } from "../values/plainValue.ts"
import type { NotificationDispatcher } from "./NotificationDispatcher.ts"

interface Ports {
  readonly store: BillingStoreService
  readonly dispatcher: typeof NotificationDispatcher.Service
  readonly policy: AccessPolicy
}

/** As many share a step: others wait for their locks. */
const pageSize = 50

/** Looks at all of them, and gives those to their users whose users are known by now. Succeeds with how many. */
export const makeAdoption = ({ dispatcher, policy, store }: Ports): Effect.Effect<number, StoreError> =>
  Stream.paginateChunkEffect(undefined as SubscriptionId | undefined, (after) =>
    Effect.map(store.subscriptions({ which: "unlinked", after, limit: pageSize }), (page) => [
      Chunk.of(page),
      page.length < pageSize ? Option.none() : Option.fromNullable(page.at(-1)?.id)
    ])
  ).pipe(
    Stream.mapEffect((page) => {
      const reports = page.map(reportOf).filter(namesSomebody)
      return reports.length === 0 ? Effect.succeed(0) : store.adoptSubscriptions(reports, policy)
    }),
    Stream.tap((adopted) => (adopted > 0 ? dispatcher.wake : Effect.void)),
    Stream.runSum
  )

const reportOf = (subscription: Subscription): SubscriptionReport => {
  const named = subscription.metadata[userIdMetadataKey]
  return { subscription, metadataUserId: isUserId(named) ? named : null }
}

/**
 * A customer's external id links at once when it arrives, so what waits is waiting for the user whom its metadata names.
 * The others wait for somebody to say whose they are.
 */
const namesSomebody = ({ metadataUserId }: SubscriptionReport): boolean => metadataUserId !== null

/**
 * Making the store equal to Polar's API: for what no delivery brought. Polar gives up on a delivery after half an hour,
 * and disables an endpoint that fails for long, so sooner or later somebody needs it (Polar docs: webhooks/delivery).
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { PolarClient, SubscriptionFilter } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { patiently } from "../polar/patiently.ts"
import type { CustomerId, SubscriptionId, UserId } from "../records/Subscription.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { SubscriptionSnapshot } from "../rules/reconciliation.ts"
import type { SnapshotOutcome } from "../steps/applySnapshots.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import type { NotificationDispatcher } from "./NotificationDispatcher.ts"
import * as ReconcileJob from "./ReconcileJob.ts"
import {
  type Discrepancy,
  discrepancyLimit,
  noCounts,
  type ReconcileCounts,
  type ReconcileReport
} from "./ReconcileReport.ts"
import type { makeWebhookCheck } from "./webhookEndpoints.ts"

export interface ReconcileOptions {
  /** Only subscriptions that Polar has changed since. All of them are read all the same: Polar cannot filter by it. */
  readonly since?: Date | undefined
  /** Look and report, and change nothing. */
  readonly dryRun?: boolean | undefined
  /** Called after each page. */
  readonly onProgress?: ((progress: ReconcileJob.Progress) => Effect.Effect<void>) | undefined
}

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  readonly dispatcher: typeof NotificationDispatcher.Service
  readonly checkWebhooks: ReturnType<typeof makeWebhookCheck>
  readonly policy: AccessPolicy
  readonly organizationId: string | undefined
}

/** How Polar is asked: with patience for its limit of requests, or without. */
type Ask = <A>(call: Effect.Effect<A, PolarError>) => Effect.Effect<A, PolarError>

const atOnce: Ask = identity

/** As many share a step: others wait for their locks. */
const stepSize = 20

/** How many subscriptions are asked for by id at a time. */
const concurrency = 4

const storePageSize = 100

export const makeReconcile = ({ checkWebhooks, client, dispatcher, organizationId, policy, store }: Ports) => {
  const isOwn = ({ subscription }: SubscriptionSnapshot): boolean =>
    organizationId === undefined ||
    subscription.organizationId === null ||
    subscription.organizationId === organizationId

  /** Compares, and repairs unless it is a dry run. */
  const compare = (counts: ReconcileCounts, given: ReadonlyArray<SubscriptionSnapshot>, dryRun: boolean) =>
    Effect.gen(function* () {
      const snapshots = Chunk.chunksOf(Chunk.unsafeFromArray(given.filter(isOwn)), stepSize)
      const steps = yield* Effect.forEach(snapshots, (step) =>
        store.applySnapshots(Chunk.toReadonlyArray(step), policy, { dryRun })
      )
      const outcomes = steps.flat()
      const notified = outcomes.filter((outcome) => outcome.notified).length
      if (notified > 0 && !dryRun) yield* dispatcher.wake
      const found = outcomes.flatMap(discrepancyOf)
      return {
        ...counts,
        compared: counts.compared + outcomes.length,
        discrepancyCount: counts.discrepancyCount + found.length,
        discrepancies: [...counts.discrepancies, ...found].slice(0, discrepancyLimit),
        notified: counts.notified + notified
      }
    })

  /** Asks for single subscriptions; those that Polar does not know come back by their ids. */
  const fetch = (ids: ReadonlyArray<SubscriptionId>, ask: Ask) =>
    Effect.map(
      Effect.forEach(ids, (id) => Effect.map(ask(client.getSubscription(id)), (found) => ({ id, found })), {
        concurrency
      }),
      (answers) => ({
        snapshots: answers.flatMap(({ found }) => Option.toArray(found)),
        unknownToPolar: answers.flatMap(({ found, id }) => (Option.isNone(found) ? [id] : []))
      })
    )

  const allPages = (filter: SubscriptionFilter): Effect.Effect<ReadonlyArray<SubscriptionSnapshot>, PolarError> =>
    Stream.paginateChunkEffect(1, (page) =>
      Effect.map(client.subscriptionPage(filter, page), ({ isLast, snapshots }) => [
        Chunk.unsafeFromArray(snapshots),
        isLast ? Option.none() : Option.some(page + 1)
      ])
    ).pipe(
      Stream.runCollect,
      Effect.map((snapshots) => Chunk.toReadonlyArray(snapshots))
    )

  /**
   * One user: whatever can be theirs by a link, by the customer's external id, or by a checkout's metadata. It is done while
   * they wait, so when Polar's limit of requests is reached it fails, and does not wait for that as well.
   */
  const reconcile = (
    userId: UserId,
    { dryRun = false }: { readonly dryRun?: boolean | undefined } = {}
  ): Effect.Effect<ReconcileCounts, PolarError | StoreError> =>
    Effect.gen(function* () {
      const stored = yield* store.subscriptionsOf(userId, "all")
      const linked = yield* store.customerOf(userId)
      const state = yield* client.getCustomerState(userId)
      const customerIds = new Set<CustomerId>(stored.map(({ customer }) => customer.id))
      if (Option.isSome(linked)) customerIds.add(linked.value)
      if (Option.isSome(state)) {
        const { customer } = state.value
        customerIds.add(customer.id)
        if (!dryRun) yield* link(customer.id, userId)
      }
      const filters: ReadonlyArray<SubscriptionFilter> = [
        ...[...customerIds].map((customerId) => ({ customerId })),
        { metadataUserId: userId }
      ]
      const listed = new Map<string, SubscriptionSnapshot>()
      for (const snapshot of (yield* Effect.forEach(filters, allPages, { concurrency })).flat()) {
        listed.set(snapshot.subscription.id, snapshot)
      }
      const known = [
        ...stored.filter(({ isLive }) => isLive).map(({ id }) => id),
        ...Option.match(state, {
          onNone: () => [],
          onSome: ({ activeSubscriptions }) => activeSubscriptions.map(({ id }) => id)
        })
      ]
      const { snapshots, unknownToPolar } = yield* fetch(
        [...new Set(known)].filter((id) => !listed.has(id)),
        atOnce
      )
      const counts = yield* compare(noCounts, [...listed.values(), ...snapshots], dryRun)
      return { ...counts, unknownToPolar }
    })

  const link = (customerId: CustomerId, userId: UserId) =>
    store.linkCustomer({ customerId, userId, linkedBy: "external_id" }, policy).pipe(
      Effect.tap((notified) => (notified > 0 ? dispatcher.wake : Effect.void)),
      Effect.catchTag("CustomerLinkedToAnotherUser", (error) => Effect.logWarning(error.message))
    )

  /**
   * All of Polar's subscriptions, and then those stored as live that were not among them. One process at a time does it,
   * and one that dies is gone on from its last page.
   */
  const run = (job: ReconcileJob.Run, { dryRun, onProgress }: ReconcileOptions) =>
    Effect.gen(function* () {
      const seen = new Set<string>()
      const advance = (position: ReconcileJob.Position) =>
        Effect.zipRight(job.save(position), onProgress?.({ phase: position.phase, ...position.counts }) ?? Effect.void)
      let position = job.position
      const since = position.since
      while (position.phase === "polar") {
        const { isLast, snapshots } = yield* patiently(client.subscriptionPage({}, position.page))
        for (const { subscription } of snapshots) seen.add(subscription.id)
        const changed = since === null ? snapshots : snapshots.filter((snapshot) => isSince(snapshot, since))
        const counts = yield* compare(position.counts, changed, dryRun === true)
        position = isLast ? { ...position, phase: "store", counts } : { ...position, page: position.page + 1, counts }
        yield* advance(position)
      }
      for (;;) {
        const stored = yield* store.subscriptions({
          which: "live",
          limit: storePageSize,
          ...(position.afterId === null ? {} : { after: position.afterId })
        })
        const last = stored.at(-1)
        if (last === undefined) return position.counts
        const unseen = stored.filter(({ id }) => !seen.has(id)).map(({ id }) => id)
        const { snapshots, unknownToPolar } = yield* fetch(unseen, patiently)
        const counts = yield* compare(position.counts, snapshots, dryRun === true)
        position = {
          ...position,
          afterId: last.id,
          counts: {
            ...counts,
            unknownToPolar: [...counts.unknownToPolar, ...unknownToPolar].slice(0, discrepancyLimit)
          }
        }
        yield* advance(position)
      }
    })

  const reconcileAll = (
    options: ReconcileOptions & ReconcileJob.Due = {}
  ): Effect.Effect<Option.Option<ReconcileReport>, ReconcileError> =>
    ReconcileJob.withJob(store, options, (job) =>
      Effect.gen(function* () {
        const counts = yield* run(job, options)
        const webhooks = yield* checkWebhooks({ dryRun: options.dryRun === true })
        const report: ReconcileReport = {
          dryRun: options.dryRun === true,
          since: job.position.since,
          startedAt: job.startedAt,
          finishedAt: new Date(yield* Clock.currentTimeMillis),
          resumed: job.resumed,
          ...counts,
          webhooks
        }
        return report
      })
    )

  return { reconcile, reconcileAll }
}

export type ReconcileError = PolarError | StoreError | ReconcileJob.ReconcileRunning | ReconcileJob.ReconcileTakenOver

const isSince = ({ changedAt }: SubscriptionSnapshot, since: Date): boolean =>
  changedAt === null || changedAt >= since.getTime() * 1000

const discrepancyOf = ({
  fields,
  finding,
  linked,
  subscriptionId,
  userId
}: SnapshotOutcome): ReadonlyArray<Discrepancy> =>
  finding !== null
    ? [{ subscriptionId, userId, finding, fields }]
    : linked
      ? [{ subscriptionId, userId, finding: "unlinked", fields: [] }]
      : []

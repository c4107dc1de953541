/**
 * Making the store equal to Polar's API: for what no delivery brought. Polar gives up on a delivery after half an hour,
 * and disables an endpoint that fails for long, so sooner or later somebody needs it (Polar docs: webhooks/delivery).
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { PolarClient, RecordFilter, SnapshotPage } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { patiently } from "../polar/patiently.ts"
import type { Kind } from "../records/Kind.ts"
import { kindNamed, kinds } from "../records/kinds.ts"
import { orderKind } from "../records/Order.ts"
import { recordKey } from "../records/RecordReport.ts"
import type { CustomerId, SubscriptionId, UserId } from "../records/Subscription.ts"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
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

/** As many share a step: others wait for their locks. */
const stepSize = 20

/** How many subscriptions are asked for by id at a time. */
const concurrency = 4

const storePageSize = 100

export const makeReconcile = ({ checkWebhooks, client, dispatcher, organizationId, policy, store }: Ports) => {
  const isOwn = ({ report }: Snapshot): boolean =>
    organizationId === undefined || report.organizationId === null || report.organizationId === organizationId

  /** Compares, and repairs unless it is a dry run. */
  const compare = (counts: ReconcileCounts, given: ReadonlyArray<Snapshot>, dryRun: boolean) =>
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
  const fetch = (ids: ReadonlyArray<SubscriptionId>) =>
    Effect.map(
      Effect.forEach(ids, (id) => Effect.map(patiently(client.getSubscription(id)), (found) => ({ id, found })), {
        concurrency
      }),
      (answers) => ({
        snapshots: answers.flatMap(({ found }) => Option.toArray(found)),
        unknownToPolar: answers.flatMap(({ found, id }) => (Option.isNone(found) ? [id] : []))
      })
    )

  const pageOfPolar = (kind: Kind<unknown>, filter: RecordFilter, page: number) =>
    patiently(client.recordPage(kind, filter, page))

  const allPages = (kind: Kind<unknown>, filter: RecordFilter): Effect.Effect<ReadonlyArray<Snapshot>, PolarError> =>
    Stream.paginateChunkEffect(1, (page) =>
      Effect.map(pageOfPolar(kind, filter, page), ({ isLast, snapshots }) => [
        Chunk.unsafeFromArray(snapshots),
        isLast ? Option.none() : Option.some(page + 1)
      ])
    ).pipe(
      Stream.runCollect,
      Effect.map((snapshots) => Chunk.toReadonlyArray(snapshots))
    )

  /** Orders and refunds were not always kept: a token that may not list them still compares subscriptions. */
  const unlessForbidden = <A>(
    kind: Kind<unknown>,
    listing: Effect.Effect<A, PolarError>,
    otherwise: (reason: string) => A
  ): Effect.Effect<A, PolarError> =>
    kind.name === subscriptionKind.name
      ? listing
      : Effect.catchTag(listing, "PolarForbidden", (error) =>
          Effect.as(Effect.logWarning(error.message), otherwise(error.message))
        )

  /** One user: whatever can be theirs by a link, by the customer's external id, or by a checkout's metadata. */
  const reconcile = (
    userId: UserId,
    { dryRun = false }: { readonly dryRun?: boolean | undefined } = {}
  ): Effect.Effect<ReconcileCounts, PolarError | StoreError> =>
    Effect.gen(function* () {
      const stored = yield* store.subscriptionsOf(userId, "all")
      const bought = yield* store.recordsOf(orderKind, userId)
      const linked = yield* store.customerOf(userId)
      const state = yield* patiently(client.getCustomerState(userId))
      const customerIds = new Set<CustomerId>([
        ...stored.map(({ customer }) => customer.id),
        ...bought.map(({ customerId }) => customerId)
      ])
      if (Option.isSome(linked)) customerIds.add(linked.value)
      if (Option.isSome(state)) {
        const { customer } = state.value
        customerIds.add(customer.id)
        if (!dryRun) yield* link(customer.id, userId)
      }
      const listed = new Map<string, Snapshot>()
      const notCompared: Array<ReconcileCounts["notCompared"][number]> = []
      for (const kind of kinds) {
        const filters: ReadonlyArray<RecordFilter> = [
          ...[...customerIds].map((customerId) => ({ customerId })),
          ...(kind.list.byMetadata ? [{ metadataUserId: userId }] : [])
        ]
        const snapshots = yield* unlessForbidden(
          kind,
          Effect.map(
            Effect.forEach(filters, (filter) => allPages(kind, filter), { concurrency }),
            (all) => all.flat()
          ),
          (reason) => {
            notCompared.push({ kind: kind.name, reason })
            return []
          }
        )
        for (const snapshot of snapshots) {
          const { customer, metadataUserId } = snapshot.report
          listed.set(recordKey(snapshot.report), snapshot)
          // Kinds that come after need not name the user themselves, such as a refund of an order that does.
          if (metadataUserId === userId && customer.id !== null) customerIds.add(customer.id)
        }
      }
      const known = [
        ...stored.filter(({ isLive }) => isLive).map(({ id }) => id),
        ...Option.match(state, {
          onNone: () => [],
          onSome: ({ activeSubscriptions }) => activeSubscriptions.map(({ id }) => id)
        })
      ]
      const { snapshots, unknownToPolar } = yield* fetch(
        [...new Set(known)].filter((id) => !listed.has(recordKey({ kind: subscriptionKind.name, id })))
      )
      const counts = yield* compare(noCounts, [...listed.values(), ...snapshots], dryRun)
      return { ...counts, unknownToPolar, notCompared }
    })

  const link = (customerId: CustomerId, userId: UserId) =>
    store.linkCustomer({ customerId, userId, linkedBy: "external_id" }, policy).pipe(
      Effect.tap((notified) => (notified > 0 ? dispatcher.wake : Effect.void)),
      Effect.catchTag("CustomerLinkedToAnotherUser", (error) => Effect.logWarning(error.message))
    )

  /**
   * All of Polar's records, kind by kind, and then the subscriptions stored as live that were not among them: while pages
   * are read, one that changes can slip over the edge of a page. One process at a time does it, and one that dies is gone
   * on from its last page.
   */
  const run = (job: ReconcileJob.Run, { dryRun, onProgress }: ReconcileOptions) =>
    Effect.gen(function* () {
      const seen = new Set<string>()
      const advance = (position: ReconcileJob.Position) =>
        Effect.zipRight(job.save(position), onProgress?.({ phase: position.phase, ...position.counts }) ?? Effect.void)
      let position = job.position
      const since = position.since
      while (position.phase === "polar") {
        const kind = kindNamed(position.kind) ?? subscriptionKind
        const { counts } = position
        const page = yield* unlessForbidden<Page>(kind, pageOfPolar(kind, {}, position.page), (reason) => ({
          snapshots: [],
          isLast: true,
          reason
        }))
        for (const { report } of page.snapshots) seen.add(recordKey(report))
        const changed = since === null ? page.snapshots : page.snapshots.filter((snapshot) => isSince(snapshot, since))
        const compared = yield* compare(counts, changed, dryRun === true)
        position = {
          ...position,
          ...(page.isLast ? after(kind) : { page: position.page + 1 }),
          counts:
            page.reason === undefined
              ? compared
              : { ...compared, notCompared: [...compared.notCompared, { kind: kind.name, reason: page.reason }] }
        }
        yield* advance(position)
      }
      for (;;) {
        const stored = yield* store.recordPage({
          kind: subscriptionKind.name,
          which: "live",
          limit: storePageSize,
          ...(position.afterId === null ? {} : { after: position.afterId })
        })
        const last = stored.at(-1)
        if (last === undefined) return position.counts
        // What is stored of a subscription's id was one.
        const unseen = stored.flatMap((row) => (seen.has(recordKey(row)) ? [] : [row.id as SubscriptionId]))
        const { snapshots, unknownToPolar } = yield* fetch(unseen)
        const counts = yield* compare(position.counts, snapshots, dryRun === true)
        position = {
          ...position,
          afterId: last.id as SubscriptionId,
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

interface Page extends SnapshotPage {
  /** Why it could not be listed. */
  readonly reason?: string
}

/** Where the comparison stands when all of a kind was listed. */
const after = (kind: Kind<unknown>): Partial<ReconcileJob.Position> => {
  const next = kinds[kinds.indexOf(kind) + 1]
  return next === undefined ? { phase: "store" } : { kind: next.name, page: 1 }
}

const isSince = ({ report: { changedAt } }: Snapshot, since: Date): boolean =>
  changedAt === null || changedAt >= since.getTime() * 1000

const discrepancyOf = ({ fields, finding, id, kind, linked, userId }: SnapshotOutcome): ReadonlyArray<Discrepancy> =>
  finding !== null
    ? [{ kind, id, userId, finding, fields }]
    : linked
      ? [{ kind, id, userId, finding: "unlinked", fields: [] }]
      : []

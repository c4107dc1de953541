/**
 * Making the store equal to Polar's API: for what no delivery brought. Polar gives up on a delivery after half an hour,
 * and disables an endpoint that fails for long, so sooner or later somebody needs it (Polar docs: webhooks/delivery).
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { allRecords, together } from "../polar/allRecords.ts"
import type { PolarClient, RecordFilter, SnapshotPage, UnreadableRecord } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { patiently } from "../polar/patiently.ts"
import { refusesForeignId } from "../polar/refusedFields.ts"
import type { Kind, ListedKind } from "../records/Kind.ts"
import { listedKinds } from "../records/kinds.ts"
import { orderKind } from "../records/Order.ts"
import { recordKey } from "../records/RecordReport.ts"
import type { CustomerId, SubscriptionId, UserId } from "../records/Subscription.ts"
import { subscriptionKind } from "../records/subscriptionKind.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import { type AppUsers, isOfThisApp } from "../rules/identity.ts"
import type { Snapshot } from "../rules/reconciliation.ts"
import { makeBoundedSet } from "../runtime/boundedSet.ts"
import type { SnapshotOutcome } from "../steps/applySnapshots.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import { isOfOneRow, type StoreError } from "../store/StoreError.ts"
import { type AskAppUsers, type UserLookupFailed, usersNamedBy } from "./appUsers.ts"
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

/**
 * @example
 * Effect.flatMap(Billing.Billing, (billing) =>
 *   billing.reconcileAll({ since: new Date("2026-11-24"), dryRun: true, onProgress: () => Effect.void })
 * )
 */
export interface ReconcileOptions {
  /** Only subscriptions that Polar has changed since. All of them are read all the same: Polar cannot filter by it. */
  readonly since?: Date | undefined
  /** Look and report, and change nothing. */
  readonly dryRun?: boolean | undefined
  /** Called after each page. */
  readonly onProgress?: ((progress: ReconcileJob.Progress) => Effect.Effect<void>) | undefined
}

/**
 * @example
 * Effect.flatMap(Billing.Billing, (billing) => billing.reconcile(userId, { dryRun: true, timeout: "5 seconds" }))
 */
export interface ReconcileUserOptions {
  /** Look and report, and change nothing. */
  readonly dryRun?: boolean | undefined
  /** How long it may take, or it is a `ReconcileTookTooLong`. Default 15 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
}

/** Comparing one user with Polar took longer than whoever asked for it wanted to wait. */
export class ReconcileTookTooLong extends Schema.TaggedError<ReconcileTookTooLong>()("ReconcileTookTooLong", {
  seconds: Schema.Number
}) {
  override get message(): string {
    return `Comparing the user with Polar took longer than ${this.seconds} seconds. Ask again in a minute, give it more time, or leave it to reconcileAll, which waits as long as Polar asks for.`
  }
}

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  readonly dispatcher: typeof NotificationDispatcher.Service
  readonly checkWebhooks: ReturnType<typeof makeWebhookCheck>
  readonly policy: AccessPolicy
  readonly organizationId: string | undefined
  readonly askAppUsers: AskAppUsers
}

/** How Polar is asked: with patience for its limit of requests, or without. */
type Ask = <A>(call: Effect.Effect<A, PolarError>) => Effect.Effect<A, PolarError>

const atOnce: Ask = identity

/** As many share a step: others wait for their locks. */
const stepSize = 20

/** How many subscriptions are asked for by id at a time. */
const concurrency = 4

const storePageSize = 100

/** Some ten megabytes of ids. */
const mostRemembered = 100_000

/** Somebody waits for it. */
const longestReconcile = Duration.seconds(15)

export const makeReconcile = ({
  askAppUsers,
  checkWebhooks,
  client,
  dispatcher,
  organizationId,
  policy,
  store
}: Ports) => {
  const isOwn = ({ report }: Snapshot): boolean =>
    organizationId === undefined || report.organizationId === null || report.organizationId === organizationId

  /** A record that the store cannot write is left out with its error, and the others of its step are written. */
  const written = (
    snapshots: ReadonlyArray<Snapshot>,
    dryRun: boolean,
    users: AppUsers
  ): Effect.Effect<
    { readonly outcomes: ReadonlyArray<SnapshotOutcome>; readonly unreadable: ReadonlyArray<string> },
    StoreError
  > =>
    store.applySnapshots(snapshots, policy, { dryRun, handlers: dispatcher.handlers, users }).pipe(
      Effect.map((outcomes) => ({ outcomes, unreadable: [] as ReadonlyArray<string> })),
      Effect.catchIf(isOfOneRow, (error) => {
        const [first, ...others] = snapshots
        if (first === undefined) return Effect.fail(error)
        if (others.length === 0) {
          const name = recordKey(first.report)
          return Effect.as(Effect.annotateLogs(Effect.logError(error.message), { row: name }), {
            outcomes: [],
            unreadable: [name]
          })
        }
        return Effect.map(
          Effect.forEach(snapshots, (snapshot) => written([snapshot], dryRun, users)),
          (all) => ({
            outcomes: all.flatMap(({ outcomes }) => outcomes),
            unreadable: all.flatMap(({ unreadable }) => unreadable)
          })
        )
      })
    )

  /** Compares, and repairs unless it is a dry run. */
  const compare = (counts: ReconcileCounts, given: ReadonlyArray<Snapshot>, dryRun: boolean, asker?: UserId) =>
    Effect.gen(function* () {
      const snapshots = Chunk.chunksOf(Chunk.unsafeFromArray(given.filter(isOwn)), stepSize)
      const steps = yield* Effect.forEach(snapshots, (chunk) => {
        const step = Chunk.toReadonlyArray(chunk)
        return Effect.flatMap(askAppUsers.among(new Set(step.flatMap(({ report }) => usersNamedBy(report)))), (users) =>
          written(step, dryRun, withAsker(users, asker))
        )
      })
      const outcomes = steps.flatMap((step) => step.outcomes)
      const unreadable = steps.flatMap((step) => step.unreadable)
      const notified = outcomes.filter((outcome) => outcome.notified).length
      if (notified > 0 && !dryRun) yield* dispatcher.wake
      const found = outcomes.flatMap(discrepancyOf)
      return {
        ...counts,
        compared: counts.compared + outcomes.length,
        discrepancyCount: counts.discrepancyCount + found.length,
        discrepancies: [...counts.discrepancies, ...found].slice(0, discrepancyLimit),
        notified: counts.notified + notified,
        unreadable: [...counts.unreadable, ...unreadable].slice(0, discrepancyLimit)
      }
    })

  /**
   * Asks for single subscriptions; those that Polar does not know come back by their ids, and so does what it says of one that
   * cannot be read.
   */
  const fetch = (ids: ReadonlyArray<SubscriptionId>, ask: Ask) =>
    Effect.map(
      Effect.forEach(
        ids,
        (id) =>
          ask(client.getSubscription(id)).pipe(
            Effect.map((found) => ({ id, found, unreadable: [] as ReadonlyArray<UnreadableRecord> })),
            Effect.catchTag("PolarUnexpectedAnswer", (error) =>
              Effect.succeed({ id, found: null, unreadable: [{ id, error }] })
            )
          ),
        { concurrency }
      ),
      (answers) => ({
        snapshots: answers.flatMap(({ found }) => (found === null ? [] : Option.toArray(found))),
        unknownToPolar: answers.flatMap(({ found, id }) => (found !== null && Option.isNone(found) ? [id] : [])),
        unreadable: answers.flatMap(({ unreadable }) => unreadable)
      })
    )

  /** What of Polar's answers could not be read is in the log with its error, and in the report by its name. */
  const setAside = (
    { name }: Kind<unknown>,
    counts: ReconcileCounts,
    records: ReadonlyArray<UnreadableRecord>
  ): Effect.Effect<ReconcileCounts> =>
    Effect.as(
      Effect.forEach(records, ({ error, id }) =>
        Effect.annotateLogs(Effect.logError(error.message), { record: nameOf(name, id) })
      ),
      {
        ...counts,
        unreadable: [...counts.unreadable, ...records.map(({ id }) => nameOf(name, id))].slice(0, discrepancyLimit)
      }
    )

  /**
   * Other kinds were not always kept: a token that may not list them still compares subscriptions, and so does a Polar that has
   * no such list.
   */
  const unlessRefused = <A>(
    kind: Kind<unknown>,
    listing: Effect.Effect<A, PolarError>,
    otherwise: (reason: string) => A
  ): Effect.Effect<A, PolarError> =>
    kind.name === subscriptionKind.name
      ? listing
      : Effect.catchIf(
          listing,
          ({ _tag }) => _tag === "PolarForbidden" || _tag === "PolarNotFound",
          (error) => Effect.as(Effect.logWarning(error.message), otherwise(error.message))
        )

  /**
   * One user: whatever can be theirs by a link, by the customer's external id, or by a checkout's metadata. It is done while
   * they wait, so when Polar's limit of requests is reached it fails, and does not wait for that as well; and it has a limit of
   * time. What was compared until then stays.
   */
  const reconcile = (
    userId: UserId,
    { dryRun = false, timeout = longestReconcile }: ReconcileUserOptions = {}
  ): Effect.Effect<ReconcileCounts, PolarError | StoreError | UserLookupFailed | ReconcileTookTooLong> =>
    compareUser(userId, dryRun).pipe(
      Effect.disconnect,
      Effect.timeoutFail({
        duration: timeout,
        onTimeout: () => new ReconcileTookTooLong({ seconds: Duration.toSeconds(timeout) })
      })
    )

  const compareUser = (
    userId: UserId,
    dryRun: boolean
  ): Effect.Effect<ReconcileCounts, PolarError | StoreError | UserLookupFailed> =>
    Effect.gen(function* () {
      const isKnown = yield* askAppUsers.has(userId)
      const stored = yield* store.subscriptionsOf(userId, "all")
      const bought = yield* store.recordsOf(orderKind, userId)
      const linked = yield* store.customerOf(userId)
      const state = yield* client.getCustomerState(userId)
      const customerIds = new Set<CustomerId>([
        ...stored.map(({ customer }) => customer.id),
        ...bought.map(({ customerId }) => customerId)
      ])
      if (Option.isSome(linked)) customerIds.add(linked.value)
      if (Option.isSome(state)) {
        const { customer } = state.value
        customerIds.add(customer.id)
        if (!dryRun && (yield* isTheirs(userId, isKnown, customer.email))) yield* link(customer.id, userId)
      }
      const listed = new Map<string, Snapshot>()
      let aside = noCounts
      const notCompared: Array<ReconcileCounts["notCompared"][number]> = []
      for (const kind of listedKinds.filter(({ isOwned }) => isOwned)) {
        const filters: ReadonlyArray<RecordFilter> = [
          ...[...customerIds].map((customerId) => ({ customerId })),
          ...(kind.list.byMetadata ? [{ metadataUserId: userId }] : [])
        ]
        const { snapshots, unreadable } = yield* unlessRefused(
          kind,
          Effect.map(
            Effect.forEach(
              filters,
              (filter) =>
                Effect.catchIf(
                  allRecords(client, kind, filter),
                  (error) => filter.customerId !== undefined && refusesForeignId(error, filter.customerId),
                  () => Effect.succeed(together([]))
                ),
              { concurrency }
            ),
            together
          ),
          (reason) => {
            notCompared.push({ kind: kind.name, reason })
            return together([])
          }
        )
        aside = yield* setAside(kind, aside, distinct(unreadable))
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
      const { snapshots, unknownToPolar, unreadable } = yield* fetch(
        [...new Set(known)].filter((id) => {
          const key = recordKey({ kind: subscriptionKind.name, id })
          return !listed.has(key) && !aside.unreadable.includes(key)
        }),
        atOnce
      )
      aside = yield* setAside(subscriptionKind, aside, unreadable)
      const counts = yield* compare(aside, [...listed.values(), ...snapshots], dryRun, isKnown ? userId : undefined)
      return { ...counts, unknownToPolar, notCompared }
    })

  /** A customer whose external id is the user's may be of another deployment's user: see the rule. */
  const isTheirs = (userId: UserId, isKnown: boolean, customerEmail: string | null) =>
    Effect.map(store.findUser(userId), (user) =>
      isOfThisApp(
        {
          email: Option.getOrUndefined(Option.map(user, ({ email }) => Option.getOrNull(email))),
          isKnown,
          customerEmail
        },
        askAppUsers.users.externalIds === "trust"
      )
    )

  const link = (customerId: CustomerId, userId: UserId) =>
    store.linkCustomer({ customerId, userId, linkedBy: "external_id" }, policy, { handlers: dispatcher.handlers }).pipe(
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
      // Subscriptions alone are looked for afterwards. Whoever has more of them than are remembered asks Polar for the rest once more.
      const seen = makeBoundedSet<string>(mostRemembered)
      const advance = (position: ReconcileJob.Position) =>
        Effect.zipRight(job.save(position), onProgress?.({ phase: position.phase, ...position.counts }) ?? Effect.void)
      let position = job.position
      const since = position.since
      while (position.phase === "polar") {
        const kind = listedKinds.find(({ name }) => name === position.kind) ?? subscriptionKind
        const { counts } = position
        const page = yield* unlessRefused<Page>(
          kind,
          patiently(client.recordPage(kind, {}, position.page)),
          (reason) => ({
            snapshots: [],
            unreadable: [],
            isLast: true,
            reason
          })
        )
        if (kind.name === subscriptionKind.name) {
          for (const { report } of page.snapshots) seen.add(report.id)
          for (const { id } of page.unreadable) if (id !== null) seen.add(id)
        }
        const changed = since === null ? page.snapshots : page.snapshots.filter((snapshot) => isSince(snapshot, since))
        const compared = yield* compare(yield* setAside(kind, counts, page.unreadable), changed, dryRun === true)
        position = {
          ...position,
          ...(page.isLast || position.page === kind.list.mostPages ? after(kind) : { page: position.page + 1 }),
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
        const unseen = stored.flatMap(({ id }) => (seen.has(id) ? [] : [id as SubscriptionId]))
        const { snapshots, unknownToPolar, unreadable } = yield* fetch(unseen, patiently)
        const counts = yield* compare(
          yield* setAside(subscriptionKind, position.counts, unreadable),
          snapshots,
          dryRun === true
        )
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

  /** For when the clock has ended them: nobody waits for it, and what Polar does not say is left as it is. */
  const refresh = (ids: ReadonlyArray<SubscriptionId>): Effect.Effect<void> =>
    Effect.flatMap(fetch(ids, atOnce), ({ snapshots }) => compare(noCounts, snapshots, false)).pipe(
      Effect.disconnect,
      Effect.timeout("10 seconds"),
      Effect.catchAll((error) =>
        error._tag === "PolarNotConfigured"
          ? Effect.void
          : Effect.logInfo(`Polar could not be asked about subscriptions whose time has passed: ${error.message}`)
      ),
      Effect.asVoid
    )

  /** Compares so many of the newest at Polar and so many of those that are stored as live, and changes nothing. */
  const sample = (most: number): Effect.Effect<ReconcileCounts, PolarError | StoreError | UserLookupFailed> =>
    Effect.gen(function* () {
      const newest = yield* Effect.forEach([subscriptionKind, orderKind] as const, (kind: ListedKind<unknown>) =>
        unlessRefused<ReadonlyArray<Snapshot>>(
          kind,
          Effect.map(client.recordPage(kind, { newestFirst: true }, 1), ({ snapshots }) => snapshots.slice(0, most)),
          () => []
        )
      )
      // Ids are random, and so are the first of them.
      const stored = yield* store.recordPage({ kind: subscriptionKind.name, which: "live", limit: most })
      const seen = new Set(newest.flat().map(({ report }) => report.id))
      // What is stored of a subscription's id was one.
      const unseen = stored.flatMap(({ id }) => (seen.has(id) ? [] : [id as SubscriptionId]))
      const { snapshots, unknownToPolar, unreadable } = yield* fetch(unseen, atOnce)
      const aside = yield* setAside(subscriptionKind, noCounts, unreadable)
      return { ...(yield* compare(aside, [...newest.flat(), ...snapshots], true)), unknownToPolar }
    })

  /** Stores what Polar's API said of single records. */
  const learn = (snapshots: ReadonlyArray<Snapshot>, asker?: UserId) => compare(noCounts, snapshots, false, asker)

  return { reconcile, reconcileAll, refresh, learn, sample }
}

/** For whom the app asks is its user, unless it says otherwise. */
const withAsker = (users: AppUsers, asker: UserId | undefined): AppUsers =>
  asker === undefined ? users : { ...users, existing: new Set([...(users.existing ?? []), asker]) }

export type ReconcileError =
  | PolarError
  | StoreError
  | UserLookupFailed
  | ReconcileJob.ReconcileRunning
  | ReconcileJob.ReconcileTakenOver

interface Page extends SnapshotPage {
  /** Why it could not be listed. */
  readonly reason?: string
}

/** Where the comparison stands when all of a kind was listed. */
const after = (kind: ListedKind<unknown>): Partial<ReconcileJob.Position> => {
  const next = listedKinds[listedKinds.indexOf(kind) + 1]
  return next === undefined ? { phase: "store" } : { kind: next.name, page: 1 }
}

const nameOf = (kind: string, id: string | null): string =>
  id === null ? `${kind} without an id` : recordKey({ kind, id })

/** The same record can be on pages of several lists. */
const distinct = (records: ReadonlyArray<UnreadableRecord>): ReadonlyArray<UnreadableRecord> =>
  records.filter(({ id }, index) => id === null || records.findIndex((other) => other.id === id) === index)

const isSince = ({ report: { changedAt } }: Snapshot, since: Date): boolean =>
  changedAt === null || changedAt >= since.getTime() * 1000

const discrepancyOf = ({ fields, finding, id, kind, linked, userId }: SnapshotOutcome): ReadonlyArray<Discrepancy> =>
  finding !== null
    ? [{ kind, id, userId, finding, fields }]
    : linked
      ? [{ kind, id, userId, finding: "unlinked", fields: [] }]
      : []

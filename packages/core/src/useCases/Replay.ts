/**
 * Applying recorded deliveries again: after an upgrade that knows more types and statuses, after a mistake in the
 * configuration, or when in doubt. Order and the dedupe of notifications hold as for any delivery, so replaying what is
 * known already changes nothing; but what the app was to be told of it and never took, it is told again.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Delivery, DeliveryState, RecordedDelivery } from "../records/Delivery.ts"
import * as DeliveryContent from "../records/deliveryContent.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { type AskAppUsers, type UserLookupFailed, usersNamedIn } from "./appUsers.ts"
import type { NotificationDispatcher } from "./NotificationDispatcher.ts"
import { oldestFirst, type RecordedQuery } from "./recordedDeliveries.ts"

/**
 * Which deliveries; every condition given must hold, and without any it is all of them.
 *
 * @example
 * await billing.replay({ ids: ["evt_1"], types: ["order.paid"], states: ["failed"] })
 * await billing.replay({ receivedAfter: new Date("2026-11-24"), receivedBefore: new Date("2026-11-25") })
 */
export interface ReplayQuery extends RecordedQuery {}

/**
 * @example
 * Effect.flatMap(Billing.Billing, (billing) =>
 *   billing.replay({}, { dryRun: true, tellAgain: true, onProgress: ({ replayed }) => Effect.logInfo(`${replayed}`) })
 * )
 */
export interface ReplayOptions {
  /**
   * Look and report, and change nothing. Each is judged by what is stored now, and not by what those before it would have
   * changed. Default: false.
   */
  readonly dryRun?: boolean | undefined
  /**
   * Whether handlers of events (`on`) are called again for what they were told before. Handlers of changes are not: what is
   * stored already is no change. Default: false.
   */
  readonly tellAgain?: boolean | undefined
  /** Called every few deliveries. */
  readonly onProgress?: ((report: ReplayProgress) => Effect.Effect<void>) | undefined
}

export interface ReplayProgress extends ReplayReport {
  /** How many deliveries there were to replay, when it began. */
  readonly total: number
}

/** After a dry run it says what would have been. */
export interface ReplayReport {
  /** How many ran again. */
  readonly replayed: number
  /** How many of them are in another state than before. */
  readonly changed: number
  /** How many are in each state now. */
  readonly states: Readonly<Record<DeliveryState, number>>
  /** How many queued a notification. */
  readonly notified: number
  /** How many notifications that had been given up are told again, because they are about the same records. */
  readonly retried: number
  /** How many could not run, because their bodies were pruned, or are not kept. */
  readonly withoutBody: number
  /** How many could not run, because their bodies are encrypted and could not be decrypted here. */
  readonly encrypted: number
}

interface Ports {
  readonly store: BillingStoreService
  readonly dispatcher: typeof NotificationDispatcher.Service
  readonly policy: AccessPolicy
  readonly organizationId: string | undefined
  readonly askAppUsers: AskAppUsers
}

/** As many share a step, and so a commit: enough to be quick, and few enough not to keep others waiting. */
const stepSize = 20

/** As many that were given up go in one step. */
const retryStep = 100

const nothing: ReplayReport = {
  replayed: 0,
  changed: 0,
  states: { applied: 0, stale: 0, ignored: 0, unlinked: 0, failed: 0 },
  notified: 0,
  retried: 0,
  withoutBody: 0,
  encrypted: 0
}

/**
 * @example
 * Effect.flatMap(Billing.Billing, (billing) => billing.replay({ states: ["failed"] }))
 */
export const makeReplay = ({ askAppUsers, dispatcher, organizationId, policy, store }: Ports) => {
  const deliveryOf = ({ body, id, receivedAt }: RecordedDelivery): Option.Option<Delivery> =>
    body === null
      ? Option.none()
      : Option.some({
          id,
          receivedAt: receivedAt.getTime(),
          body,
          content: DeliveryContent.read(body, organizationId)
        })

  const retriedOf = (subscriptionIds: ReadonlyArray<string>, dryRun: boolean) =>
    dryRun
      ? Effect.map(store.countNotifications({ subjects: subscriptionIds }), ({ dead }) => dead)
      : Effect.iterate(
          { retried: 0, isOver: false },
          {
            while: ({ isOver }) => !isOver,
            body: ({ retried }) =>
              Effect.map(store.retryDeadNotifications({ subscriptionIds, limit: retryStep }), (step) => ({
                retried: retried + step.retried,
                isOver: step.retried + step.superseded < retryStep
              }))
          }
        ).pipe(Effect.map(({ retried }) => retried))

  const replayStep = (
    report: ReplayReport,
    recorded: Chunk.Chunk<RecordedDelivery>,
    { dryRun, hasDead, tellAgain }: { readonly dryRun: boolean; readonly hasDead: boolean; readonly tellAgain: boolean }
  ) =>
    Effect.gen(function* () {
      const deliveries = Chunk.toReadonlyArray(Chunk.filterMap(recorded, deliveryOf))
      const [first, ...rest] = deliveries
      const bodiless = Chunk.toReadonlyArray(recorded).filter(({ body }) => body === null)
      const encrypted = report.encrypted + bodiless.filter(({ isEncrypted }) => isEncrypted).length
      const withoutBody = report.withoutBody + bodiless.filter(({ isEncrypted }) => !isEncrypted).length
      if (first === undefined) return { ...report, withoutBody, encrypted }
      const outcomes = yield* store.applyDeliveries([first, ...rest], policy, {
        replay: true,
        tellAgain,
        dryRun,
        handlers: dispatcher.handlers,
        users: yield* askAppUsers.among(new Set(deliveries.flatMap(usersNamedIn)))
      })
      const before = new Map(Chunk.toReadonlyArray(recorded).map(({ id, state }) => [id, state]))
      const states = { ...report.states }
      let { changed, notified } = report
      for (const outcome of outcomes) {
        states[outcome.state] += 1
        if (before.get(outcome.id) !== outcome.state) changed += 1
        if (outcome.notified) notified += 1
      }
      // What the app did not take of these records, it is to be told again as well.
      const subscriptionIds = [...new Set(Chunk.toReadonlyArray(recorded).flatMap(({ recordId }) => recordId ?? []))]
      const again = hasDead && dispatcher.handlers.size > 0 ? yield* retriedOf(subscriptionIds, dryRun) : 0
      if ((notified > report.notified || again > 0) && !dryRun) yield* dispatcher.wake
      return {
        replayed: report.replayed + outcomes.length,
        changed,
        states,
        notified,
        retried: report.retried + again,
        withoutBody,
        encrypted
      }
    })

  return (
    query: ReplayQuery,
    { dryRun = false, onProgress, tellAgain = false }: ReplayOptions = {}
  ): Effect.Effect<ReplayReport, StoreError | UserLookupFailed> =>
    Effect.gen(function* () {
      const hasDead = (yield* store.countNotifications()).dead > 0
      const total = onProgress === undefined ? 0 : yield* store.countDeliveries(query)
      // What is replayed last is what came last; and what arrives while this runs has just been applied.
      return yield* oldestFirst(store, query).pipe(
        Stream.grouped(stepSize),
        Stream.runFoldEffect(nothing, (report, recorded) =>
          Effect.tap(replayStep(report, recorded, { dryRun, hasDead, tellAgain }), (progress) =>
            onProgress === undefined ? Effect.void : onProgress({ ...progress, total })
          )
        )
      )
    })
}

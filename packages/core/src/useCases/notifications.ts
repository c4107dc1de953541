/** The queue of what the app is told, as an operator and a test look at it. */
import * as Effect from "effect/Effect"
import type { BuryQuery, DeadNotification, DeadNotificationQuery } from "../records/Notification.ts"
import type { BillingStoreService, NotificationCounts } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import { audited } from "./audited.ts"
import type { NotificationDispatcher } from "./NotificationDispatcher.ts"

export interface Notifications {
  /** Those that were given up, the longest ago first. */
  readonly dead: (query?: DeadNotificationQuery) => Effect.Effect<ReadonlyArray<DeadNotification>, StoreError>
  /**
   * Has the app told again of those that were given up, each with all its attempts anew. Succeeds with how many. Without any
   * condition it is all of them. What is older than a state that was queued since, is told no more.
   */
  readonly retry: (query: DeadNotificationQuery) => Effect.Effect<number, StoreError>
  /**
   * Puts notifications aside, for good: those that were given up, and those whose last call failed and that nobody calls now. The app
   * is not told of them any more; of what changes later it is. Succeeds with how many.
   */
  readonly bury: (query: BuryQuery) => Effect.Effect<number, StoreError>
  /** How it stands with the queue. */
  readonly count: Effect.Effect<NotificationCounts, StoreError>
}

interface Ports {
  readonly store: BillingStoreService
  readonly dispatcher: typeof NotificationDispatcher.Service
}

/** So many go in one step. */
const stepSize = 100

/** Between two looks. */
const lookMillis = 50

export const makeNotifications = ({ dispatcher, store }: Ports): Notifications => {
  const count = Effect.tap(
    Effect.suspend(() => store.countNotifications({ handlers: dispatcher.handlers })),
    ({ dead, unsettled, waiting }) =>
      Effect.zipRight(
        Metrics.notificationsDead.update(dead, {}),
        Metrics.notificationsWaiting.update(unsettled + waiting, {})
      )
  )
  return {
    dead: (query) => store.deadNotifications(query),
    retry: ({ limit = Number.POSITIVE_INFINITY, ...query }) =>
      Effect.iterate(
        { done: 0, retried: 0, isOver: false },
        {
          while: ({ done, isOver }) => !isOver && done < limit,
          body: ({ done, retried }) => {
            const most = Math.min(stepSize, limit - done)
            return Effect.map(store.retryDeadNotifications({ ...query, limit: most }), (step) => ({
              done: done + step.retried + step.superseded,
              retried: retried + step.retried,
              isOver: step.retried + step.superseded < most
            }))
          }
        }
      ).pipe(
        Effect.tap(({ done }) => (done > 0 ? Effect.zipRight(dispatcher.wake, count) : Effect.void)),
        Effect.map(({ retried }) => retried)
      ),
    bury: ({ by, ids }) =>
      Effect.gen(function* () {
        const work = Effect.map(store.buryNotifications(ids), (buried) => buried.length)
        const [first] = ids
        const buried = yield* by === undefined
          ? work
          : Effect.flatMap(
              audited(
                store,
                {
                  who: by,
                  action: "notification.bury",
                  subject: ids.length === 1 && first !== undefined ? first : null,
                  detail: JSON.stringify({ ids })
                },
                work,
                (count) => `${count} of ${ids.length} were put aside.`
              ),
              ({ exit }) => exit
            )
        // What comes after them may be due.
        if (buried > 0) yield* Effect.zipRight(dispatcher.wake, count)
        return buried
      }),
    count
  }
}

/** Until nothing is due and nobody is being told anything: what is left waits for a further call, or was given up. */
export const untilSettled = ({ dispatcher, store }: Ports): Effect.Effect<NotificationCounts, StoreError> =>
  Effect.zipRight(
    dispatcher.wake,
    Effect.suspend(() => store.countNotifications({ handlers: dispatcher.handlers }))
  ).pipe(
    Effect.flatMap((counts) =>
      counts.unsettled === 0 ? Effect.succeed(counts) : Effect.as(Effect.sleep(lookMillis), counts)
    ),
    Effect.repeat({ until: ({ unsettled }) => unsettled === 0 })
  )

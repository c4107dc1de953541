/** The queue of what the app is told. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { DeadNotification, DeadNotificationQuery } from "../../records/Notification.ts"
import { type DeadNotificationRow, nobody } from "../../records/rows.ts"
import * as StoredJson from "../../records/storedJson.ts"
import { type HandlerNames, onlySubscriptions } from "../../rules/handlers.ts"
import type { UserId } from "../../values/ids.ts"
import type { BillingStoreService } from "../BillingStoreService.ts"
import { callTime } from "../callTime.ts"
import type { DeadRowQuery } from "../StoreDriver.ts"
import type { DriverCalls } from "./driverCalls.ts"
import type { ReadableNotifications } from "./readableNotifications.ts"

export const queueCalls = ({ ask, attempt, driver, span }: DriverCalls, readable: ReadableNotifications) =>
  ({
    claimNotifications: ({ handlers, lease, limit, owner }) =>
      Effect.gen(function* () {
        const time = yield* callTime
        const { nextDueIn, rows } = yield* attempt("claimNotifications", () =>
          driver.claimNotifications({
            owner,
            limit,
            handlers: namesOf(handlers),
            time,
            leaseMillis: Duration.toMillis(lease)
          })
        )
        const claimed = yield* readable(rows, owner)
        return { claimed, nextDueAt: nextDueIn === null || Number.isNaN(nextDueIn) ? null : time.now + nextDueIn }
      }),

    renewNotifications: (ids, { lease, owner }) =>
      Effect.flatMap(callTime, (time) =>
        attempt("renewNotifications", () =>
          driver.renewNotifications({ ids, owner, time, leaseMillis: Duration.toMillis(lease) })
        )
      ),

    completeNotifications: (ids, owner) =>
      Effect.flatMap(callTime, (time) =>
        attempt("completeNotifications", () => driver.completeNotifications({ ids, owner, time, leaseMillis: null }))
      ).pipe(Effect.map((completed) => completed.ids)),

    completeAndClaimNext: (ids, { lease, owner }) =>
      Effect.gen(function* () {
        const time = yield* callTime
        const { ids: completed, next } = yield* attempt("completeNotifications", () =>
          driver.completeNotifications({ ids, owner, time, leaseMillis: Duration.toMillis(lease) })
        )
        const claimed = yield* readable(next, owner)
        return { completed, claimed }
      }),

    retryNotification: (id, owner, error, delay) =>
      Effect.flatMap(callTime, (time) =>
        attempt("retryNotification", () =>
          driver.failNotification({
            id,
            owner,
            time,
            state: "pending",
            error,
            delayMillis: Math.ceil(Duration.toMillis(delay))
          })
        )
      ),

    giveUpNotification: (id, owner, error) =>
      Effect.flatMap(callTime, (time) =>
        attempt("giveUpNotification", () =>
          driver.failNotification({ id, owner, time, state: "dead", error, delayMillis: 0 })
        )
      ),

    deadNotifications: (query = {}) =>
      attempt("deadNotifications", () => driver.deadNotifications(deadRows(query))).pipe(
        Effect.map((rows) => rows.map(deadNotification)),
        span("deadNotifications")
      ),

    retryDeadNotifications: (query) =>
      Effect.flatMap(callTime, (time) => ask("retryDeadNotifications", () => driver.retryDead(deadRows(query), time))),

    buryNotifications: (ids) =>
      Effect.flatMap(callTime, (time) =>
        ids.length === 0 ? Effect.succeed([]) : ask("buryNotifications", () => driver.buryNotifications(ids, time))
      ),

    countNotifications: ({ handlers, subjects } = {}) =>
      Effect.flatMap(callTime, (time) =>
        subjects !== undefined && subjects.length === 0
          ? Effect.succeed({ unsettled: 0, waiting: 0, dead: 0 })
          : attempt("countNotifications", () =>
              driver.countNotifications({ subjects, handlers: namesOf(handlers), time })
            )
      ),

    oldestPending: (handlers) =>
      ask("oldestPending", () => driver.oldestPending(namesOf(handlers))).pipe(
        Effect.map((queuedAt) => Option.map(Option.fromNullable(queuedAt), (millis) => new Date(millis)))
      ),

    notifications: ({ limit = 100, states, userId }) =>
      ask("notifications", () => driver.notifications({ states, userId, limit })),

    deleteDoneNotifications: (before, limit) =>
      ask("deleteDoneNotifications", () => driver.deleteDoneNotifications(before.getTime(), limit))
  }) satisfies Partial<BillingStoreService>

const deadRows = (query: DeadNotificationQuery): DeadRowQuery => ({
  ids: query.ids,
  userId: query.userId,
  handlers: query.handler === undefined ? undefined : [query.handler],
  subjects: query.subscriptionIds ?? (query.subscriptionId === undefined ? undefined : [query.subscriptionId]),
  diedBefore: query.before?.getTime(),
  diedAfter: query.after?.getTime(),
  after:
    query.following === undefined ? undefined : { diedAt: query.following.diedAt.getTime(), id: query.following.id },
  limit: query.limit ?? 100
})

/** Each by itself: one that cannot be read is shown all the same. */
const deadNotification = (row: DeadNotificationRow): DeadNotification => ({
  id: row.id,
  handler: row.handler,
  // What is stored of a user's id was one.
  userId: row.userId === nobody ? null : (row.userId as UserId),
  subscription: row.handler === "onSubscriptionChange" ? Option.getOrNull(StoredJson.decodePayload(row.payload)) : null,
  attempts: row.attempts,
  error: row.lastError,
  queuedAt: new Date(row.createdAt),
  diedAt: new Date(row.diedAt)
})

const namesOf = (handlers: HandlerNames = onlySubscriptions): ReadonlyArray<string> => [...handlers]

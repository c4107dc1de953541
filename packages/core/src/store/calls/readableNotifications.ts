/** What can be read of notifications that were claimed. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type ClaimedNotificationRow, nobody } from "../../records/rows.ts"
import type { ClaimedNotification } from "../../rules/told.ts"
import type { UserId } from "../../values/ids.ts"
import { callTime } from "../callTime.ts"
import type { DeliveryBodies } from "../deliveryBodies.ts"
import type { DriverCalls } from "./driverCalls.ts"
import { makeReadTold } from "./readTold.ts"
import { setAside } from "./unreadableRows.ts"

/**
 * What can be read of these rows. One that no version has written is buried with the reason, where it holds up nobody and an
 * operator sees it; if that cannot be written now, it is claimed and buried another time.
 */
export type ReadableNotifications = (
  rows: ReadonlyArray<ClaimedNotificationRow>,
  owner: string
) => Effect.Effect<ReadonlyArray<ClaimedNotification>>

export const readableNotifications = (calls: DriverCalls, bodies: DeliveryBodies): ReadableNotifications => {
  const { attempt, driver } = calls
  const readTold = makeReadTold(calls, bodies)

  const readableOne = (row: ClaimedNotificationRow, owner: string): Effect.Effect<Option.Option<ClaimedNotification>> =>
    readTold(row).pipe(
      Effect.flatMap((told) => {
        if (Option.isNone(told)) return Effect.as(giveUp(row.id, owner), Option.none())
        const { attempts, createdAt, handler, id, subject, traceparent } = row
        // What is stored of a user's id was one.
        const userId = row.userId === nobody ? null : (row.userId as UserId)
        return Effect.succeed(
          Option.some({
            id,
            handler,
            subject,
            userId,
            attempt: attempts,
            queuedAt: new Date(createdAt),
            traceparent,
            told: told.value
          })
        )
      }),
      // It comes again when its lease ends.
      Effect.catchAll((failure) =>
        Effect.as(
          Effect.logWarning("What is to be told could not be read; trying again.").pipe(
            Effect.annotateLogs({ notification: row.id, error: failure.message })
          ),
          Option.none()
        )
      )
    )

  const giveUp = (id: string, owner: string) =>
    Effect.gen(function* () {
      const error = "The payload is not as any version writes it, so nobody can be told of it."
      yield* setAside("notification", id)
      const time = yield* callTime
      yield* attempt("giveUpNotification", () =>
        driver.failNotification({ id, owner, time, state: "dead", error, delayMillis: 0 })
      ).pipe(Effect.catchAll((failure) => Effect.logWarning(failure.message)))
    })

  return (rows, owner) =>
    Effect.map(
      Effect.forEach(rows, (row) => Effect.map(readableOne(row, owner), Option.toArray)),
      (claimed) => claimed.flat()
    )
}

/** Reading the inbox for people: the newest deliveries, and what the app was told because of one. */
import type { BillingStoreService } from "@kavach-polar/core/BillingStore"
import type { DeliveryState, RecordedDelivery } from "@kavach-polar/core/Delivery"
import type { NotificationState } from "@kavach-polar/core/Notification"
import * as Effect from "effect/Effect"

export interface NewestQuery {
  readonly states: ReadonlyArray<DeliveryState> | undefined
  readonly types: ReadonlyArray<string> | undefined
  readonly userId: string | undefined
  readonly receivedAfter: Date | undefined
  readonly receivedBefore: Date | undefined
  readonly limit: number
}

const pageSize = 200

/** The newest first. No index finds a user's or a type's, so that the inbox is gone through, a page at a time. */
export const newestDeliveries = (
  { deliveries }: BillingStoreService,
  { limit, types, userId, ...query }: NewestQuery
) =>
  Effect.gen(function* () {
    const found = new Map<string, RecordedDelivery>()
    const seen = new Set<string>()
    let before = query.receivedBefore
    let size = pageSize
    while (true) {
      const page: ReadonlyArray<RecordedDelivery> = yield* deliveries({
        ...query,
        receivedBefore: before,
        limit: size,
        decrypt: false
      })
      const fresh = page.filter(({ id }) => !seen.has(id))
      for (const one of fresh) {
        seen.add(one.id)
        const isWanted = (types?.includes(one.type) ?? true) && (userId === undefined || one.userId === userId)
        if (isWanted && found.size < limit) found.set(one.id, one)
      }
      const last = page.at(-1)
      if (last === undefined || page.length < size || found.size >= limit) return [...found.values()]
      // Of those of one time some may be on either side of a page's edge: where that is all of a page, a larger one is read.
      if (fresh.length === 0) size *= 2
      before = new Date(last.receivedAt.getTime() + 1)
    }
  })

export interface Told {
  readonly handler: string
  readonly state: NotificationState
  readonly attempts: number
  readonly error: string | null
}

/** The delivery, and the calls of the app's handlers that it led to; `undefined` when there is none with this id. */
export const notificationsOf = ({ deliveries, notifications }: BillingStoreService, id: string) =>
  Effect.gen(function* () {
    const [delivery] = yield* deliveries({ ids: [id], limit: 1 })
    if (delivery === undefined) return undefined
    const { eventAt, userId } = delivery
    if (eventAt === null || userId === null) return { delivery, told: [] }
    const all = yield* notifications({
      states: ["pending", "done", "superseded", "dead", "buried"],
      userId,
      limit: mostNotifications
    })
    const told = all
      .filter((one) => one.eventAt === eventAt)
      .map(({ attempts, handler, lastError, state }): Told => ({ handler, state, attempts, error: lastError }))
    return { delivery, told }
  })

const mostNotifications = 10_000

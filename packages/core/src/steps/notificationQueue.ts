/**
 * What one step queues for the app to be told: it lives in the step's working copy, asks the rules whether there is anything to
 * tell, and gives each its place in the order of its subject.
 */
import type { Lease, QueuedNotificationRow, RecordFact } from "../records/rows.ts"
import { nobody } from "../records/rows.ts"
import type { Access, AccessPolicy } from "../rules/AccessPolicy.ts"
import { type AccessCause, isFlip, notedAccess } from "../rules/accessChange.ts"
import { benefitChanges, benefitsIn } from "../rules/benefitChange.ts"
import { withDetails } from "../rules/changedSubscription.ts"
import { isErased } from "../rules/erasure.ts"
import { type HandlerNames, handlersOfEvent, onlySubscriptions } from "../rules/handlers.ts"
import { isNewlyPaid, newlyRefunded } from "../rules/orderChange.ts"
import { notificationOf, notificationsOfMove } from "../rules/whenToNotify.ts"
import { shortHash } from "../values/shortHash.ts"
import type { Facts, RecordId } from "./Step.ts"
import * as Subjects from "./subjects.ts"

/** What a step may claim of the notifications that it queues. */
export interface StepClaim {
  readonly owner: string
  readonly limit: number
  readonly leaseMillis: number
}

export interface QueueOptions {
  readonly policy: AccessPolicy
  /** Epoch milliseconds. */
  readonly now: number
  /** Who delivers at once what is queued, as much of it as there is room for. */
  readonly claim?: StepClaim | undefined
  /** Whoever is to be told. Default: who hears of subscriptions. */
  readonly handlers?: HandlerNames | undefined
}

/** An event that was received, as far as its handlers' queues go by it. */
export interface HappenedEvent {
  readonly deliveryId: string
  readonly type: string
  /** Epoch microseconds. */
  readonly at: number
  readonly precedence: number
  readonly record: RecordId | null
  readonly userId: string | null
  /** Told before, and to be told once more. */
  readonly isAgain: boolean
}

export interface NotificationQueue {
  /** What is queued from here on is of this trace. */
  readonly tracedAs: (traceparent: string | null) => void
  /**
   * A record became `after`. `isNamed`: the step's keys name it, so it is known whether anything of it is untold, and what is
   * queued may be claimed.
   */
  readonly recordChanged: (before: RecordFact | undefined, after: RecordFact, isNamed: boolean) => void
  /** A record's state stays as it is, and its user becomes another, or nobody. */
  readonly recordMoved: (before: RecordFact, after: RecordFact) => void
  readonly eventHappened: (event: HappenedEvent) => void
  /** What these users have of `records` may be another than when this was asked before, or than the step has found. */
  readonly usersChanged: (userIds: Iterable<string>, records: Iterable<RecordFact>, cause: AccessCause) => void
  readonly size: () => number
  readonly rows: () => ReadonlyArray<QueuedNotificationRow>
}

type Told = Omit<QueuedNotificationRow, "createdAt" | "lease" | "traceparent">

/** What a move of a record takes of the places after its state: who had it is told, and who has it. */
const mostOfMove = 2

export const make = (
  facts: Facts,
  { claim, handlers = onlySubscriptions, now, policy }: QueueOptions
): NotificationQueue => {
  const rows = new Map<string, QueuedNotificationRow>()
  // Of which something is to be told first, in this step's order or an earlier one's; and the place of the last of it.
  const untold = new Map(facts.untold.map(({ eventAt, subject }) => [subject, eventAt]))
  let room = claim?.limit ?? 0
  let traceparent: string | null = null

  const leaseOn = (subject: string): Lease | null => {
    if (claim === undefined || room <= 0 || untold.has(subject)) return null
    room--
    return { owner: claim.owner, millis: claim.leaseMillis }
  }

  const queue = (told: Told, mayClaim: boolean) => {
    // The app knows nobody of that name.
    if (isErased(told.userId)) return
    const lease = mayClaim ? leaseOn(told.subject) : null
    untold.set(told.subject, Math.max(told.eventAt, untold.get(told.subject) ?? 0))
    rows.set(told.id, { ...told, createdAt: now, lease, traceparent })
  }

  const stateChanged = (before: RecordFact | undefined, after: RecordFact, isNamed: boolean) => {
    if (!handlers.has("onSubscriptionChange")) return
    const payload = notificationOf(before, after)
    if (payload === undefined || after.userId === null) return
    const isSameState = before?.eventAt === after.eventAt && before.precedence === after.precedence
    // What only the clock has changed comes after what Polar said and whom it was given to, and before what Polar will say.
    const isByClock = isSameState && before.userId !== null
    const version = `${after.id}:${after.eventAt}:${after.precedence}`
    // Who had it until a link was ended was told of the same state: that it is whose it is now has not been told.
    const isGiven = isSameState && before.userId === null
    queue(
      {
        id: isByClock ? `${version}:clock` : isGiven ? `${version}:${now}:${shortHash(after.userId)}` : version,
        handler: "onSubscriptionChange",
        subject: Subjects.recordSubject(after),
        userId: after.userId,
        eventAt: after.eventAt,
        precedence: after.precedence + (isByClock ? 1 + mostOfMove : 0),
        payload: withDetails(payload, after, { policy, now, isLost: false })
      },
      isNamed
    )
  }

  const orderChanged = (before: RecordFact | undefined, after: RecordFact, isNamed: boolean) => {
    if (after.kind !== "order" || after.userId === null) return
    const { eventAt, id, precedence, userId } = after
    const told = (handler: "onPurchase" | "onRefund", payload: object, name: string) => {
      if (!handlers.has(handler)) return
      const subject = Subjects.orderSubject(handler, id)
      queue(
        {
          id: `${handler}:${id}${name}`,
          handler,
          subject,
          userId,
          eventAt,
          precedence,
          payload: JSON.stringify(payload)
        },
        isNamed
      )
    }
    if (isNewlyPaid(before, after)) told("onPurchase", { orderId: id }, "")
    const refunded = newlyRefunded(before, after)
    if (refunded !== undefined)
      told("onRefund", { orderId: id, ...refunded }, `:${refunded.total}:${eventAt}:${precedence}`)
  }

  /**
   * Its place is after whatever else is queued of the subject. `version` tells this change from every other, so that it is never
   * taken for one that was queued before.
   */
  const next = (
    handler: "onAccessChange" | "onBenefitChange",
    subject: string,
    userId: string,
    { payload, version }: { readonly payload: object; readonly version: string }
  ) => {
    const eventAt = Math.max(now * 1000, (untold.get(subject) ?? 0) + 1)
    const id = `${subject}:${eventAt}:${shortHash(version)}`
    queue({ id, handler, subject, userId, eventAt, precedence: 0, payload: JSON.stringify(payload) }, true)
  }

  // As the app knows them: as the step has found them, and then as they were told last.
  const accesses = new Map<string, Access>()
  const benefits = new Map<string, ReadonlyMap<string, string>>()

  const accessIn = (records: Iterable<RecordFact>, userId: string): Access =>
    notedAccess(
      policy,
      [...records].filter((fact) => fact.kind === "subscription" && fact.userId === userId),
      now
    )

  const statesOf = (records: Iterable<RecordFact>, userId: string): string =>
    JSON.stringify(
      [...records].flatMap(({ eventAt, id, lapsedAt, precedence, userId: owner }) =>
        owner === userId ? [[id, eventAt, precedence, lapsedAt]] : []
      )
    )

  const accessChanged = (userId: string, records: ReadonlyArray<RecordFact>, cause: AccessCause) => {
    const before = accesses.get(userId) ?? accessIn(facts.records, userId)
    const after = accessIn(records, userId)
    accesses.set(userId, after)
    if (!isFlip(before, after)) return
    next("onAccessChange", Subjects.accessSubject(userId), userId, {
      payload: { before, after, cause },
      version: `${JSON.stringify([before, after, cause])} ${statesOf(records, userId)}`
    })
  }

  const benefitsChanged = (userId: string, records: ReadonlyArray<RecordFact>) => {
    const before = benefits.get(userId) ?? benefitsIn(facts.records, userId)
    const after = benefitsIn(records, userId)
    benefits.set(userId, after)
    for (const change of benefitChanges(before, after)) {
      next("onBenefitChange", Subjects.benefitSubject(userId, change.benefitId), userId, {
        payload: change,
        version: `${JSON.stringify(change)} ${statesOf(records, userId)}`
      })
    }
  }

  return {
    tracedAs: (of) => {
      traceparent = of
    },
    recordChanged: (before, after, isNamed) => {
      stateChanged(before, after, isNamed)
      orderChanged(before, after, isNamed)
    },
    recordMoved: (before, after) => {
      if (!handlers.has("onSubscriptionChange")) return
      // Both come after what was told of this state before.
      for (const [place, { payload, userId }] of notificationsOfMove(before, after).entries()) {
        queue(
          {
            id: `${after.id}:${after.eventAt}:${after.precedence}:${now}:${shortHash(`${place} ${userId}`)}`,
            handler: "onSubscriptionChange",
            subject: userId === after.userId ? Subjects.recordSubject(after) : Subjects.lostSubject(after, userId),
            userId,
            eventAt: after.eventAt,
            precedence: after.precedence + 1 + place,
            payload: withDetails(payload, after, { policy, now, isLost: userId !== after.userId })
          },
          false
        )
      }
    },
    eventHappened: ({ at, deliveryId, isAgain, precedence, record, type, userId }) => {
      for (const handler of handlersOfEvent(handlers, type)) {
        queue(
          {
            id: `${handler}:${deliveryId}${isAgain ? `:${now}` : ""}`,
            handler,
            subject: Subjects.eventSubject(handler, deliveryId, record),
            userId: userId ?? nobody,
            eventAt: at,
            precedence,
            payload: JSON.stringify({ deliveryId })
          },
          true
        )
      }
    },
    usersChanged: (userIds, records, cause) => {
      const [hearsAccess, hearsBenefits] = [handlers.has("onAccessChange"), handlers.has("onBenefitChange")]
      if (!hearsAccess && !hearsBenefits) return
      const known = [...records]
      for (const userId of userIds) {
        if (hearsAccess) accessChanged(userId, known, cause)
        if (hearsBenefits) benefitsChanged(userId, known)
      }
    },
    size: () => rows.size,
    rows: () => [...rows.values()]
  }
}

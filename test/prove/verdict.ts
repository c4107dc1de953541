/**
 * What has to be true once everything was delivered: of the database, and of what the app was told. It compares with what
 * was sent and acknowledged, and with the model in `Story`; of the product it uses nothing.
 */
import type { SentDelivery } from "./PolarSender.ts"
import { flagOf, millisOf, type ProofDatabase, type Row, textOf } from "./ProofDatabase.ts"
import { readDiary, type ServerUnderTest } from "./ServerUnderTest.ts"
import { projectionOf, type Shown, type Story, sameShown } from "./Story.ts"

export interface Evidence {
  readonly database: ProofDatabase
  readonly sent: ReadonlyMap<string, SentDelivery>
  readonly stories: ReadonlyArray<Story>
  /** Every process that there was. */
  readonly servers: ReadonlyArray<ServerUnderTest>
  /** Whether the database was away, so that a living process could not settle what it had told. */
  readonly hadOutages?: boolean
}

export interface Verdict {
  readonly violations: ReadonlyArray<string>
  readonly notifications: number
  /** Notifications told more than once. */
  readonly doubled: number
  readonly stale: number
}

interface Told extends SentDelivery {
  readonly shown: Shown
  readonly userId: string
}

export const judge = async ({ database, hadOutages = false, sent, servers, stories }: Evidence): Promise<Verdict> => {
  const violations: Array<string> = []
  const say = (sentence: string) => violations.push(sentence)

  const inbox = new Map(
    (await database.read("SELECT * FROM kavach_polar_deliveries")).map((row) => [String(row["id"]), row])
  )
  judgeInbox(inbox, sent, say)

  const histories = historiesOf(sent)
  judgeOrder(inbox, histories, say)
  await judgeSubscriptions(database, histories, say)
  await judgeProjections(database, histories, stories, sent, say)

  const due = new Map(
    [...histories].map(([id, history]) => [id, dueOf(history.filter(({ event }) => isApplied(inbox.get(event.id))))])
  )
  await judgeQueue(database, due, say)
  const calls = callsOf(servers)
  const doubled = judgeCalls(calls, due, hadOutages, say)
  let stale = 0
  for (const row of inbox.values()) stale += row["state"] === "stale" ? 1 : 0
  let notifications = 0
  for (const list of due.values()) notifications += list.length
  return { violations, notifications, doubled, stale }
}

type Say = (sentence: string) => void

const isApplied = (row: Row | undefined): boolean => row?.["state"] === "applied"

/** The events of each subscription, in the order of Polar. */
const historiesOf = (sent: Evidence["sent"]): ReadonlyMap<string, ReadonlyArray<Told>> => {
  const histories = new Map<string, Array<Told>>()
  for (const delivery of sent.values()) {
    const { told } = delivery.event
    if (told === null) continue
    const history = histories.get(told.life.id) ?? []
    history.push(Object.assign(delivery, { shown: told.shown, userId: told.life.userId }))
    histories.set(told.life.id, history)
  }
  for (const history of histories.values()) history.sort((a, b) => a.event.at - b.event.at)
  return histories
}

const judgeInbox = (inbox: ReadonlyMap<string, Row>, sent: Evidence["sent"], say: Say): void => {
  for (const { acknowledgedAt, event } of sent.values()) {
    const row = inbox.get(event.id)
    if (acknowledgedAt === undefined) {
      say(`Delivery ${event.id} (${event.type}) was never acknowledged, however often it was delivered.`)
    } else if (row === undefined) {
      say(`Delivery ${event.id} (${event.type}) was acknowledged and is not in the inbox.`)
    } else if (row["body"] !== event.body || row["type"] !== event.type) {
      say(`Delivery ${event.id} is not in the inbox as it was sent.`)
    } else if (event.told === null && !isApplied(row)) {
      say(`Delivery ${event.id} (${event.type}) is ${row["state"]} in the inbox, and should be applied.`)
    }
  }
  for (const id of inbox.keys()) if (!sent.has(id)) say(`The inbox has a delivery ${id} that nobody sent.`)
}

/** Whether an event was new when it came follows from when the others were sent and acknowledged. */
const judgeOrder = (
  inbox: ReadonlyMap<string, Row>,
  histories: ReadonlyMap<string, ReadonlyArray<Told>>,
  say: Say
): void => {
  for (const history of histories.values()) {
    for (const [place, { acknowledgedAt, event, firstSentAt }] of history.entries()) {
      const row = inbox.get(event.id)
      if (row === undefined || acknowledgedAt === undefined) continue
      const newer = history.slice(place + 1)
      const state = String(row["state"])
      if (newer.every((other) => other.firstSentAt > acknowledgedAt) && state !== "applied") {
        say(`Delivery ${event.id} (${event.type}) was the newest of its subscription when it came, and is ${state}.`)
      }
      if (newer.some((other) => (other.acknowledgedAt ?? Infinity) < firstSentAt) && state !== "stale") {
        say(`Delivery ${event.id} (${event.type}) came after a newer one was acknowledged, and is ${state}.`)
      }
    }
  }
}

const judgeSubscriptions = async (
  database: ProofDatabase,
  histories: ReadonlyMap<string, ReadonlyArray<Told>>,
  say: Say
): Promise<void> => {
  const rows = new Map(
    (await database.read("SELECT * FROM kavach_polar_subscriptions")).map((row) => [String(row["id"]), row])
  )
  for (const [id, history] of histories) {
    const newest = history.at(-1)
    const row = rows.get(id)
    if (newest === undefined) continue
    if (row === undefined) {
      say(`Subscription ${id} is not stored; the newest event of it is ${newest.event.id}.`)
      continue
    }
    const stored: Shown = {
      id,
      status: String(row["status"]),
      productId: String(row["product_id"]),
      currentPeriodEnd: millisOf(row["current_period_end"]) ?? 0,
      cancelAtPeriodEnd: flagOf(row["cancel_at_period_end"])
    }
    if (
      !sameShown(stored, newest.shown) ||
      row["delivery_id"] !== newest.event.id ||
      row["user_id"] !== newest.userId
    ) {
      say(
        `Subscription ${id} is stored as ${JSON.stringify(stored)} of user ${row["user_id"]} by delivery ${row["delivery_id"]}; ` +
          `the newest event is ${newest.event.id}: ${JSON.stringify(newest.shown)} of user ${newest.userId}.`
      )
    }
  }
  for (const id of rows.keys()) if (!histories.has(id)) say(`A subscription ${id} is stored that nobody sent.`)
}

const judgeProjections = async (
  database: ProofDatabase,
  histories: ReadonlyMap<string, ReadonlyArray<Told>>,
  stories: ReadonlyArray<Story>,
  sent: Evidence["sent"],
  say: Say
): Promise<void> => {
  const rows = new Map((await database.read("SELECT * FROM kavach_users")).map((row) => [String(row["id"]), row]))
  const newestOf = new Map<string, Array<Shown>>()
  for (const history of histories.values()) {
    const newest = history.at(-1)
    if (newest === undefined) continue
    newestOf.set(newest.userId, [...(newestOf.get(newest.userId) ?? []), newest.shown])
  }
  const met = new Set(
    [...sent.values()].map(({ event }) => JSON.parse(event.body).data.customer?.id ?? JSON.parse(event.body).data.id)
  )
  for (const { customerId, userId } of stories) {
    if (!met.has(customerId)) continue
    const row = rows.get(userId)
    const expected = projectionOf(customerId, newestOf.get(userId) ?? [])
    const shown = {
      customerId: textOf(row?.["polar_customer_id"]),
      subscriptionId: textOf(row?.["polar_subscription_id"]),
      status: textOf(row?.["polar_subscription_status"]),
      productId: textOf(row?.["polar_product_id"]),
      currentPeriodEnd: millisOf(row?.["polar_current_period_end"]),
      cancelAtPeriodEnd: flagOf(row?.["polar_cancel_at_period_end"])
    }
    const differs = Object.entries(expected).some(([field, value]) => Reflect.get(shown, field) !== value)
    if (differs) {
      say(
        `kavach_users shows ${JSON.stringify(shown)} for user ${userId}, and should show ${JSON.stringify(expected)}.`
      )
    }
  }
}

/** What the app has to be told of the states that were stored, one after the other: each that looks different. */
const dueOf = (applied: ReadonlyArray<Told>): ReadonlyArray<Told> =>
  applied.filter((told, place) => {
    const before = applied[place - 1]
    return before === undefined || !sameShown(before.shown, told.shown)
  })

const judgeQueue = async (
  database: ProofDatabase,
  due: ReadonlyMap<string, ReadonlyArray<Told>>,
  say: Say
): Promise<void> => {
  const rows = await database.read("SELECT id, subscription_id, event_at, state FROM kavach_polar_notifications")
  const keyOf = (subscription: unknown, at: unknown) => `subscription ${subscription} of the event at ${at}`
  const queued = new Map(rows.map((row) => [keyOf(row["subscription_id"], row["event_at"]), row]))
  for (const [id, list] of due) {
    for (const { event } of list) {
      const key = keyOf(id, event.at)
      const row = queued.get(key)
      if (row === undefined) say(`No notification was queued for ${key} (delivery ${event.id}).`)
      else if (row["state"] !== "done") say(`The notification ${row["id"]} is still ${row["state"]} at the end.`)
      queued.delete(key)
    }
  }
  for (const key of queued.keys()) say(`A notification was queued for ${key}, where nothing looks different.`)
}

interface Call {
  readonly id: string
  readonly userId: string
  readonly shown: Shown
  readonly server: ServerUnderTest
  readonly begunAt: number
  readonly endedAt: number | undefined
  readonly settledAt: number | undefined
}

/** All calls of the app's callback, in the order in which they began. */
const callsOf = (servers: Evidence["servers"]): ReadonlyArray<Call> => {
  const calls: Array<Call> = []
  for (const server of servers) {
    const open = new Map<string, { -readonly [Key in keyof Call]: Call[Key] }>()
    for (const record of readDiary(server.diary)) {
      const call = open.get(record.id)
      if (record.what === "begun") {
        const begun = { ...record, server, begunAt: record.at, endedAt: undefined, settledAt: undefined }
        open.set(record.id, begun)
        calls.push(begun)
      } else if (call !== undefined && record.what === "ended") {
        call.endedAt = record.at
      } else if (call !== undefined && record.what === "settled") {
        call.settledAt = record.at
      }
    }
  }
  return calls.sort((a, b) => a.begunAt - b.begunAt)
}

/** How many notifications were told more than once. */
const judgeCalls = (
  calls: ReadonlyArray<Call>,
  due: ReadonlyMap<string, ReadonlyArray<Told>>,
  hadOutages: boolean,
  say: Say
): number => {
  const bySubscription = new Map<string, Array<Call>>()
  for (const call of calls) {
    bySubscription.set(call.shown.id, [...(bySubscription.get(call.shown.id) ?? []), call])
  }
  let doubled = 0
  for (const [id, list] of bySubscription) {
    const first = new Map<string, Call>()
    const again = new Set<string>()
    let before: Call | undefined
    for (const call of list) {
      const earlier = first.get(call.id)
      if (earlier === undefined) first.set(call.id, call)
      else {
        again.add(call.id)
        judgeRepetition(
          list.filter((other) => other.id === call.id && other.begunAt <= call.begunAt),
          hadOutages,
          say
        )
      }
      if (before !== undefined) judgeTurn(before, call, say)
      before = call
    }
    doubled += again.size
    const expected = due.get(id) ?? []
    const told = [...first.values()]
    const wrong = expected.findIndex((one, place) => {
      const call = told[place]
      return call === undefined || !sameShown(call.shown, one.shown) || call.userId !== one.userId
    })
    if (wrong !== -1 || told.length !== expected.length) {
      say(
        `Of subscription ${id} the app was told ${JSON.stringify(told.map(({ shown }) => shown))}, ` +
          `and should have been told ${JSON.stringify(expected.map(({ shown }) => shown))} in this order.`
      )
    }
    const last = list.at(-1)
    const newest = expected.at(-1)
    if (last !== undefined && newest !== undefined && !sameShown(last.shown, newest.shown)) {
      say(
        `The last that the app was told of subscription ${id} is ${JSON.stringify(last.shown)}, which is not its state.`
      )
    }
  }
  for (const [id, list] of due) {
    if (list.length > 0 && !bySubscription.has(id)) say(`The app was told nothing of subscription ${id}.`)
  }
  return doubled
}

/** A notification is told again only if the process that told it was killed before that was settled. */
const judgeRepetition = (calls: ReadonlyArray<Call>, hadOutages: boolean, say: Say): void => {
  const last = calls.at(-1)
  const before = calls.at(-2)
  if (last === undefined || before === undefined) return
  if (before.settledAt !== undefined) {
    say(`Notification ${last.id} was told again after it was settled.`)
  } else if (!hadOutages && (before.server.killedAt() ?? Infinity) > last.begunAt) {
    say(`Notification ${last.id} was told again although the process that was telling it was alive.`)
  }
}

/** Of one subscription a call begins when the one before it is over, or its process is dead. */
const judgeTurn = (before: Call, call: Call, say: Say): void => {
  const over = Math.min(before.endedAt ?? Infinity, before.server.killedAt() ?? Infinity)
  if (over > call.begunAt) say(`Notification ${call.id} was told while ${before.id} of the same subscription was.`)
}

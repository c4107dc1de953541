/**
 * What has to be true once everything was delivered: of the database, and of what the app was told. It compares with what
 * was sent and acknowledged, and with the model in `Story`; of the product it uses nothing.
 */
import { isKeptAs } from "./keptBody.ts"
import { callsOf, dueOf, judgeCalls, judgeQueue, judgeSettled, type Say, type Told } from "./notified.ts"
import type { SentDelivery } from "./PolarSender.ts"
import { flagOf, millisOf, type ProofDatabase, type Row, textOf } from "./ProofDatabase.ts"
import type { ServerUnderTest } from "./ServerUnderTest.ts"
import { asOf, type Entitlement, entitlementOf, projectionOf, type Shown, type Story, sameShown } from "./Story.ts"

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
  /** Calls that were not known to be settled when their process was killed. */
  readonly cutShort: number
  readonly stale: number
}

export const judge = async ({ database, hadOutages = false, sent, servers, stories }: Evidence): Promise<Verdict> => {
  const violations: Array<string> = []
  const say = (sentence: string) => violations.push(sentence)

  const inbox = await inboxOf(database)
  judgeInbox(inbox, sent, say)

  const histories = historiesOf(sent)
  judgeOrder(inbox, histories, say)
  await judgeSubscriptions(database, histories, say)
  await judgeProjections(database, histories, stories, sent, say)

  const due = new Map(
    [...histories].map(([id, history]) => [id, dueOf(history.filter(({ event }) => isApplied(inbox.get(event.id))))])
  )
  const notifications = await judgeQueue(database, due, say)
  const calls = callsOf(servers, "begun")
  const doubled = judgeCalls(calls, due, hadOutages, say)
  if (!hadOutages) judgeSettled(calls, database, say)
  let stale = 0
  for (const row of inbox.values()) stale += row["state"] === "stale" ? 1 : 0
  const cutShort = calls.filter(({ server, settledAt }) => settledAt === undefined && server.killedAt() !== undefined)
  return { violations, notifications, doubled, cutShort: cutShort.length, stale }
}

/** Page by page: with all bodies at once it is more than libSQL's server answers with. */
const inboxOf = async (database: ProofDatabase): Promise<ReadonlyMap<string, Row>> => {
  const inbox = new Map<string, Row>()
  for (let after = ""; ; ) {
    const rows = await database.read(
      `SELECT * FROM kavach_polar_deliveries WHERE id > '${after}' ORDER BY id LIMIT 500`
    )
    for (const row of rows) inbox.set(String(row["id"]), row)
    const last = rows.at(-1)
    if (last === undefined) return inbox
    after = String(last["id"])
  }
}

const isApplied = (row: Row | undefined): boolean => row?.["state"] === "applied"

/** What each user's access is, once everything was delivered. */
export const accessDue = (sent: Evidence["sent"], now: number): ReadonlyMap<string, Entitlement> => {
  const due = new Map<string, Entitlement>()
  for (const history of historiesOf(sent).values()) {
    const newest = history.at(-1)
    if (newest === undefined) continue
    const entitlement = entitlementOf(newest, now)
    // A user has at most one that is not over.
    if (entitlement !== "denied" || !due.has(newest.userId)) due.set(newest.userId, entitlement)
  }
  return due
}

/** When the clock ends the last that it may end. */
export const lastLapse = (sent: Evidence["sent"]): number =>
  Math.max(0, ...[...sent.values()].map(({ event }) => event.told?.lapsesAt ?? 0))

/** The events of each subscription, in the order of Polar. */
const historiesOf = (sent: Evidence["sent"]): ReadonlyMap<string, ReadonlyArray<Told>> => {
  const histories = new Map<string, Array<Told>>()
  for (const delivery of sent.values()) {
    const { told } = delivery.event
    if (told === null) continue
    const history = histories.get(told.life.id) ?? []
    const { byClock, userId } = told.life
    history.push({ ...delivery, shown: told.shown, lapsesAt: told.lapsesAt, userId, byClock })
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
    } else if (!isKeptAs(row["body"], event.body, row["state"] === "ignored") || row["type"] !== event.type) {
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
    newestOf.set(newest.userId, [...(newestOf.get(newest.userId) ?? []), asOf(newest, Date.now())])
  }
  const met = new Set([...sent.values()].map(({ event }) => event.userId))
  for (const { customerId, userId } of stories) {
    if (!met.has(userId)) continue
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

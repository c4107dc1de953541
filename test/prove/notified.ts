/** What has to be true of notifications: those that were queued, and the calls that processes wrote down. */
import type { SentDelivery } from "./PolarSender.ts"
import type { ProofDatabase } from "./ProofDatabase.ts"
import { readDiary, type ServerUnderTest } from "./ServerUnderTest.ts"
import { type Shown, sameShown } from "./Story.ts"

/** Takes down a violation. */
export type Say = (sentence: string) => void

/** A delivery that tells of a subscription. */
export interface Told extends SentDelivery {
  readonly shown: Shown
  readonly userId: string
}

/** What the app has to be told of the states that were stored, one after the other: each that looks different. */
export const dueOf = (applied: ReadonlyArray<Told>): ReadonlyArray<Told> =>
  applied.filter((told, place) => {
    const before = applied[place - 1]
    return before === undefined || !sameShown(before.shown, told.shown)
  })

export const judgeQueue = async (
  database: ProofDatabase,
  due: ReadonlyMap<string, ReadonlyArray<Told>>,
  say: Say
): Promise<void> => {
  const rows = await database.read("SELECT id, subject, event_at, state FROM kavach_polar_notifications")
  const keyOf = (subscription: unknown, at: unknown) => `subscription ${subscription} of the event at ${at}`
  const queued = new Map(rows.map((row) => [keyOf(row["subject"], row["event_at"]), row]))
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

export interface Call {
  readonly id: string
  readonly userId: string
  readonly shown: Shown
  readonly server: ServerUnderTest
  readonly begunAt: number
  readonly endedAt: number | undefined
  readonly settledAt: number | undefined
}

/** All calls of the app's callback, in the order in which they began. */
export const callsOf = (servers: ReadonlyArray<ServerUnderTest>): ReadonlyArray<Call> => {
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
export const judgeCalls = (
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

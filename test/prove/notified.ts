/** What has to be true of notifications: those that were queued, and the calls that processes wrote down. */
import type { SentDelivery } from "./PolarSender.ts"
import type { ProofDatabase } from "./ProofDatabase.ts"
import { type CallRecord, readDiary, type ServerUnderTest } from "./ServerUnderTest.ts"
import { asOf, type Shown, sameShown } from "./Story.ts"

/** Takes down a violation. */
export type Say = (sentence: string) => void

/** A delivery that tells of a subscription. */
export interface Told extends SentDelivery {
  readonly shown: Shown
  readonly lapsesAt: number | null
  readonly userId: string
  /** Whether the clock ends what it gives: then what is told depends on when it is looked at. */
  readonly byClock: boolean
}

/** What the app has to be told of the states that were stored, one after the other: each that looks different. */
export const dueOf = (applied: ReadonlyArray<Told>): ReadonlyArray<Told> =>
  applied.filter((told, place) => {
    const before = applied[place - 1]
    // Of one that the clock may have ended meanwhile, each may look different.
    return told.byClock || before === undefined || !sameShown(before.shown, told.shown)
  })

/** How many were queued. */
export const judgeQueue = async (
  database: ProofDatabase,
  due: ReadonlyMap<string, ReadonlyArray<Told>>,
  say: Say
): Promise<number> => {
  const rows = await database.read(
    "SELECT id, subject, event_at, state FROM kavach_polar_notifications WHERE handler = 'onSubscriptionChange'"
  )
  const keyOf = (subscription: unknown, at: unknown) => `subscription ${subscription} of the event at ${at}`
  for (const { id, state } of rows) {
    if (state !== "done") say(`The notification ${id} is still ${state} at the end.`)
  }
  const queued = new Set(rows.map((row) => keyOf(row["subject"], row["event_at"])))
  for (const [id, list] of due) {
    for (const { byClock, event } of list) {
      const key = keyOf(id, event.at)
      const isQueued = queued.delete(key)
      if (!isQueued && !byClock) say(`No notification was queued for ${key} (delivery ${event.id}).`)
    }
  }
  for (const key of queued) say(`A notification was queued for ${key}, where nothing looks different.`)
  return rows.length
}

/** A line that says that a call has begun. */
type Begun = Extract<CallRecord, { readonly what: "begun" | "flipped" }>

interface CallTimes {
  readonly server: ServerUnderTest
  readonly begunAt: number
  readonly endedAt: number | undefined
  readonly settledAt: number | undefined
}

export type CallOf<What extends Begun["what"]> = Extract<Begun, { readonly what: What }> & CallTimes
export type Call = CallOf<"begun">

/** All calls of one of the app's handlers, in the order in which they began. */
export const callsOf = <const What extends Begun["what"]>(
  servers: ReadonlyArray<ServerUnderTest>,
  what: What
): ReadonlyArray<CallOf<What>> => {
  const isOfIt = (record: CallRecord): record is Extract<Begun, { readonly what: What }> => record.what === what
  const calls: Array<CallOf<What>> = []
  for (const server of servers) {
    const open = new Map<string, { -readonly [Key in keyof CallTimes]: CallTimes[Key] }>()
    for (const record of readDiary(server.diary)) {
      const call = open.get(record.id)
      if (isOfIt(record)) {
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

type AnyCall = CallTimes & { readonly id: string }

/** Of one subject, in order: which were told first, and how many more than once. */
export const judgeSubject = <A extends AnyCall>(
  calls: ReadonlyArray<A>,
  hadOutages: boolean,
  say: Say
): { readonly told: ReadonlyArray<A>; readonly doubled: number } => {
  const first = new Map<string, A>()
  const again = new Set<string>()
  let before: A | undefined
  for (const call of calls) {
    const earlier = first.get(call.id)
    if (earlier === undefined) first.set(call.id, call)
    else {
      again.add(call.id)
      judgeRepetition(
        calls.filter((other) => other.id === call.id && other.begunAt <= call.begunAt),
        hadOutages,
        say
      )
    }
    if (before !== undefined) judgeTurn(before, call, say)
    before = call
  }
  return { told: [...first.values()], doubled: again.size }
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
    const { doubled: again, told } = judgeSubject(list, hadOutages, say)
    doubled += again
    const expected = due.get(id) ?? []
    const wrong = expected.findIndex((one, place) => {
      const call = told[place]
      return call === undefined || !sameShown(call.shown, one.shown) || call.userId !== one.userId
    })
    const isKnown = expected[0]?.byClock !== true
    if (isKnown && (wrong !== -1 || told.length !== expected.length)) {
      say(
        `Of subscription ${id} the app was told ${JSON.stringify(told.map(({ shown }) => shown))}, ` +
          `and should have been told ${JSON.stringify(expected.map(({ shown }) => shown))} in this order.`
      )
    }
    const last = list.at(-1)
    const newest = expected.at(-1)
    if (last !== undefined && newest !== undefined && !sameShown(last.shown, asOf(newest, Date.now()))) {
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

/**
 * What a process that lives on has told, it has also settled there. Not seen on libSQL, whose server keeps the write lock of a
 * killed process for seconds: what is written meanwhile is given up without an answer, and is done all the same.
 */
export const judgeSettled = (calls: ReadonlyArray<AnyCall>, { store }: ProofDatabase, say: Say): void => {
  if (store === "libsql") return
  for (const { id, server, settledAt } of calls) {
    if (settledAt !== undefined || server.killedAt() !== undefined) continue
    say(`Notification ${id} was told by a process that lives on, and is not settled there.`)
  }
}

/** A notification is told again only if the process that told it was killed before that was settled. */
const judgeRepetition = (calls: ReadonlyArray<AnyCall>, hadOutages: boolean, say: Say): void => {
  const last = calls.at(-1)
  const before = calls.at(-2)
  if (last === undefined || before === undefined) return
  if (before.settledAt !== undefined) {
    say(`Notification ${last.id} was told again after it was settled.`)
  } else if (!hadOutages && (before.server.killedAt() ?? Infinity) > last.begunAt) {
    say(`Notification ${last.id} was told again although the process that was telling it was alive.`)
  }
}

/** Of one subject a call begins when the one before it is over, or its process is dead. */
const judgeTurn = (before: AnyCall, call: AnyCall, say: Say): void => {
  const over = Math.min(before.endedAt ?? Infinity, before.server.killedAt() ?? Infinity)
  if (over > call.begunAt) say(`Notification ${call.id} was told while ${before.id} of the same subject was.`)
}

/** Reads of a warm process: the current subscription and the access check, against the bare prepared statement. */
import { type Arena, type Contender, checkEffect, makeReady, settled, withArena } from "../Arena.ts"
import { type Assignment, type Comparison, comparison, type Findings, type StorePart } from "../Bench.ts"
import type { Call, Calls } from "../children/server.ts"
import { type Plan, usersIn } from "../deliveries.ts"

const subscriptions = 1000

/** Each user with one subscription, which came as a delivery. Answers with the users. */
export const fill = async (arena: Arena, contender: Contender): Promise<ReadonlyArray<string>> => {
  const plan: Plan = { turn: arena.nextTurn(), count: subscriptions, users: "distinct", repetitions: false }
  await makeReady(contender, plan)
  await arena.prepare(plan)
  await arena.send(contender, { inFlight: 16 })
  await settled(contender)
  await checkEffect(contender, plan)
  return usersIn(plan)
}

/** Who calls what. */
export interface Caller {
  readonly title: string
  readonly contender: Contender
  readonly call: Call
  readonly userIds: ReadonlyArray<string>
}

/** Median latencies in microseconds of each caller, round by round in turn. */
export const latencies = async (
  callers: ReadonlyArray<Caller>,
  inFlight: number,
  { progress, scale }: Assignment
): Promise<ReadonlyMap<string, ReadonlyArray<number>>> => {
  const ask = ({ call, contender, userIds }: Caller, times: number) =>
    contender.ask<Calls>({ what: "call", call, userIds, times, inFlight })
  const counts = new Map<string, number>()
  for (const caller of callers) {
    const warm = await ask(caller, subscriptions * 2)
    counts.set(caller.title, Math.min(Math.max(Math.round((warm.perSecond * scale.seconds) / 4), 500), 100_000))
  }
  const found = new Map<string, Array<number>>(callers.map(({ title }) => [title, []]))
  for (let round = 0; round < scale.rounds; round++) {
    for (const caller of callers) {
      const { p50, perSecond } = await ask(caller, counts.get(caller.title) ?? 500)
      found.get(caller.title)?.push(p50)
      progress(
        `${caller.title}, ${inFlight} in flight, round ${round + 1} of ${scale.rounds}: ` +
          `median ${p50.toFixed(0)} µs, ${Math.round(perSecond)}/s`
      )
    }
  }
  return found
}

const measure = async (arena: Arena, assignment: Assignment): Promise<Findings> => {
  const { store } = arena.server
  const [ours, raw] = [arena.contender("ours"), arena.contender("raw")]
  const oursIds = await fill(arena, ours)
  const rawIds = await fill(arena, raw)
  const callers: ReadonlyArray<Caller> = [
    { title: `getSubscription ${store} ours`, contender: ours, call: "getSubscription", userIds: oursIds },
    { title: `access ${store} ours`, contender: ours, call: "access", userIds: oursIds },
    { title: `getSubscription ${store} raw`, contender: raw, call: "getSubscription", userIds: rawIds }
  ]
  const comparisons: Array<Comparison> = []
  for (const inFlight of [1, 64]) {
    const found = await latencies(callers, inFlight, assignment)
    const of = (title: string) => found.get(title) ?? []
    const bare = of(`getSubscription ${store} raw`)
    const key = `read.${inFlight}.${store}`
    comparisons.push(comparison(`${key}.raw`, "µs", of(`getSubscription ${store} ours`), bare))
    comparisons.push(comparison(`${key}.access`, "µs", of(`access ${store} ours`), bare))
  }
  const [userId = ""] = oursIds
  const statements = await ours.ask<number>({ what: "statements", call: "getSubscription", userId })
  return {
    comparisons,
    figures: [{ key: `read.${store}.statements`, unit: "statements", value: statements }]
  }
}

export const read: StorePart = {
  on: "store",
  name: "read",
  long: false,
  run: (server, assignment) =>
    withArena(server, { ours: "ours", raw: "raw" }, assignment.scale, (arena) => measure(arena, assignment))
}

/** Reads of a warm process: the subscription, and whether a user has access, a benefit or a product, against the bare statement. */
import {
  type Arena,
  type Contender,
  checkEffect,
  checkRecords,
  entrantsOf,
  inTurn,
  makeReady,
  settled,
  withArena
} from "../Arena.ts"
import {
  type Assignment,
  type Comparison,
  comparison,
  type Findings,
  type StorePart,
  type SubjectName
} from "../Bench.ts"
import type { Call, Calls } from "../children/server.ts"
import { type Plan, usersIn } from "../deliveries.ts"
import { median } from "../statistics.ts"

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

/** Each user with an order and a benefit too, and the benefits as their own events say them. */
const fillAll = async (arena: Arena, contender: Contender): Promise<ReadonlyArray<string>> => {
  const plan: Plan = { turn: arena.nextTurn(), count: subscriptions, users: "distinct", repetitions: false }
  await makeReady(contender, plan)
  for (const event of ["subscription", "order", "grant", "benefit"] as const) {
    await arena.prepare({ ...plan, event })
    await arena.send(contender, { inFlight: 16 })
    await settled(contender)
    if (event !== "subscription") await checkRecords(contender, { ...plan, event })
  }
  return usersIn(plan)
}

/** Who calls what. */
export interface Caller {
  readonly title: string
  readonly contender: Contender
  readonly call: Call
  readonly userIds: ReadonlyArray<string>
}

/** Median latencies in microseconds of each caller, one call after the other, round by round in turn. */
export const latencies = async (
  callers: ReadonlyArray<Caller>,
  { progress, scale }: Assignment
): Promise<ReadonlyMap<string, ReadonlyArray<number>>> => {
  const ask = ({ call, contender, userIds }: Caller, times: number) =>
    contender.ask<Calls>({ what: "call", call, userIds, times, inFlight: 1 })
  const counts = new Map<string, number>()
  for (const caller of callers) {
    const warm = await ask(caller, subscriptions * 2)
    counts.set(caller.title, Math.min(Math.max(Math.round((warm.perSecond * scale.seconds) / 4), 500), 100_000))
  }
  const found = new Map<string, Array<number>>(callers.map(({ title }) => [title, []]))
  for (let round = 0; round < scale.rounds; round++) {
    for (const caller of inTurn(callers, round)) {
      const { p50, perSecond } = await ask(caller, counts.get(caller.title) ?? 500)
      found.get(caller.title)?.push(p50)
      progress(
        `${caller.title}, round ${round + 1} of ${scale.rounds}: ` +
          `median ${p50.toFixed(0)} µs, ${Math.round(perSecond)}/s`
      )
    }
  }
  return found
}

const measure = async (arena: Arena, assignment: Assignment): Promise<Findings> => {
  const { store } = arena.server
  const titleOf = (call: Call, name: SubjectName) => `${call} ${store} ${name}`
  const callers: Array<Caller> = []
  const add = (contender: Contender, userIds: ReadonlyArray<string>, calls: ReadonlyArray<Call>) => {
    for (const call of calls) callers.push({ title: titleOf(call, contender.name), contender, call, userIds })
  }
  for (const contender of arena.contenders) {
    if (contender.name === "ours") {
      const userIds = await fillAll(arena, contender)
      add(contender, userIds, ["getSubscription", "access", ...questions])
      add(await arena.beside(contender, "bareReads"), userIds, questions)
      // From memory, whichever the store.
      if (store === "sqlite") add(await arena.beside(contender, "cached"), userIds, ["access"])
    } else {
      const userIds = await fill(arena, contender)
      add(contender, userIds, contender.name === "raw" ? ["getSubscription"] : ["getSubscription", "access"])
    }
  }
  const found = await latencies(callers, assignment)
  const of = (call: Call, name: SubjectName) => found.get(titleOf(call, name)) ?? []
  const bare = of("getSubscription", "raw")
  const key = `read.1.${store}`
  const comparisons: Array<Comparison> = [
    comparison(`${key}.raw`, "µs", of("getSubscription", "ours"), bare),
    comparison(`${key}.access`, "µs", of("access", "ours"), bare),
    ...questions.flatMap((call) => [
      comparison(`${key}.${call}.raw`, "µs", of(call, "ours"), of(call, "bareReads")),
      comparison(`${key}.${call}`, "µs", of(call, "ours"), bare)
    ])
  ]
  if (assignment.scale.against !== undefined) {
    for (const [call, suffix] of [
      ["getSubscription", "before"],
      ["access", "access.before"]
    ] as const) {
      comparisons.push(comparison(`${key}.${suffix}`, "µs", of(call, "ours"), of(call, "before")))
    }
  }
  const ours = callers.find(({ contender }) => contender.name === "ours")
  const statements = await ours?.contender.ask<number | null>({
    what: "statements",
    call: "getSubscription",
    userId: ours.userIds[0] ?? ""
  })
  const cached = of("access", "cached")
  return {
    comparisons,
    figures: [
      ...(typeof statements === "number"
        ? [{ key: `read.${store}.statements`, unit: "statements", value: statements }]
        : []),
      ...(cached.length > 0 ? [{ key: `${key}.access.cached`, unit: "µs", value: median(cached) }] : [])
    ]
  }
}

/** What is asked of a user's records with a yes or no. */
const questions = ["has", "owns"] as const

export const read: StorePart = {
  on: "store",
  name: "read",
  compares: true,
  long: false,
  run: (server, assignment) =>
    withArena(server, entrantsOf(["ours", "raw"], assignment.scale), assignment.scale, (arena) =>
      measure(arena, assignment)
    )
}

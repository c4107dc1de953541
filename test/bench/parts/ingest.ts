/**
 * Webhooks from the HTTP request to the answer, every fifth one a repetition: one at a time, as Polar sends them; sixteen, as
 * it sends what waited for an outage to end; and sixty-four, which is more than it does. Each delivery is another user's, or
 * all of them one user's.
 */
import { type Arena, type Contender, checkEffect, entrantsOf, inTurn, makeReady, settled, withArena } from "../Arena.ts"
import {
  type Assignment,
  type Comparison,
  comparison,
  type Figure,
  type Findings,
  type Scale,
  type StorePart,
  type SubjectName
} from "../Bench.ts"
import type { Plan } from "../deliveries.ts"
import { median } from "../statistics.ts"

interface Load {
  readonly users: Plan["users"]
  readonly inFlight: number
}

const all: ReadonlyArray<Load> = [
  { users: "distinct", inFlight: 1 },
  { users: "distinct", inFlight: 16 },
  { users: "distinct", inFlight: 64 },
  { users: "hot", inFlight: 16 }
]

/** Numbers of deliveries in flight, as `--in-flight` names them. */
export const inFlightNumbers: ReadonlyArray<number> = [...new Set(all.map(({ inFlight }) => inFlight))]

const loadsOf = ({ inFlight }: Scale): ReadonlyArray<Load> =>
  inFlight === undefined ? all : all.filter((load) => inFlight.includes(load.inFlight))

export interface Turn {
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Microseconds of CPU time for each delivery: the subject's process, and the sender's. */
  readonly cpu: number
  readonly senderCpu: number
}

/** One turn of one subject: sent, settled, and found to have done the work. */
export const takeTurn = async (arena: Arena, contender: Contender, load: Load, count: number): Promise<Turn> => {
  const plan: Plan = { turn: arena.nextTurn(), count, users: load.users, repetitions: true }
  await makeReady(contender, plan)
  await arena.prepare(plan)
  const before = await contender.ask<number>({ what: "cpu" })
  const sent = await arena.send(contender, { inFlight: load.inFlight })
  await settled(contender)
  const cpu = (await contender.ask<number>({ what: "cpu" })) - before
  await checkEffect(contender, plan)
  return {
    perSecond: ((count - 1) / sent.millis) * 1000,
    p50: sent.p50,
    p99: sent.p99,
    cpu: cpu / count,
    senderCpu: sent.cpuMicros
  }
}

/**
 * How many deliveries take about as long as a turn is to take. Sends at least `warmUp` of them before: a server in use has
 * its code compiled, and what is measured is not how fast that is done.
 */
export const calibrated = async (
  arena: Arena,
  contender: Contender,
  load: Load,
  { quick, seconds }: Scale
): Promise<number> => {
  const least = Math.max(load.inFlight * 4, 50)
  // The app is told of one user's changes one after the other, which takes much longer than to receive them.
  if (load.users === "hot") {
    await takeTurn(arena, contender, load, least)
    return quick ? 200 : 1000
  }
  let count = within(Math.min(seconds * 400, 200), least)
  for (let sent = 0; ; ) {
    const { perSecond } = await takeTurn(arena, contender, load, count)
    sent += count
    if (sent > (quick ? 500 : warmUp)) return within(perSecond * seconds, least)
    count = within(perSecond * Math.min(seconds, 0.7), least)
  }
}

const warmUp = 4000

const within = (count: number, least: number): number => Math.min(Math.max(Math.round(count), least), 40_000)

const measure = async (
  arena: Arena,
  load: Load,
  { progress, scale }: Assignment
): Promise<ReadonlyMap<SubjectName, ReadonlyArray<Turn>>> => {
  const { store } = arena.server
  const title = `ingest ${store}, ${load.inFlight} in flight, ${load.users}`
  const counts = new Map<SubjectName, number>()
  for (const contender of arena.contenders) {
    progress(`${title}: ${contender.name} warms up`)
    counts.set(contender.name, await calibrated(arena, contender, load, scale))
  }
  const turns = new Map<SubjectName, Array<Turn>>(arena.contenders.map(({ name }) => [name, []]))
  for (let round = 0; round < scale.rounds; round++) {
    for (const contender of inTurn(arena.contenders, round)) {
      const turn = await takeTurn(arena, contender, load, counts.get(contender.name) ?? 200)
      turns.get(contender.name)?.push(turn)
      progress(
        `${title}, round ${round + 1} of ${scale.rounds}: ${contender.name} ${Math.round(turn.perSecond)}/s, ` +
          `p99 ${turn.p99.toFixed(1)} ms, CPU ${Math.round(turn.cpu)} µs each (sender ${Math.round(turn.senderCpu)} µs)`
      )
    }
  }
  return turns
}

const findingsOf = (key: string, turns: ReadonlyMap<SubjectName, ReadonlyArray<Turn>>): Findings => {
  const of = (name: SubjectName, what: keyof Turn) => (turns.get(name) ?? []).map((turn) => turn[what])
  const against = (name: SubjectName, suffix: string): ReadonlyArray<Comparison> => [
    comparison(`${key}.${name}`, "deliveries/s", of("ours", "perSecond"), of(name, "perSecond")),
    comparison(`${key}${suffix}.p99`, "ms", of("ours", "p99"), of(name, "p99")),
    comparison(`${key}${suffix}.cpu`, "µs of CPU", of("ours", "cpu"), of(name, "cpu"))
  ]
  const figures: ReadonlyArray<Figure> = [
    {
      key: `${key}.sender`,
      unit: "µs of CPU",
      value: median([...turns.values()].flat().map(({ senderCpu }) => senderCpu))
    }
  ]
  return {
    comparisons: [...against("raw", ""), ...(turns.has("before") ? against("before", ".before") : [])],
    figures
  }
}

const keyOf = ({ inFlight, users }: Load, store: string): string =>
  users === "hot" ? `ingest.${inFlight}.hot.${store}` : `ingest.${inFlight}.${store}`

export const ingest: StorePart = {
  on: "store",
  name: "ingest",
  compares: true,
  long: false,
  run: (server, assignment) =>
    withArena(server, entrantsOf(["ours", "raw"], assignment.scale), assignment.scale, async (arena) => {
      const found: Array<Findings> = []
      for (const load of loadsOf(assignment.scale)) {
        found.push(findingsOf(keyOf(load, server.store), await measure(arena, load, assignment)))
      }
      return {
        comparisons: found.flatMap(({ comparisons }) => comparisons),
        figures: found.flatMap(({ figures }) => figures)
      }
    })
}

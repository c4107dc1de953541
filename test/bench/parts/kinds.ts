/**
 * Deliveries of each kind, one after the other, against those of subscriptions. The app has a handler for subscriptions, and
 * none for the others.
 */
import { type Arena, checkRecords, inTurn, makeReady, settled, withArena } from "../Arena.ts"
import { type Assignment, comparison, type Findings, type StorePart } from "../Bench.ts"
import { type EventName, eventNames, type Plan } from "../deliveries.ts"

interface Turn {
  /** Of each delivery, from the request to the answer; half of them took no longer. */
  readonly millis: number
  /** Microseconds of the process's CPU time for each. */
  readonly cpu: number
}

const takeTurn = async (arena: Arena, event: EventName, count: number): Promise<Turn> => {
  const contender = arena.contender("ours")
  const plan: Plan = { turn: arena.nextTurn(), count, users: "distinct", repetitions: false, event }
  await makeReady(contender, plan)
  await arena.prepare(plan)
  const before = await contender.ask<number>({ what: "cpu" })
  const sent = await arena.send(contender, { inFlight: 1 })
  await settled(contender)
  const cpu = (await contender.ask<number>({ what: "cpu" })) - before
  await checkRecords(contender, plan)
  return { millis: sent.p50, cpu: cpu / count }
}

const measure = async (arena: Arena, { progress, scale }: Assignment): Promise<Findings> => {
  const { store } = arena.server
  const count = Math.max(Math.round(scale.seconds * 250), 50)
  for (const event of eventNames) await takeTurn(arena, event, count)
  const turns = new Map<EventName, Array<Turn>>(eventNames.map((event) => [event, []]))
  for (let round = 0; round < scale.rounds; round++) {
    for (const event of inTurn(eventNames, round)) {
      const turn = await takeTurn(arena, event, count)
      turns.get(event)?.push(turn)
      progress(
        `kinds ${store}, round ${round + 1} of ${scale.rounds}: ${event} ` +
          `${turn.millis.toFixed(2)} ms, CPU ${Math.round(turn.cpu)} µs each`
      )
    }
  }
  const of = (event: EventName, what: keyof Turn) => (turns.get(event) ?? []).map((turn) => turn[what])
  return {
    comparisons: eventNames.flatMap((event) =>
      event === "subscription"
        ? []
        : [
            comparison(`kinds.${store}.${event}`, "ms", of(event, "millis"), of("subscription", "millis")),
            comparison(`kinds.${store}.${event}.cpu`, "µs of CPU", of(event, "cpu"), of("subscription", "cpu"))
          ]
    ),
    figures: []
  }
}

export const kinds: StorePart = {
  on: "store",
  name: "kinds",
  compares: false,
  long: false,
  run: (server, assignment) =>
    withArena(server, { ours: "ours" }, assignment.scale, (arena) => measure(arena, assignment))
}

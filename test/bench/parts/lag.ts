/** How long the app's callback waits for a change that is committed, while deliveries come at half of the maximum. */
import { type Arena, checkEffect, makeReady, settled, withArena } from "../Arena.ts"
import type { Assignment, Findings, StorePart } from "../Bench.ts"
import { deliveriesIn, type Plan } from "../deliveries.ts"
import { median, percentile } from "../statistics.ts"
import { calibrated, takeTurn } from "./ingest.ts"

const inFlight = 64

const measure = async (arena: Arena, { progress, scale }: Assignment): Promise<Findings> => {
  const { store } = arena.server
  const ours = arena.contender("ours")
  const load = { users: "distinct", inFlight } as const
  const count = await calibrated(arena, ours, load, scale)
  const { perSecond: most } = await takeTurn(arena, ours, load, count)
  const perSecond = most / 2
  const p50: Array<number> = []
  const p99: Array<number> = []
  for (let round = 0; round < scale.rounds; round++) {
    const plan: Plan = { turn: arena.nextTurn(), count, users: "distinct", repetitions: true }
    await makeReady(ours, plan)
    await arena.prepare(plan)
    await ours.ask({ what: "watch", plan })
    const sent = await arena.send(ours, { inFlight, perSecond })
    await settled(ours)
    await checkEffect(ours, plan)
    const lags = await ours.ask<ReadonlyArray<number>>({ what: "lags" })
    if (lags.length !== deliveriesIn(plan)) {
      throw new Error(`the app was told of ${lags.length} changes, and ${deliveriesIn(plan)} were made`)
    }
    p50.push(percentile(lags, 0.5))
    p99.push(percentile(lags, 0.99))
    progress(
      `lag ${store}, round ${round + 1} of ${scale.rounds}: p50 ${p50.at(-1)?.toFixed(1)} ms, ` +
        `p99 ${p99.at(-1)?.toFixed(1)} ms at ${Math.round((count / sent.millis) * 1000)}/s, ` +
        `and the answer p99 ${sent.p99.toFixed(1)} ms`
    )
  }
  return {
    comparisons: [],
    figures: [
      { key: `lag.${store}.p50`, unit: "ms", value: median(p50) },
      { key: `lag.${store}.p99`, unit: "ms", value: median(p99) },
      { key: `lag.${store}.rate`, unit: "deliveries/s", value: perSecond }
    ]
  }
}

export const lag: StorePart = {
  on: "store",
  name: "lag",
  long: false,
  run: (server, assignment) =>
    withArena(server, { ours: "ours" }, assignment.scale, (arena) => measure(arena, assignment))
}

/** How long the app's callback waits for a change that is committed, while deliveries come at half of the maximum. */
import { type Arena, type Contender, checkEffect, entrantsOf, inTurn, makeReady, settled, withArena } from "../Arena.ts"
import { type Assignment, type Comparison, comparison, type Figure, type Findings, type StorePart } from "../Bench.ts"
import { deliveriesIn, type Plan } from "../deliveries.ts"
import { median, percentile } from "../statistics.ts"
import { calibrated, takeTurn } from "./ingest.ts"

const inFlight = 16

interface Lag {
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

const lagOf = async (
  arena: Arena,
  contender: Contender,
  { count, perSecond }: { readonly count: number; readonly perSecond: number }
): Promise<Lag> => {
  const plan: Plan = { turn: arena.nextTurn(), count, users: "distinct", repetitions: true }
  await makeReady(contender, plan)
  await arena.prepare(plan)
  await contender.ask({ what: "watch", plan })
  await arena.send(contender, { inFlight, perSecond })
  await settled(contender)
  await checkEffect(contender, plan)
  const lags = await contender.ask<ReadonlyArray<number>>({ what: "lags" })
  if (lags.length !== deliveriesIn(plan)) {
    throw new Error(`the app was told of ${lags.length} changes, and ${deliveriesIn(plan)} were made`)
  }
  return { p50: percentile(lags, 0.5), p99: percentile(lags, 0.99) }
}

const measure = async (arena: Arena, { progress, scale }: Assignment): Promise<Findings> => {
  const { store } = arena.server
  const load = { users: "distinct", inFlight } as const
  const turns: Array<{ readonly count: number; readonly most: number }> = []
  for (const contender of arena.contenders) {
    const count = await calibrated(arena, contender, load, scale)
    const { perSecond: most } = await takeTurn(arena, contender, load, count)
    turns.push({ count, most })
  }
  // The same for all, which the slowest can bear.
  const pace = {
    count: Math.min(...turns.map(({ count }) => count)),
    perSecond: Math.min(...turns.map(({ most }) => most)) / 2
  }
  const found = new Map<string, Array<Lag>>(arena.contenders.map(({ name }) => [name, []]))
  for (let round = 0; round < scale.rounds; round++) {
    for (const contender of inTurn(arena.contenders, round)) {
      const lag = await lagOf(arena, contender, pace)
      found.get(contender.name)?.push(lag)
      progress(
        `lag ${store}, round ${round + 1} of ${scale.rounds}: ${contender.name} p50 ${lag.p50.toFixed(1)} ms, ` +
          `p99 ${lag.p99.toFixed(1)} ms at ${Math.round(pace.perSecond)}/s`
      )
    }
  }
  const of = (name: string, what: keyof Lag) => (found.get(name) ?? []).map((lag) => lag[what])
  const percentiles = ["p50", "p99"] as const
  const figures: ReadonlyArray<Figure> = [
    ...percentiles.map((what) => ({ key: `lag.${store}.${what}`, unit: "ms", value: median(of("ours", what)) })),
    { key: `lag.${store}.rate`, unit: "deliveries/s", value: pace.perSecond }
  ]
  const comparisons: ReadonlyArray<Comparison> = found.has("before")
    ? percentiles.map((what) => comparison(`lag.${store}.before.${what}`, "ms", of("ours", what), of("before", what)))
    : []
  return { comparisons, figures }
}

export const lag: StorePart = {
  on: "store",
  name: "lag",
  compares: true,
  long: false,
  run: (server, assignment) =>
    withArena(server, entrantsOf(["ours"], assignment.scale), assignment.scale, (arena) => measure(arena, assignment))
}

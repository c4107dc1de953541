/** A hundred thousand deliveries, and whether the process holds more and more of memory. */
import { type Arena, checkEffect, makeReady, settled, withArena } from "../Arena.ts"
import { type Assignment, type Comparison, comparison, type Findings, type StorePart } from "../Bench.ts"
import type { Memory } from "../children/server.ts"
import type { Plan } from "../deliveries.ts"

const megabyte = 1024 * 1024

const measure = async (arena: Arena, { progress, scale }: Assignment): Promise<Findings> => {
  const { store } = arena.server
  const ours = arena.contender("ours")
  // Twenty-one samples: seven of warming up, seven in the middle, seven at the end.
  const total = scale.quick ? 10_000 : 100_000
  const count = Math.ceil(total / 21)
  const samples: Array<Memory> = []
  for (let chunk = 1; chunk <= 21; chunk++) {
    const plan: Plan = { turn: arena.nextTurn(), count, users: "distinct", repetitions: true }
    await makeReady(ours, plan)
    await arena.prepare(plan)
    await arena.send(ours, { inFlight: 16 })
    await settled(ours)
    await checkEffect(ours, plan)
    const memory = await ours.ask<Memory>({ what: "memory" })
    samples.push(memory)
    progress(
      `soak ${store}, ${chunk * count} deliveries: heap ${(memory.heap / megabyte).toFixed(1)} MB, ` +
        `resident ${(memory.rss / megabyte).toFixed(0)} MB`
    )
  }
  const part = (what: keyof Memory, from: number) =>
    samples.slice(from, from + 7).map((memory) => memory[what] / megabyte)
  const comparisons: ReadonlyArray<Comparison> = (["heap", "rss"] as const).map((what) =>
    comparison(`soak.${store}.${what}`, "MB", part(what, 14), part(what, 7))
  )
  return {
    comparisons,
    figures: comparisons.map(({ key, ours: last, theirs: middle }) => ({
      key: `${key}.growth`,
      unit: "bytes",
      value: Math.round((last.median - middle.median) * megabyte)
    }))
  }
}

export const soak: StorePart = {
  on: "store",
  name: "soak",
  compares: false,
  long: true,
  run: (server, assignment) =>
    withArena(server, { ours: "ours" }, assignment.scale, (arena) => measure(arena, assignment))
}

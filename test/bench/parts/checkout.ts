/** A checkout at a Polar that answers at once: what is left is ours. */
import { withArena } from "../Arena.ts"
import { comparison, type StorePart } from "../Bench.ts"
import { type Caller, fill, latencies } from "./read.ts"

export const checkout: StorePart = {
  on: "store",
  name: "checkout",
  compares: false,
  long: false,
  run: (server, assignment) =>
    withArena(server, { ours: "ours", raw: "raw" }, assignment.scale, async (arena) => {
      const titleOf = (name: string) => `createCheckout ${server.store} ${name}`
      const callers: Array<Caller> = []
      for (const contender of arena.contenders) {
        const userIds = await fill(arena, contender)
        callers.push({ title: titleOf(contender.name), contender, call: "createCheckout", userIds })
      }
      const times = await latencies(callers, assignment)
      const of = (name: string) => times.get(titleOf(name)) ?? []
      return { comparisons: [comparison(`checkout.${server.store}.raw`, "µs", of("ours"), of("raw"))], figures: [] }
    })
}

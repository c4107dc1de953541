/** The same work on a thousand, a hundred thousand and five million stored subscriptions. */
import { type Arena, type Contender, makeReady, settled, withArena } from "../Arena.ts"
import { type Assignment, type Comparison, comparison, type Findings, type StorePart } from "../Bench.ts"
import type { Calls } from "../children/server.ts"
import { fill, filledUser } from "../databases/fill.ts"
import { deliveriesIn, idOf, type Plan, usersIn } from "../deliveries.ts"
import { median } from "../statistics.ts"

const sizes = { "1k": 1000, "100k": 100_000, "5M": 5_000_000 } as const
type Size = keyof typeof sizes

const inFlight = 16

/** Rounds that do not count, until the code and the server's memory are warm: each size has a process of its own. */
const warmUps = 3

/** The row of a subscription as ours writes it: what the filled ones look like. */
const sample = async (arena: Arena, contender: Contender): Promise<string> => {
  const plan: Plan = { turn: arena.nextTurn(), count: 2, users: "distinct", repetitions: false }
  await makeReady(contender, plan)
  await arena.prepare(plan)
  await arena.send(contender, { inFlight: 1 })
  await settled(contender)
  const [row] = await contender.database.run(`SELECT data FROM ${contender.tables.subscriptions} LIMIT 1`)
  return String(row?.["data"])
}

interface Cost {
  /** For each delivery. */
  readonly millis: number
  /** That the server read from its files for each delivery; where it does not say, `undefined`. */
  readonly pages: number | undefined
}

/** Counts by id, because counting millions of rows takes longer than the turn. */
const deliver = async (arena: Arena, contender: Contender, count: number): Promise<Cost> => {
  const plan: Plan = { turn: arena.nextTurn(), count, users: "distinct", repetitions: true }
  await contender.database.addUsers(usersIn(plan))
  await arena.prepare(plan)
  const readBefore = await arena.server.pagesRead?.()
  const sent = await arena.send(contender, { inFlight })
  const readAfter = await arena.server.pagesRead?.()
  await settled(contender)
  const made = deliveriesIn(plan)
  for (const [table, kind] of [
    [contender.tables.deliveries, "delivery"],
    [contender.tables.subscriptions, "subscription"]
  ] as const) {
    const ids = Array.from({ length: made }, (_, n) => `'${idOf(kind, plan.turn, n)}'`)
    const [row] = await contender.database.run(`SELECT count(*) AS n FROM ${table} WHERE id IN (${ids.join(", ")})`)
    if (Number(row?.["n"]) !== made) throw new Error(`${made} rows were to be in ${table}, and ${row?.["n"]} are`)
  }
  return {
    millis: sent.millis / count,
    pages: readBefore === undefined || readAfter === undefined ? undefined : (readAfter - readBefore) / count
  }
}

/** Microseconds. */
const readOne = async (contender: Contender, size: number, times: number): Promise<number> => {
  const userIds = Array.from({ length: 1000 }, () => filledUser(Math.floor(Math.random() * size), size))
  const { p50 } = await contender.ask<Calls>({ what: "call", call: "getSubscription", userIds, times, inFlight: 1 })
  return p50
}

const measure = async (
  arena: Arena,
  labels: ReadonlyArray<Size>,
  { progress, scale }: Assignment
): Promise<Findings> => {
  const { store } = arena.server
  for (const label of labels) {
    const contender = arena.contender(label)
    const data = await sample(arena, contender)
    const began = performance.now()
    await fill(contender.database, sizes[label], data, (rows) =>
      progress(`growth ${store}: ${rows} of ${sizes[label]} subscriptions`)
    )
    progress(`growth ${store}: filled ${label} in ${Math.round((performance.now() - began) / 1000)} s`)
  }
  await arena.server.writeDown()
  const costs = new Map<Size, Array<number>>(labels.map((label) => [label, []]))
  const pages: Array<number> = []
  const reads = new Map<Size, Array<number>>(labels.map((label) => [label, []]))
  const count = scale.quick ? 400 : 1000
  for (let round = -warmUps; round < scale.rounds; round++) {
    for (const label of labels) {
      const contender = arena.contender(label)
      const cost = await deliver(arena, contender, count)
      const read = await readOne(contender, sizes[label], count * 5)
      if (round < 0) continue
      costs.get(label)?.push(cost.millis)
      if (label === labels.at(-1) && cost.pages !== undefined) pages.push(cost.pages)
      reads.get(label)?.push(read)
      progress(
        `growth ${store} ${label}, round ${round + 1} of ${scale.rounds}: ` +
          `${cost.millis.toFixed(2)} ms for each delivery, ${read.toFixed(0)} µs a read` +
          (cost.pages === undefined ? "" : `, ${cost.pages.toFixed(1)} pages read from the disk for each delivery`)
      )
    }
  }
  const of = (all: ReadonlyMap<Size, ReadonlyArray<number>>, label: Size) => all.get(label) ?? []
  const comparisons: Array<Comparison> = []
  for (const label of labels.slice(1)) {
    // The largest has the short name.
    const suffix = label === labels.at(-1) ? "" : `.${label}`
    comparisons.push(comparison(`growth.${store}.ingest${suffix}`, "ms", of(costs, label), of(costs, "1k")))
    comparisons.push(comparison(`growth.${store}.read${suffix}`, "µs", of(reads, label), of(reads, "1k")))
  }
  const figures =
    pages.length === 0
      ? []
      : [{ key: `growth.${store}.pages`, unit: "pages read for each delivery", value: median(pages) }]
  return { comparisons, figures }
}

export const growth: StorePart = {
  on: "store",
  name: "growth",
  compares: false,
  long: false,
  run: async (server, assignment) => {
    const labels: ReadonlyArray<Size> = assignment.scale.quick ? ["1k", "100k"] : ["1k", "100k", "5M"]
    const entrants = Object.fromEntries(labels.map((label) => [label, "ours"] as const))
    const undo = await server.enlarge()
    try {
      return await withArena(server, entrants, assignment.scale, (arena) => measure(arena, labels, assignment))
    } finally {
      await undo()
    }
  }
}

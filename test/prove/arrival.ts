/** How deliveries arrive when Polar, the network and the app fail: out of order, more than once, late, some together. */
import type { Delivery } from "@kavach-polar/core/Delivery"
import type { History } from "./history.ts"
import type { Random } from "./seeded.ts"

export type Arrival =
  | { readonly _tag: "Deliver"; readonly deliveries: readonly [Delivery, ...ReadonlyArray<Delivery>] }
  /** The app says whose customer it is. */
  | { readonly _tag: "Link" }
  /** The app made the checkouts of the history for its user. */
  | { readonly _tag: "Checkouts" }
  /** The app gives what waits to the users that are known by now. */
  | { readonly _tag: "LinkWaiting" }
  /** The app's callbacks are called for what is queued so far. */
  | { readonly _tag: "Notify" }

/** As Polar sends them when nothing fails. */
export const inOrder = ({ events, identity }: History): ReadonlyArray<Arrival> => [
  ...(identity === "the host says" ? [{ _tag: "Link" } as const] : []),
  ...(identity === "a checkout" ? [{ _tag: "Checkouts" } as const] : []),
  ...events.map(({ delivery }): Arrival => ({ _tag: "Deliver", deliveries: [delivery] }))
]

export const outOfOrder = ({ events, identity }: History, random: Random): ReadonlyArray<Arrival> => {
  const deliveries = events.map(({ delivery }) => delivery)
  const arriving = reorder(deliveries, random)
  for (const delivery of deliveries) {
    // The answer to an earlier attempt was lost, or somebody clicked "redeliver": the same id again, any time later.
    const again = random.chance(0.25) ? 1 + random.int(3) : 0
    for (let copy = 0; copy < again; copy++) {
      const after = arriving.indexOf(delivery) + 1
      arriving.splice(after + random.int(arriving.length - after + 1), 0, delivery)
    }
  }
  const arrivals: Array<Arrival> = []
  while (arriving.length > 0) {
    const [first, ...rest] = arriving.splice(0, random.chance(0.7) ? 1 : 2 + random.int(5))
    if (first !== undefined) arrivals.push({ _tag: "Deliver", deliveries: [first, ...rest] })
    if (random.chance(0.1)) arrivals.push({ _tag: "Notify" })
  }
  if (identity === "the host says") arrivals.splice(random.int(arrivals.length + 1), 0, { _tag: "Link" })
  if (identity === "a checkout") {
    // The process that made the checkout was slow to write it down: then somebody has to look at what waits.
    const isLate = random.chance(0.5)
    arrivals.splice(isLate ? random.int(arrivals.length + 1) : 0, 0, { _tag: "Checkouts" })
    if (isLate) arrivals.push({ _tag: "LinkWaiting" })
  }
  return arrivals
}

const reorder = (deliveries: ReadonlyArray<Delivery>, random: Random): Array<Delivery> => {
  const kind = random.int(4)
  if (kind === 0) return random.shuffle(deliveries)
  if (kind === 1) return [...deliveries].reverse()
  // Failed attempts come again after others: each delivery is late by up to a few places.
  const late = kind === 2 ? 0.3 : 0.8
  return deliveries
    .map((delivery, place) => ({ delivery, place: place + (random.chance(late) ? random.int(8) + 0.5 : 0) }))
    .sort((a, b) => a.place - b.place)
    .map(({ delivery }) => delivery)
}

/**
 * What became of a delivery.
 *
 * - `applied`: what it says is in the store.
 * - `stale`: something newer was known; nothing changed.
 * - `ignored`: nothing of it is kept here (an unknown type, another organization).
 * - `unlinked`: what it says is kept, but no user is known for it yet.
 * - `failed`: it could not be read; it runs again when it is delivered or replayed again.
 */
export type DeliveryState = "applied" | "stale" | "ignored" | "unlinked" | "failed"

export const deliveryStates: ReadonlyArray<DeliveryState> = ["applied", "stale", "ignored", "unlinked", "failed"]

/** States with which nothing is left to do. A delivery in one of the others is kept for whoever looks into it. */
export const settledStates: ReadonlyArray<DeliveryState> = ["applied", "stale", "ignored"]

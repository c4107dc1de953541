/**
 * For whom Polar is called. Whoever may be many uses up no more than a share of what an organization may ask, so that
 * reconciliation and what webhooks make necessary always have their turn.
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import { globalValue } from "effect/GlobalValue"

/**
 * - `buyer`: somebody who waits in front of a page
 * - `refresh`: a look whether somebody who was refused has paid after all
 * - `other`: everything else
 */
export type Caller = "buyer" | "refresh" | "other"

export const currentCaller: FiberRef.FiberRef<Caller> = globalValue("@kavach-polar/core/currentCaller", () =>
  FiberRef.unsafeMake<Caller>("other")
)

export const asBuyersCall = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.locally(effect, currentCaller, "buyer")

export const asRefresh = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.locally(effect, currentCaller, "refresh")

/** How long a call waits for its turn. A buyer is better told when to come back; a refresh comes again by itself. */
export const longestWaitMillis: Readonly<Record<Caller, number>> = {
  buyer: 3000,
  refresh: 0,
  other: Number.POSITIVE_INFINITY
}

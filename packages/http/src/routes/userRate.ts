/**
 * How often one user may have Polar asked by the routes in a minute, so that nobody uses up what Polar allows the whole
 * organization. Each process counts for itself.
 */
import type { UserId } from "@kavach-polar/core/Subscription"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** One user asks too often. */
export class TooOften extends Schema.TaggedError<TooOften>()("TooOften", {
  userId: Schema.String,
  retryAfterSeconds: Schema.Number
}) {
  override get message(): string {
    return `User ${this.userId} has had Polar asked ${perMinute} times within a minute by the routes, which is as often as one user may.`
  }
}

/** Many more than a person clicks, and a page that asks every few seconds. */
export const perMinute = 30

const minute = 60_000

/** Users that are remembered; the one longest ago is forgotten. */
const mostUsers = 10_000

export const makeUserRate = () => {
  const users = new Map<UserId, Array<number>>()
  return (userId: UserId): Effect.Effect<void, TooOften> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const recent = (users.get(userId) ?? []).filter((at) => at > now - minute)
      users.delete(userId)
      users.set(userId, recent)
      const [longestAgo] = users.keys()
      if (users.size > mostUsers && longestAgo !== undefined) users.delete(longestAgo)
      const [first] = recent
      if (first !== undefined && recent.length >= perMinute) {
        return new TooOften({ userId, retryAfterSeconds: Math.ceil((first + minute - now) / 1000) })
      }
      recent.push(now)
      return Effect.void
    })
}

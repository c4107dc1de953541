/**
 * How much of the thread strangers get. To refuse a request costs time too, and whoever is refused may come again at once,
 * on a thousand connections: so each refusal is charged what it cost, and beyond a share of the time its answer waits.
 * Nobody who waits for nothing is told: Polar's own deliveries are not refused, and who sets an endpoint up sends few.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Of one thread's time. */
const share = 0.2
/** Milliseconds that may be spent at once, after a quiet time; and while so many come that they are a flood. */
const burst = 500
const burstInFlood = 100
/** Refusals in a tenth of a second. */
const flood = 50
const windowMillis = 100
/** What a refusal takes, with all that Node does for it, and what a byte takes that was read, hashed twice and dropped. */
const millisOfOne = 0.1
// Measured: 2.1 ms for a MiB, with both keys.
const millisOfByte = 2e-6
/** An answer that waits holds its connection: so many, and no longer. */
const mostWaiting = 1024
const longestWait = 5000

export interface Strangers {
  /** Takes down what a stranger cost, of whom so many bytes were read, and waits until they may have the answer. */
  readonly wait: (bytes: number) => Effect.Effect<void>
  /** As `wait`, for an answer that must not wait: what the stranger still sends would be held as long. */
  readonly charge: Effect.Effect<void>
}

export const makeStrangers = (): Strangers => {
  let debt = 0
  let at = 0
  let waiting = 0
  let windowAt = 0
  let inWindow = 0
  const take = (bytes: number, now: number) => {
    debt = Math.max(0, debt - Math.max(0, now - at) * share) + millisOfOne + bytes * millisOfByte
    at = now
    if (now - windowAt >= windowMillis) {
      windowAt = now
      inWindow = 0
    }
    inWindow += 1
  }
  return {
    charge: Effect.map(Clock.currentTimeMillis, (now) => take(0, now)),
    wait: (bytes) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        take(bytes, now)
        const wait = Math.min((debt - (inWindow > flood ? burstInFlood : burst)) / share, longestWait)
        if (wait < 1 || waiting >= mostWaiting) return Effect.void
        waiting += 1
        return Effect.ensuring(
          Effect.sleep(wait),
          Effect.sync(() => {
            waiting -= 1
          })
        )
      })
  }
}

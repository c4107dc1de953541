/** When is a callback called again that has failed? */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

export interface CallbackRetry {
  /** After so many failed calls a notification is given up. */
  readonly maxAttempts: number
  /** The longest pause after the first failure; it doubles with each further one, up to an hour. */
  readonly firstDelay: Duration.Duration
}

/** Twelve calls, over about five hours. */
export const defaultRetry: CallbackRetry = { maxAttempts: 12, firstDelay: Duration.seconds(5) }

const longestDelay = Duration.hours(1)

/**
 * How long to wait after this attempt, of which the first is 1; `None` when it was the last. `random` is a number from 0 to
 * 1 and chooses between half of the pause and all of it, so that what failed together does not come back together.
 */
export const delayAfter = (retry: CallbackRetry, attempt: number, random: number): Option.Option<Duration.Duration> => {
  if (attempt >= retry.maxAttempts) return Option.none()
  const doublings = Math.min(Math.max(attempt, 1) - 1, 30)
  const delay = Duration.min(Duration.times(retry.firstDelay, 2 ** doublings), longestDelay)
  return Option.some(Duration.times(delay, 0.5 + random / 2))
}

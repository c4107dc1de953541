/** How the dispatcher works: what an app may set, and what follows from it. */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { type CallbackRetry, defaultRetry } from "../../rules/callbackRetry.ts"
import * as Options from "../../values/options.ts"

/**
 * @example
 * NotificationDispatcher.layer({
 *   concurrency: 4,
 *   timeout: "30 seconds",
 *   maxAttempts: 20,
 *   retryDelay: "10 seconds",
 *   pollInterval: "1 minute",
 *   lease: "1 minute"
 * })
 */
export interface DispatcherOptions {
  /** How many callbacks run at once in this process, those not counted that are over their time. Default 16. */
  readonly concurrency?: number | undefined
  /**
   * How long one call may take. Then its signal is aborted and it gives its place to another; it has failed when it ends with
   * an error, and is not begun again before. Default 10 seconds.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /** After how many failed calls a notification is given up. Default 12, which takes about five hours. */
  readonly maxAttempts?: number | undefined
  /** The pause after the first failure; it doubles each time, up to an hour. Default 5 seconds. */
  readonly retryDelay?: Duration.DurationInput | undefined
  /** How often to look without being woken. Default 30 seconds. */
  readonly pollInterval?: Duration.DurationInput | undefined
  /** After so long others take over from a process that died. It is renewed while a call runs. Default 20 seconds. */
  readonly lease?: Duration.DurationInput | undefined
}

const dispatcherOptions: Schema.Schema<DispatcherOptions> = Schema.Struct({
  concurrency: Options.optional(Options.positiveWhole("a number of calls, 1 or more")),
  timeout: Options.optional(Options.duration),
  maxAttempts: Options.optional(Options.positiveWhole("a number of calls, 1 or more")),
  retryDelay: Options.optional(Options.duration),
  pollInterval: Options.optional(Options.duration),
  lease: Options.optional(Options.duration)
})

export const checkOptions = Options.optionsCheck("NotificationDispatcher.layer()", dispatcherOptions)

/** Times ending in `Millis` are milliseconds. */
export interface DispatcherSettings {
  /** How many calls may run at once, those not counted that are over their time. */
  readonly concurrency: number
  /** How long one call may take. */
  readonly timeout: Duration.Duration
  readonly retry: CallbackRetry
  readonly pollMillis: number
  readonly lease: Duration.Duration
  /** So long after the claim a call may begin, and after so long its lease is renewed. */
  readonly renewMillis: number
  /** How long the store may take for an answer. */
  readonly storeLimit: Duration.Duration
}

export const settingsOf = (options: DispatcherOptions): DispatcherSettings => {
  const lease = Duration.decode(options.lease ?? Duration.seconds(20))
  return {
    concurrency: Math.max(1, options.concurrency ?? 16),
    timeout: Duration.decode(options.timeout ?? Duration.seconds(10)),
    retry: {
      maxAttempts: Math.max(1, options.maxAttempts ?? defaultRetry.maxAttempts),
      firstDelay: Duration.decode(options.retryDelay ?? defaultRetry.firstDelay)
    },
    pollMillis: Duration.toMillis(options.pollInterval ?? Duration.seconds(30)),
    lease,
    renewMillis: Duration.toMillis(lease) / 4,
    storeLimit: Duration.min(Duration.seconds(5), Duration.times(lease, 0.25))
  }
}

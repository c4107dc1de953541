/**
 * Work that was taken on: so much of it runs at once, and the rest waits in line, as much as is done in a moment. Where work
 * is quick, much is taken on in one go; where it is slow, hardly more than can begin.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

export interface WaitingLineOptions<Item> {
  /** How many run at once. */
  readonly concurrency: number
  readonly clock: Clock.Clock
  /** Begins one, and returns while it runs. `ended` is for when it is over. */
  readonly start: (item: Item, ended: Effect.Effect<void>) => void
  /** Whether one may still begin. */
  readonly isTimely: (item: Item) => boolean
  /** Sends one away that has waited for too long. */
  readonly dismiss: (item: Item) => Effect.Effect<void>
}

export interface WaitingLine<Item> {
  /** How many more may be taken on. */
  readonly room: () => number
  /** Begins as many as may run, and puts the rest in line. */
  readonly add: (items: ReadonlyArray<Item>) => Effect.Effect<void>
  /** Forgets who still waits. */
  readonly clear: () => void
}

/** What waits in line is to begin within so long, in milliseconds. */
const moment = 100

/** For each that runs, so many may wait at most. */
const longestLine = 16

/** What one more measurement counts for. */
const weight = 0.1

export const make = <Item>({
  clock,
  concurrency,
  dismiss,
  isTimely,
  start
}: WaitingLineOptions<Item>): WaitingLine<Item> => {
  const line: Array<Item> = []
  let running = 0
  // How long one takes of late, in milliseconds. Until that is known, as many may wait as run.
  let pace = moment

  const begin = (item: Item): void => {
    running++
    const since = clock.unsafeCurrentTimeMillis()
    start(
      item,
      Effect.suspend(() => {
        running--
        pace += (clock.unsafeCurrentTimeMillis() - since - pace) * weight
        return beginNext()
      })
    )
  }

  /** As many as may run. */
  const beginNext = (): Effect.Effect<void> => {
    let dismissed = Effect.void
    while (running < concurrency) {
      const next = line.shift()
      if (next === undefined) break
      if (isTimely(next)) begin(next)
      else dismissed = Effect.zipRight(dismissed, dismiss(next))
    }
    return dismissed
  }

  return {
    room: () => {
      const waiting = Math.min(longestLine, moment / Math.max(pace, 1)) * concurrency
      return Math.max(0, Math.floor(concurrency + waiting) - running - line.length)
    },
    add: (items) =>
      Effect.suspend(() => {
        line.push(...items)
        return beginNext()
      }),
    clear: () => {
      line.length = 0
    }
  }
}

/** Answers that are kept in memory for a moment, so that whoever asks again and again asks once. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export interface Kept<A> {
  /** What was put there, while it is good. */
  readonly get: (place: string) => Effect.Effect<A | undefined>
  readonly put: (place: string, value: A) => Effect.Effect<void>
}

/** `most`: the one that was put there longest ago makes way. */
export const makeKept = <A>(goodFor: Duration.DurationInput, most: number): Kept<A> => {
  const entries = new Map<string, { readonly value: A; readonly until: number }>()
  const millis = Duration.toMillis(goodFor)
  return {
    get: (place) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const entry = entries.get(place)
        // Nothing is good for longer because the clock was set back.
        return entry !== undefined && now < entry.until && entry.until - now <= millis ? entry.value : undefined
      }),
    put: (place, value) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        entries.delete(place)
        entries.set(place, { value, until: now + millis })
        const [oldest] = entries.keys()
        if (entries.size > most && oldest !== undefined) entries.delete(oldest)
      })
  }
}

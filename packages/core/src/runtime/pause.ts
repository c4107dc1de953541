/** A pause by the process's own clock, which somebody may cut short. */
import * as Effect from "effect/Effect"

export interface Pause {
  /** Waits. For one fiber at a time. */
  readonly take: Effect.Effect<void>
  /** Ends the pause that is being taken. If none is, the next one is as long as it is. */
  readonly end: () => void
}

export const make = (millis: number): Pause => {
  let end: (() => void) | undefined
  return {
    take: Effect.async<void>((resume) => {
      const timer = setTimeout(() => end?.(), millis)
      end = () => {
        clearTimeout(timer)
        end = undefined
        resume(Effect.void)
      }
      return Effect.sync(() => end?.())
    }),
    end: () => end?.()
  }
}

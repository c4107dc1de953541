/** Steady load: Polar tells some of the stories, a part of each at a time. */
import { type PolarSender, pause } from "./PolarSender.ts"
import type { Story } from "./Story.ts"
import type { Random } from "./seeded.ts"

export interface Load {
  /** Begins no more events, and waits for the first attempts under way. */
  readonly stop: () => Promise<void>
}

export interface LoadOptions {
  /** How many stories are told at once. */
  readonly lanes: number
  readonly random: Random
}

/** Buyers do not wait for an app that is away; but a proof has to come to its end. */
const longestBacklog = 150

export const tell = (stories: ReadonlyArray<Story>, sender: PolarSender, { lanes, random }: LoadOptions): Load => {
  let stopped = false
  // The longest untold first, so that nobody is left out; a story that is being told is in no other lane.
  const waiting = random.shuffle(stories)
  const lane = async (): Promise<void> => {
    while (!stopped) {
      const story = waiting.shift()
      if (story === undefined) return
      const events = 3 + random.int(12)
      for (let told = 0; told < events && !stopped; told++) {
        const first = sender.deliver(story.next())
        // Mostly in order; now and then Polar's workers deliver two at once.
        if (random.chance(0.8)) await first
        do await pause(20 + random.int(160))
        while (sender.backlog() > longestBacklog && !stopped)
      }
      waiting.push(story)
    }
  }
  const running = Array.from({ length: lanes }, lane)
  return {
    stop: async () => {
      stopped = true
      await Promise.all(running)
    }
  }
}

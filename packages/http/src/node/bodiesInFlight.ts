/**
 * How much of bodies this process holds that nobody has vouched for yet: of all servers, routes and billings in it
 * together, since they share its memory.
 */

/** Many times what Polar has under way at once, and little beside what a process has. */
export const mostBytesInFlight = 16 * 1024 * 1024

/** A body that is being read. */
export interface BodyInFlight {
  /** So much more memory is taken for it. */
  readonly grow: (bytes: number) => void
  readonly end: () => void
}

interface Held {
  bytes: number
  readonly giveUp: () => void
}

/** Those that began first come first. */
const held = new Set<Held>()
let total = 0

/**
 * Where there is no room for all, whoever has been at it the longest is given up: Polar's own are there within a moment,
 * and those who hold on to memory by sending slowly do not keep them out.
 */
export const beginBody = (giveUp: () => void): BodyInFlight => {
  const own: Held = { bytes: 0, giveUp }
  held.add(own)
  const drop = (body: Held) => {
    if (held.delete(body)) total -= body.bytes
  }
  return {
    grow: (bytes) => {
      if (!held.has(own)) return
      own.bytes += bytes
      total += bytes
      for (const oldest of held) {
        // A single one may take more, when the app says so by its limit.
        if (total <= mostBytesInFlight || held.size === 1) break
        drop(oldest)
        oldest.giveUp()
      }
    },
    end: () => drop(own)
  }
}

/** For tests. */
export const bytesInFlight = (): number => total

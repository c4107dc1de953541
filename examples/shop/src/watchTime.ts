/** The simulator's time is moved by hand: pages that are open say the new one, also when nothing else comes of it. */

const everyMillis = 2000

/** Clocks that run side by side differ by less. */
const noticeableMillis = 60_000

interface WatchedTime {
  readonly now: () => Promise<Date>
  readonly onMove: () => void
  readonly onFailure: (error: unknown) => void
}

/** Says whenever the time has jumped. Gives what ends it. */
export const watchTime = ({ now, onFailure, onMove }: WatchedTime): (() => void) => {
  let ahead: number | undefined
  const look = async () => {
    const found = (await now()).getTime() - Date.now()
    if (ahead !== undefined && Math.abs(found - ahead) >= noticeableMillis) onMove()
    ahead = found
  }
  const lookNow = () => void look().catch(onFailure)
  // At once, too: what is moved before the first look would never be noticed.
  lookNow()
  const timer = setInterval(lookNow, everyMillis)
  timer.unref()
  return () => clearInterval(timer)
}

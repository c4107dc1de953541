/** How long the rest of the work takes, for the line of progress. */

/** Before that nobody can say, and most work is done. */
const silentMillis = 2000

/**
 * Judged by how long what is done has taken: `, about 3 minutes left`. Empty in the first two seconds, and where it is not known
 * how much there is.
 */
export const makeTimeLeft = (now: () => number = () => performance.now()) => {
  const begunAt = now()
  return (done: number, total: number | undefined): string => {
    const elapsed = now() - begunAt
    if (total === undefined || done <= 0 || done >= total || elapsed < silentMillis) return ""
    return `, about ${shown((elapsed / done) * (total - done))} left`
  }
}

const shown = (millis: number): string => {
  const seconds = Math.ceil(millis / 1000)
  if (seconds < 100) return counted(seconds, "second")
  const minutes = Math.round(seconds / 60)
  return minutes < 100 ? counted(minutes, "minute") : counted(Math.round(minutes / 60), "hour")
}

const counted = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? "" : "s"}`

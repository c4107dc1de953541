/** When a period ends. */

const months: Readonly<Record<string, number>> = { month: 1, year: 12 }
const days: Readonly<Record<string, number>> = { day: 1, week: 7 }

/** `count` intervals later, on the last day of a month that is too short; `undefined` for an interval that is not known. */
export const periodEnd = (start: Date, interval: string | null, count: number): Date | undefined => {
  const end = new Date(start)
  const inDays = days[interval ?? ""]
  if (inDays !== undefined) {
    end.setUTCDate(end.getUTCDate() + count * inDays)
    return end
  }
  const inMonths = months[interval ?? ""]
  if (inMonths === undefined) return undefined
  end.setUTCMonth(end.getUTCMonth() + count * inMonths)
  if (end.getUTCDate() !== start.getUTCDate()) end.setUTCDate(0)
  return end
}

/** `count` days later. */
export const daysAfter = (start: Date, count: number): Date => new Date(start.getTime() + count * 24 * 3600_000)

/** How much was received and told in each hour. Each hour is asked for by itself, along the index of times. */
import type { DeliveryState } from "../records/DeliveryState.ts"
import type { HourQuery, HourRows } from "../store/StoreDriver.ts"
import type { Dialect } from "./Dialect.ts"
import { limitOf } from "./outbox.ts"
import { valueIn } from "./rowsOf.ts"
import { ask, type Rows, type Script, sql } from "./Script.ts"
import { deliveries, notifications } from "./tables.ts"

const hourMillis = 3_600_000

/** Of a day on which everything was given up, more are not told apart. */
const mostDead = 10_000

export const makeHourRows = (dialect: Dialect) => {
  const put = valueIn(dialect)
  const [inbox, outbox] = [dialect.table(deliveries.name), dialect.table(notifications.name)]
  const within = (column: string, from: number) =>
    sql`${column} >= ${put(from, "time")} AND ${column} < ${put(from + hourMillis, "time")}`
  const count = dialect.read("COUNT(*)", "count")
  const numberIn = (value: unknown) => Number(dialect.decode(value, "count"))

  return function* ({ count: hours, from }: HourQuery): Script<HourRows> {
    const starts = Array.from({ length: hours }, (_, hour) => from + hour * hourMillis)
    const [dead = [], ...answers] = yield* ask(
      sql`SELECT ${dialect.read("available_at", "time")} FROM ${outbox} WHERE state = 'dead' AND available_at >= ${put(from, "time")} AND available_at < ${put(from + hours * hourMillis, "time")} LIMIT ${limitOf(mostDead)}`,
      ...starts.flatMap((start) => [
        sql`SELECT ${dialect.read("state", "word")}, ${count} FROM ${inbox} WHERE ${within("received_at", start)} GROUP BY state ORDER BY state`,
        sql`SELECT ${count} FROM ${outbox} WHERE state = 'done' AND ${within("available_at", start)}`
      ])
    )
    const of = (place: number): Rows => answers[place] ?? []
    const givenUp = new Map<number, number>()
    for (const [at] of dead) {
      const hour = Math.floor((Number(dialect.decode(at, "time")) - from) / hourMillis)
      givenUp.set(hour, (givenUp.get(hour) ?? 0) + 1)
    }
    const one = (hour: number, state: "done" | "dead", counted: number) =>
      counted === 0 ? [] : [{ hour, state, count: counted }]
    return {
      deliveries: starts.flatMap((_, hour) =>
        of(hour * 2).map(([state, counted]) => ({
          hour,
          // What is stored of a state was one.
          state: String(state) as DeliveryState,
          count: numberIn(counted)
        }))
      ),
      notifications: starts.flatMap((_, hour) => [
        ...one(hour, "dead", givenUp.get(hour) ?? 0),
        ...one(hour, "done", numberIn(of(hour * 2 + 1)[0]?.[0]))
      ])
    }
  }
}

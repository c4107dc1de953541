/** Many rows changed by one UPDATE, each to values of its own. */
import { type SQL, sql } from "drizzle-orm"

/** As many rows share a statement: it looks for a row's values among those of all. */
const groupSize = 100

export const groupsOf = <Row>(rows: ReadonlyArray<Row>): ReadonlyArray<ReadonlyArray<Row>> => {
  const groups: Array<ReadonlyArray<Row>> = []
  for (let start = 0; start < rows.length; start += groupSize) groups.push(rows.slice(start, start + groupSize))
  return groups
}

/** Makes the expression of a column: for the row with the nth of the keys, the nth of the values. */
export const choices =
  (key: SQL, keys: ReadonlyArray<string>) =>
  (values: ReadonlyArray<string | number | null>): SQL => {
    const [first] = values
    if (values.every((value) => value === first)) return sql`${first ?? null}`
    const cases = values.map((value, index) => sql` WHEN ${keys[index]} THEN ${value}`)
    return sql`CASE ${key}${sql.join(cases)} END`
  }

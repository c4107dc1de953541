/** Many rows changed by one UPDATE, each to values of its own. */
import { join, type Statement, statement, type Value } from "./MysqlStatement.ts"

/** As many rows share a statement: it looks for a row's values among those of all. */
const groupSize = 100

export const groupsOf = <Row>(rows: ReadonlyArray<Row>): ReadonlyArray<ReadonlyArray<Row>> => {
  const groups: Array<ReadonlyArray<Row>> = []
  for (let start = 0; start < rows.length; start += groupSize) groups.push(rows.slice(start, start + groupSize))
  return groups
}

/** Makes an assignment to a column: for the row with the nth of the keys, the nth of the values. */
export const choices =
  (key: string, keys: ReadonlyArray<string>) =>
  (column: string, values: ReadonlyArray<Value>): Statement => {
    const [first] = values
    if (values.every((value) => value === first)) return statement(`${column} = ?`, first ?? null)
    return statement(
      `${column} = CASE ${key}${" WHEN ? THEN ?".repeat(values.length)} END`,
      ...values.flatMap((value, index) => [keys[index] ?? null, value])
    )
  }

/** `assignments` where `condition` holds. */
export const update = (table: string, assignments: ReadonlyArray<Statement>, condition: Statement): Statement =>
  join([statement(`UPDATE ${table} SET`), join(assignments, ", "), statement("WHERE"), condition], " ")

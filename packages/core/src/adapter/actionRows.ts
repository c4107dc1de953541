/** The audit trail: what people did with the console. */
import type { ActionRow } from "../records/rows.ts"
import type { ActionRowQuery } from "../store/StoreDriver.ts"
import type { Dialect } from "./Dialect.ts"
import { limitOf } from "./outbox.ts"
import { valueIn, writerOf } from "./rowsOf.ts"
import { askOne, commit, join, type Script, sql } from "./Script.ts"
import { actions } from "./tables.ts"
import { actionRows } from "./wholeRows.ts"

export const makeActionRows = (dialect: Dialect) => {
  const put = valueIn(dialect)
  const access = actionRows(dialect)
  const insert = writerOf<ActionRow>(dialect, actions, "replace")

  return {
    record: function* (row: ActionRow): Script<void> {
      yield* commit(...dialect.settings({}), insert(row))
    },

    select: function* ({ after, limit, subject }: ActionRowQuery): Script<ReadonlyArray<ActionRow>> {
      const conditions = [
        ...(subject === undefined ? [] : [sql`subject = ${put(subject, "key")}`]),
        ...(after === undefined
          ? []
          : [sql`at <= ${put(after.at, "time")} AND (at < ${put(after.at, "time")} OR id < ${put(after.id, "key")})`])
      ]
      const where = conditions.length === 0 ? "" : sql` WHERE ${join(conditions, " AND ")}`
      return access.rows(
        yield* askOne(sql`${access.select()}${where} ORDER BY at DESC, id DESC LIMIT ${limitOf(limit)}`)
      )
    }
  }
}

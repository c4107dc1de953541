/** Fields of the JSON in a column `data`, as SQL. */
import type { View } from "@kavach-polar/core/adapter"

/** JSON's null is not SQL's, and becomes it here. */
export const jsonField = (key: string, type: View["fields"][number]["type"]): string => {
  const json = `JSON_EXTRACT(data, '$.${key}')`
  const text = `IF(JSON_TYPE(${json}) = 'NULL', NULL, JSON_UNQUOTE(${json}))`
  return {
    text,
    integer: `CAST(${text} AS SIGNED)`,
    flag: `${text} = 'true'`,
    time: `CAST(REPLACE(REPLACE(${text}, 'T', ' '), 'Z', '') AS DATETIME(6))`
  }[type]
}

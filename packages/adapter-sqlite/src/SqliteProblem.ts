/** What an error of SQLite, or of the code around it, means to an operator. */

import { type Explanation, explainSqlite } from "@kavach-polar/core/adapter"

export const explain = (error: unknown): Explanation => explainSqlite(error)

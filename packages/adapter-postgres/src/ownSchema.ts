/**
 * The schema of the store's tables, next to which the users' table is looked for first. What the search path leads to is looked up once, and the tables are named with it from
 * then on: an app that sets the path for a tenant, or a connection that comes with another one, reaches no other tables.
 */
import { ask, type Batch, DriverError, part, type Rows, type Script } from "@kavach-polar/core/adapter"

/** Stands before a table's name until the schema is known. No value is ever part of a statement's text. */
const place = "kavach_polar_schema."

/** Stands for the schema's name as a text. */
export const ownSchemaText = "kavach_polar_schema_text"

/** A table's name in statements that `inSchema` runs. */
export const qualified = (name: string): string => `${place}${name}`

/** Where the tables are; where there are none yet, where they are to be made. */
export function* findSchema(): Script<string> {
  const [[rows] = []] = yield* ask(
    part(
      `SELECT quote_ident(coalesce(
        (SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
          WHERE pg_class.oid = to_regclass('kavach_polar_migrations')),
        current_schema()))`
    )
  )
  const schema = rows?.[0] ?? null
  if (schema !== null) return String(schema)
  throw new DriverError("schema", "the connection's search_path leads to no schema; create one, or change the path")
}

const known = new Map<string, string>()

const named = (text: string, schema: string): string => {
  const key = `${schema} ${text}`
  const found = known.get(key)
  if (found !== undefined) return found
  // By functions: a schema's name may have marks that a replacement would be told by.
  const made = text
    .replaceAll(place, () => `${schema}.`)
    .replaceAll(ownSchemaText, () => `$kavach_polar$${schema}$kavach_polar$`)
  known.set(key, made)
  return made
}

/** The same script on the tables of this schema, which is given as it stands in SQL. */
export function* inSchema<A>(schema: string, script: Script<A>): Script<A> {
  let next = script.next()
  while (next.done !== true) {
    const { commits, statements }: Batch = next.value
    const rows: ReadonlyArray<Rows> = yield {
      commits,
      statements: statements.map(({ text, values }) => ({ text: named(text, schema), values }))
    }
    next = script.next(rows)
  }
  return next.value
}

/** What makes tables names them without their schema, because its checksum is remembered: so it comes first in the path. */
export function* firstInPath<A>(schema: string, script: () => Script<A>): Script<A> {
  yield* ask(part("SELECT set_config('search_path', ?::text || ', ' || current_setting('search_path'), true)", schema))
  return yield* script()
}

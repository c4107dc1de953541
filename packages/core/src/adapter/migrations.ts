/**
 * Brings the tables to this version's state, whoever else is doing the same at the moment. Migrations go forward only,
 * are numbered, and are remembered with a checksum. A new database gets the tables as they are now; an older one each
 * step that it has not had.
 */
import { createHash } from "node:crypto"
import type { Ddl, Dialect, MigrationStep, ReleasedMigration } from "./Dialect.ts"
import { DriverError } from "./DriverError.ts"
import { ask, askOne, commit, part, type Script } from "./Script.ts"
import { sqlName, type Table, tables, type View, views } from "./tables.ts"
import { migrateUsers } from "./usersTable.ts"

/** One step forward. One that was released never changes: every database remembers its checksum. */
export interface Migration {
  readonly version: number
  readonly name: string
  /**
   * The earliest migration that a program has to know to work on a database that has had this one. So during a deployment
   * an older program goes on beside a newer one, unless a migration says otherwise.
   */
  readonly requires: number
  readonly steps: (ddl: Ddl) => ReadonlyArray<MigrationStep>
}

const step = (sql: string): MigrationStep => ({ sql })

const createViews = (ddl: Ddl, of: ReadonlyArray<View>): ReadonlyArray<MigrationStep> =>
  of.flatMap((view) => ddl.createView(view).map(step))

const viewsOf = (...kinds: ReadonlyArray<string>): ReadonlyArray<View> =>
  views.filter(({ kind }) => kinds.includes(kind))

export const migrations: ReadonlyArray<Migration> = [
  {
    version: 4,
    name: "0004_records",
    requires: 4,
    // Subscriptions become the first kind of a table for all.
    steps: (ddl) => [
      ...ddl.createTable(tableNamed("kavach_polar_records")).map(step),
      ...ddl.toRecords,
      ...createViews(ddl, viewsOf("subscription", "order", "refund"))
    ]
  }
]

/** Everything as it is now, for a database that has none of it. */
const createAll = (ddl: Ddl): ReadonlyArray<MigrationStep> => [
  ...tables.flatMap((table) => ddl.createTable(table).map(step)),
  ...ddl.furtherTables.map(step),
  ...createViews(ddl, views)
]

/** SHA-256 of the SQL, in hexadecimal. */
export const checksumOf = (migration: Migration, ddl: Ddl): string =>
  createHash("sha256")
    .update(
      migration
        .steps(ddl)
        .map(({ sql }) => sql)
        .join(";\n")
    )
    .digest("hex")

/** To be run on one connection, in one transaction where the dialect can undo a change of tables. */
export function* migrate(dialect: Dialect, packageName: string): Script<void> {
  const { ddl } = dialect
  if (ddl.takeTurn !== undefined && !ddl.isTaken(yield* askOne(ddl.takeTurn))) {
    throw new DriverError("busy", "another process has been migrating for too long; try again")
  }
  try {
    yield* bringUpToDate(dialect, packageName)
    yield* migrateUsers(dialect.users, run)
    yield* commit()
  } finally {
    // Where the connection is gone, so is the lock.
    if (ddl.endTurn !== undefined) yield* askOne(ddl.endTurn)
  }
}

function* run(statement: string): Script<void> {
  yield* ask(part(statement))
}

function* bringUpToDate(dialect: Dialect, packageName: string): Script<void> {
  const { ddl } = dialect
  let columns = yield* columnsOf(ddl)
  // Where everything is there already this only reads, which takes no privilege to create anything.
  const history = columns.has(historyTable) ? yield* historyOf(dialect, columns) : undefined
  if (history === undefined) yield* run(ddl.historyTable)
  const pending = pendingMigrations(history ?? [], ddl.released, packageName, (migration) => checksumOf(migration, ddl))
  if (pending.length > 0) {
    if (history !== undefined && !(columns.get(historyTable)?.has("requires") ?? false)) yield* run(ddl.addRequires)
    const isNew = history === undefined || history.length === 0
    const steps = isNew ? [createAll(ddl)] : pending.map((migration) => migration.steps(ddl))
    for (const { onlyIf, sql, unless } of steps.flat()) {
      // Looked at anew before each that asks: on some databases every statement commits, and a process may have died between.
      if (onlyIf !== undefined || unless !== undefined) {
        columns = yield* columnsOf(ddl)
        if (onlyIf !== undefined && !columns.get(onlyIf.table)?.has(onlyIf.column)) continue
        if (unless !== undefined && columns.get(unless.table)?.has(unless.column)) continue
      }
      yield* run(sql)
    }
    for (const migration of pending) yield* remember(dialect, migration)
  }
  requireTables(yield* columnsOf(ddl))
}

const historyTable = "kavach_polar_migrations"

interface RecordedMigration {
  readonly version: number
  readonly name: string
  readonly checksum: string
  readonly requires: number
}

function* historyOf(dialect: Dialect, columns: Columns): Script<ReadonlyArray<RecordedMigration>> {
  const read = (name: string, type: "count" | "text") => dialect.read(name, type)
  const hasRequires = columns.get(historyTable)?.has("requires") ?? false
  const rows = yield* askOne(
    part(
      `SELECT ${read("version", "count")}, ${read("name", "text")}, ${read("checksum", "text")}, ${hasRequires ? read("requires", "count") : `${read("version", "count")} AS requires`} FROM ${dialect.table(historyTable)} ORDER BY version`
    )
  )
  return rows.map(([version, name, checksum, requires]) => ({
    version: Number(version),
    name: String(name),
    checksum: String(checksum),
    requires: Number(requires)
  }))
}

function* remember(dialect: Dialect, migration: Migration): Script<void> {
  const { ddl } = dialect
  const value = (text: string | number, type: "count" | "text") => ({
    text: dialect.place(type),
    values: [dialect.encode(text, type)]
  })
  const parts = [
    value(migration.version, "count"),
    value(migration.name, "text"),
    value(checksumOf(migration, ddl), "text"),
    value(migration.requires, "count")
  ]
  yield* ask({
    text: `INSERT INTO ${dialect.table(historyTable)} (version, name, checksum, requires, applied_at) VALUES (${parts.map(({ text }) => text).join(", ")}, ${ddl.now})`,
    values: parts.flatMap(({ values }) => values)
  })
}

/**
 * The migrations that the database has yet to have, in order. Throws a `DriverError` where this version cannot work on it:
 * it was changed by a newer one that says so, or a migration was changed afterwards.
 */
export const pendingMigrations = (
  history: ReadonlyArray<RecordedMigration>,
  released: ReadonlyArray<ReleasedMigration>,
  packageName: string,
  checksum: (migration: Migration) => string
): ReadonlyArray<Migration> => {
  const latest = Math.max(...migrations.map(({ version }) => version))
  const known = new Map([
    ...released.map((migration) => [migration.version, migration.checksum] as const),
    ...migrations.map((migration) => [migration.version, checksum(migration)] as const)
  ])
  for (const recorded of history) {
    const expected = known.get(recorded.version)
    if (expected === undefined) {
      if (recorded.requires <= latest) continue
      throw new DriverError(
        "schema",
        `the database has had migration ${recorded.name}, which this version does not know and cannot work with; upgrade ${packageName}`
      )
    }
    if (expected !== recorded.checksum) {
      throw new DriverError(
        "schema",
        `migration ${recorded.name} was applied in another form than this version has (checksum ${recorded.checksum.slice(0, 12)}, expected ${expected.slice(0, 12)})`
      )
    }
  }
  const had = new Set(history.map(({ version }) => version))
  return migrations.filter(({ version }) => !had.has(version))
}

type Columns = ReadonlyMap<string, ReadonlySet<string>>

/** The columns of the store's tables and views, by table. */
function* columnsOf(ddl: Ddl): Script<Columns> {
  const found = new Map<string, Set<string>>()
  for (const [table, column] of yield* askOne(ddl.columns)) {
    const columns = found.get(String(table)) ?? new Set()
    found.set(String(table), columns.add(String(column)))
  }
  return found
}

/** A table of the same name that somebody else has made is not made anew, and is not ours. */
const requireTables = (columns: Columns): void => {
  for (const { columns: fields, name } of tables) {
    for (const field of Object.keys(fields)) {
      if (columns.get(name)?.has(sqlName(field))) continue
      throw new DriverError(
        "schema",
        `the table ${name} already exists, and is not the store's: it has no column ${sqlName(field)}`
      )
    }
  }
}

const tableNamed = (name: string): Table => {
  const table = tables.find((one) => one.name === name)
  if (table === undefined) throw new Error(`there is no table ${name}`)
  return table
}

/**
 * Brings the tables to this version's state, whoever else is doing the same at the moment. Migrations go forward only,
 * are numbered, and are remembered with a checksum. A new database gets the tables as they are now; an older one each
 * step that it has not had.
 */
import { createHash } from "node:crypto"
import type { MigrationReport, MigrationStatus } from "../store/Migrations.ts"
import type { Ddl, Dialect, MigrationStep, ReleasedMigration } from "./Dialect.ts"
import { DriverError } from "./DriverError.ts"
import { ask, askOne, commit, part, type Script } from "./Script.ts"
import { addedIn, asOf, sqlName, type Table, tables, type View, views } from "./tables.ts"
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

const additions = (ddl: Ddl, version: number): ReadonlyArray<MigrationStep> =>
  addedIn(version).flatMap(({ columns, indexes, name }) => [
    ...(columns.length === 0 ? [] : ddl.addColumns(name, columns)),
    ...indexes.flatMap((index) => ddl.addIndex(name, index))
  ])

export const migrations: ReadonlyArray<Migration> = [
  {
    version: 4,
    name: "0004_records",
    requires: 4,
    // Subscriptions become the first kind of a table for all.
    steps: (ddl) => [
      ...ddl.createTable(asOf(tableNamed("kavach_polar_records"), 4)).map(step),
      ...ddl.toRecords,
      ...createViews(ddl, viewsOf("subscription", "order", "refund"))
    ]
  },
  {
    version: 5,
    name: "0005_benefits",
    requires: 4,
    steps: (ddl) => createViews(ddl, viewsOf("benefit", "benefit_grant", "product"))
  },
  {
    version: 6,
    name: "0006_clock",
    requires: 4,
    steps: (ddl) => [
      ...additions(ddl, 6),
      // What the clock may have a say in is looked at once, and then at its time.
      step(
        "UPDATE kavach_polar_records SET clock_at = updated_at WHERE kind = 'subscription' AND live AND lapsed_at IS NULL AND (ends_at IS NOT NULL OR status IN ('trialing', 'past_due'))"
      )
    ]
  },
  {
    version: 7,
    name: "0007_checkout_index",
    requires: 4,
    steps: (ddl) => additions(ddl, 7)
  },
  {
    version: 8,
    name: "0008_link_changes",
    requires: 4,
    steps: (ddl) => ddl.createTable(asOf(tableNamed("kavach_polar_link_changes"), 8)).map(step)
  },
  {
    version: 9,
    name: "0009_all_kinds",
    requires: 4,
    steps: (ddl) =>
      createViews(
        ddl,
        viewsOf("discount", "checkout", "customer", "customer_state", "customer_seat", "member", "organization")
      )
  },
  {
    version: 10,
    name: "0010_handlers",
    // A program of before would take what others are to be told for its own.
    requires: 10,
    steps: (ddl) => additions(ddl, 10)
  },
  {
    version: 11,
    name: "0011_license_keys",
    // A program of 10 goes on beside it.
    requires: 10,
    steps: (ddl) => createViews(ddl, viewsOf("license_key", "license_answer"))
  },
  {
    version: 12,
    name: "0012_actions",
    // A program of 10 goes on beside it.
    requires: 10,
    steps: (ddl) => ddl.createTable(asOf(tableNamed("kavach_polar_actions"), 12)).map(step)
  },
  {
    version: 13,
    name: "0013_traceparent",
    // A program of 10 goes on beside it.
    requires: 10,
    steps: (ddl) => additions(ddl, 13)
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
export function* migrate(
  dialect: Dialect,
  packageName: string,
  users: Dialect["users"] | undefined
): Script<MigrationReport> {
  const { ddl } = dialect
  if (ddl.takeTurn !== undefined && !ddl.isTaken(yield* askOne(ddl.takeTurn))) {
    throw new DriverError("busy", "another process has been migrating for too long; try again")
  }
  try {
    const report = yield* bringUpToDate(dialect, packageName)
    const warnings = users === undefined ? [] : yield* migrateUsers(users, run)
    yield* commit()
    return { ...report, warnings }
  } finally {
    // Where the connection is gone, so is the lock.
    if (ddl.endTurn !== undefined) yield* askOne(ddl.endTurn)
  }
}

/**
 * How the tables stand, without touching them. Throws a `DriverError` where this version cannot work on them, and where they
 * should be there and are not.
 */
export function* migrationStatus(dialect: Dialect, packageName: string): Script<MigrationStatus> {
  const { ddl } = dialect
  const columns = yield* columnsOf(ddl)
  const history = columns.has(historyTable) ? yield* historyOf(dialect, columns) : []
  const pending = pendingMigrations(history, ddl.released, packageName, (migration) => checksumOf(migration, ddl))
  if (pending.length === 0) requireTables(columns)
  const newer = newerThanKnown(history, ddl.released)
  return {
    applied: namesOf(history).filter((name) => !newer.includes(name)),
    pending: namesOf(pending),
    newer
  }
}

function* run(statement: string): Script<void> {
  yield* ask(part(statement))
}

function* bringUpToDate(dialect: Dialect, packageName: string): Script<MigrationReport> {
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
    yield* repairCollations(ddl)
    for (const migration of pending) yield* remember(dialect, migration)
  }
  requireTables(yield* columnsOf(ddl))
  return { applied: namesOf(pending), newer: newerThanKnown(history ?? [], ddl.released) }
}

/** Of tables that somebody else has made before: the statements above take them as they are. */
function* repairCollations(ddl: Ddl): Script<void> {
  if (ddl.collations === undefined) return
  const found = yield* askOne(ddl.collations.find)
  if (found.length === 0) return
  for (const { name } of views) yield* run(`DROP VIEW IF EXISTS ${name}`)
  for (const sql of ddl.collations.repair(found)) yield* run(sql)
  for (const { sql } of createViews(ddl, views)) yield* run(sql)
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
      `SELECT ${read("version", "count")}, ${read("name", "text")}, ${read("checksum", "text")}, ${hasRequires ? read("requires", "count") : `${read("version", "count")} AS requires`} FROM ${dialect.table(historyTable)}`
    )
  )
  // Ordered here: as a database reads them out, versions may be texts, and 10 stands before 9.
  return rows
    .map(([version, name, checksum, requires]) => ({
      version: Number(version),
      name: String(name),
      checksum: String(checksum),
      requires: Number(requires)
    }))
    .sort((a, b) => a.version - b.version)
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

const namesOf = (list: ReadonlyArray<{ readonly name: string }>): ReadonlyArray<string> => list.map(({ name }) => name)

/** What a newer version has done to the database: it must have said that this one can work beside it. */
const newerThanKnown = (
  history: ReadonlyArray<RecordedMigration>,
  released: ReadonlyArray<ReleasedMigration>
): ReadonlyArray<string> => {
  const known = new Set([...released, ...migrations].map(({ version }) => version))
  return namesOf(history.filter(({ version }) => !known.has(version)))
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

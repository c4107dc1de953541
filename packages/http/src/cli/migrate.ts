/** `migrate`: the only command that makes or changes tables. */
import type { MigrationStatus } from "@kavach-polar/core/BillingStore"
import { databaseOf, existingDatabaseOf } from "./database.ts"
import { type ExitCode, exitCodes, type Terminal } from "./Terminal.ts"
import { withStore } from "./withBilling.ts"

export interface MigrateCommand {
  readonly database: string | undefined
  readonly json: boolean
  readonly status: boolean
}

export const migrate = async (terminal: Terminal, options: MigrateCommand): Promise<ExitCode> => {
  if (options.status) {
    const database = existingDatabaseOf(options.database, terminal.env)
    const status = await withStore(terminal, { ...database.address, asItIs: true }, (store) => store.migrationStatus)
    if (options.json) terminal.out(JSON.stringify(status))
    else tellStatus(terminal, status)
    return status.pending.length > 0 ? exitCodes.differs : exitCodes.done
  }
  const database = databaseOf(options.database, terminal.env)
  terminal.progress(`Migrating ${database.shown}`)
  const { applied, newer } = await withStore(terminal, database.address, (store) => store.migrate)
  if (options.json) {
    terminal.out(JSON.stringify({ applied, newer }))
    return exitCodes.done
  }
  terminal.out(
    applied.length === 0
      ? "The tables are up to date."
      : `The database has had ${applied.join(", ")}, and is up to date.`
  )
  tellNewer(terminal, newer)
  return exitCodes.done
}

const tellStatus = (terminal: Terminal, { applied, newer, pending }: MigrationStatus): void => {
  for (const name of applied) terminal.out(`applied  ${name}`)
  for (const name of newer) terminal.out(`newer    ${name}`)
  for (const name of pending) terminal.out(`pending  ${name}`)
  tellNewer(terminal, newer)
  terminal.out(pending.length === 0 ? "The tables are up to date." : "Run: kavach-polar migrate")
}

const tellNewer = (terminal: Terminal, newer: ReadonlyArray<string>): void => {
  if (newer.length === 0) return
  terminal.out(`A newer version than this one has migrated it (${newer.join(", ")}); this one can work beside it.`)
}

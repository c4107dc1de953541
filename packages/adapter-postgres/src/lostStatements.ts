/**
 * Prepared statements get lost behind a pooler that lends a connection for one transaction at a time and does not keep them,
 * such as PgBouncer before 1.21 or Supabase's port 6543: what was prepared is on another connection than what runs, or on
 * one that has it already. Then statements go unprepared from there on, and the transaction is run again.
 */
import { codeOf, DriverError } from "@kavach-polar/core/adapter"

export const lostStatementsAdvice =
  "prepared statements get lost on the way to the server, as behind a pooler that lends connections for one transaction at a time. Give the driver `prepare: false`, or use the pooler's session mode"

/** Nothing of the transaction counts; run again, it goes without prepared statements. */
export class StatementsLost extends DriverError {
  constructor(code: string) {
    super("unavailable", `${code}: ${lostStatementsAdvice}`)
  }
}

/** Whether statements are prepared on the connections of a pool. */
export interface Preparing {
  readonly isOn: () => boolean
  readonly off: () => void
  /** The error of a statement that was prepared, as it is to be thrown. */
  readonly failed: (error: unknown) => unknown
}

export const preparing = (wanted: boolean): Preparing => {
  let isOn = wanted
  return {
    isOn: () => isOn,
    off: () => {
      isOn = false
    },
    failed: (error) => {
      const code = codeOf(error)
      if (code === undefined || !lostCodes.has(code)) return error
      isOn = false
      return new StatementsLost(code)
    }
  }
}

/** invalid_sql_statement_name: there is none; duplicate_prepared_statement: there is one already. */
export const lostCodes: ReadonlySet<string> = new Set(["26000", "42P05"])

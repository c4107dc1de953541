/** `doctor`: what is wrong, and what puts it right. It only looks. */
import type { Diagnosis, Finding } from "@kavach-polar/core/Billing"
import { StoreError } from "@kavach-polar/core/StoreError"
import { CommandFailed, type ExitCode, exitCodes, type Terminal } from "./Terminal.ts"
import { withBillingAsItIs } from "./withBilling.ts"

export interface DoctorCommand {
  readonly database: string | undefined
  readonly json: boolean
}

export const doctor = async (terminal: Terminal, options: DoctorCommand): Promise<ExitCode> => {
  const diagnosis = await diagnosisOf(terminal, options)
  if (options.json) terminal.out(JSON.stringify(diagnosis))
  else tell(terminal, diagnosis)
  return exitCodeOf[diagnosis.status]
}

const exitCodeOf: Readonly<Record<Diagnosis["status"], ExitCode>> = {
  fine: exitCodes.done,
  warning: exitCodes.differs,
  broken: exitCodes.failed
}

const diagnosisOf = async (terminal: Terminal, options: DoctorCommand): Promise<Diagnosis> => {
  try {
    return await withBillingAsItIs(terminal, options, (billing) => billing.diagnose)
  } catch (error) {
    // A command that is wrong is no finding; a database that cannot be opened is one.
    const isFinding =
      error instanceof StoreError || (error instanceof CommandFailed && error.exitCode === exitCodes.failed)
    if (!isFinding) throw error
    return {
      status: "broken",
      findings: [
        {
          check: "database",
          level: "broken",
          what: error.message,
          why: "Deliveries are answered 503, and Polar gives up on each after half an hour. Nothing else was looked at.",
          help: "Check DATABASE_URL, and that the database runs"
        }
      ]
    }
  }
}

const marks: Readonly<Record<Finding["level"], string>> = {
  fine: "ok",
  warning: "look",
  broken: "BROKEN",
  unknown: "?"
}

const tell = (terminal: Terminal, { findings, status }: Diagnosis): void => {
  for (const { check, help, level, what, why } of findings) {
    terminal.out(`${marks[level].padEnd(7)} ${check.padEnd(13)} ${what}`)
    if (why !== null) terminal.out(`${indent}${why}`)
    if (help !== null) terminal.out(`${indent}Do: ${help}`)
  }
  terminal.out("")
  terminal.out(conclusions[status])
}

const indent = " ".repeat(22)

const conclusions: Readonly<Record<Diagnosis["status"], string>> = {
  fine: "Nothing is wrong.",
  warning: "It works, and something needs a look.",
  broken: "Something is broken. Begin with what comes first."
}

/** `doctor`: what is wrong, and what puts it right. It only looks. */
import { type Diagnosis, type Finding, worstOf } from "@kavach-polar/core/Diagnosis"
import { lookAtSecret } from "@kavach-polar/core/SecretFindings"
import { StoreError } from "@kavach-polar/core/StoreError"
import * as Redacted from "effect/Redacted"
import { accessTokenOf } from "./environment.ts"
import { sentDelivery } from "./sentDelivery.ts"
import { CommandFailed, type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"
import { withBillingAsItIs, withPolar } from "./withBilling.ts"

export interface DoctorCommand {
  readonly database: string | undefined
  readonly json: boolean
  readonly send: boolean
}

export const doctor = async (terminal: Terminal, options: DoctorCommand): Promise<ExitCode> => {
  const url = terminal.env["POLAR_WEBHOOK_URL"]
  const secret = terminal.env["POLAR_WEBHOOK_SECRET"]
  if (options.send && (url === undefined || secret === undefined)) {
    throw wrong(
      "--send needs POLAR_WEBHOOK_URL, where it sends a delivery to, and POLAR_WEBHOOK_SECRET to sign it with."
    )
  }
  if (url !== undefined && !isHttp(url)) throw wrong(`POLAR_WEBHOOK_URL is "${url}", which is no http(s) address.`)
  const { findings } = await diagnosisOf(terminal, options)
  const ofSecret = url === undefined || secret === undefined ? [] : await secretFindings(terminal, options, url, secret)
  const place = findings.findIndex(({ check }) => check === "clock")
  const all = place < 0 ? [...findings, ...ofSecret] : findings.toSpliced(place, 0, ...ofSecret)
  const diagnosis: Diagnosis = { status: worstOf(all), findings: all }
  if (options.json) terminal.out(JSON.stringify(diagnosis))
  else tell(terminal, diagnosis)
  return exitCodeOf[diagnosis.status]
}

const isHttp = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)

const secretFindings = async (
  terminal: Terminal,
  { send }: DoctorCommand,
  url: string,
  secret: string
): Promise<ReadonlyArray<Finding>> => [
  ...(accessTokenOf(terminal.env) === undefined
    ? []
    : await withPolar(terminal, lookAtSecret(url, Redacted.make(secret)))),
  ...(send ? [await sentDelivery(url, secret)] : [])
]

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

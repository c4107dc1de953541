/** What is found where an installation is looked at, and how bad it is. */
import * as Schema from "effect/Schema"

export const checkNames = [
  "database",
  "users",
  "token",
  "scopes",
  "organization",
  "endpoint",
  "secret",
  "clock",
  "waiting",
  "drift",
  "links"
] as const

/** What one look found. */
export const Finding = Schema.Struct({
  check: Schema.Literal(...checkNames),
  /**
   * - `fine`: as it should be
   * - `warning`: works, and somebody should look
   * - `broken`: somebody pays and does not get what they paid for, or soon will
   * - `unknown`: could not be looked at, because something else is broken
   */
  level: Schema.Literal("fine", "warning", "broken", "unknown"),
  /** What was found, as a sentence. */
  what: Schema.String,
  /** What comes of it. */
  why: Schema.NullOr(Schema.String),
  /** The command that helps, or where to go. */
  help: Schema.NullOr(Schema.String)
})
export type Finding = typeof Finding.Type

export const Diagnosis = Schema.Struct({
  /** The worst that was found. */
  status: Schema.Literal("fine", "warning", "broken"),
  findings: Schema.Array(Finding)
})
export type Diagnosis = typeof Diagnosis.Type

export type Check = (typeof checkNames)[number]

const finding =
  (level: Finding["level"]) =>
  (check: Check, what: string, why: string | null = null, help: string | null = null): Finding => ({
    check,
    level,
    what,
    why,
    help
  })
export const fine = finding("fine")
export const warning = finding("warning")
export const broken = finding("broken")
export const unknown = finding("unknown")

/** What could not be looked at is somebody's to look at. */
export const worstOf = (findings: ReadonlyArray<Finding>): Diagnosis["status"] =>
  findings.some(({ level }) => level === "broken")
    ? "broken"
    : findings.every(({ level }) => level === "fine")
      ? "fine"
      : "warning"

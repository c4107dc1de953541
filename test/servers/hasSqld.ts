/** Whether there is libSQL's server. A run without says so; in CI that is a failure. */
import { obtainSqld } from "./sqld.ts"

export const hasSqld: boolean = await obtainSqld().then(
  () => true,
  (error) => {
    if (process.env["CI"] === "true") throw error
    process.stderr.write(`\nNOT RUN: ${error instanceof Error ? error.message : String(error)}\n`)
    return false
  }
)

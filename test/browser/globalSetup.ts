/** Says loudly when the tests in a browser cannot run, and fails where they must. */
import { chromiumPath } from "./chromium.ts"

export const setup = (): void => {
  if (chromiumPath !== undefined) return
  const message =
    "NOT RUN: the tests in a browser. There is no Chromium on this machine: install it (Debian: apt-get install chromium), or set CHROMIUM to its path."
  if (process.env["CI"] === "true") throw new Error(message)
  process.stderr.write(`\n${"!".repeat(80)}\n${message}\n${"!".repeat(80)}\n\n`)
}

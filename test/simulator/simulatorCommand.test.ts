/** `simulator` where its package is not installed; that it starts, test/e2e/commands.test.ts says. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { kavachPolar } from "./kavachPolar.ts"

test("says what to install", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  const { err, exitCode } = await kavachPolar(["simulator"], { env: {}, folder })
  expect(exitCode).toBe(1)
  expect(err).toContain("npm install --save-dev @kavach-polar/simulator")
  expect(await kavachPolar(["simulator", "--port", "many"], { env: {}, folder })).toMatchObject({ exitCode: 2 })
  rmSync(folder, { recursive: true, force: true })
})

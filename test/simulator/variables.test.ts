/** What the command line takes from a file `.env`, and from the environment. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { kavachPolar } from "./kavachPolar.ts"

let folder = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const database = (name: string) => {
  const path = join(folder, name)
  new Database(path).close()
  return path
}

const writeEnv = (text: string, name = ".env") => writeFileSync(join(folder, name), text)

/** Which database it works on: each has as many migrations applied. */
const status = async (args: ReadonlyArray<string> = [], env: Readonly<Record<string, string>> = {}) =>
  kavachPolar(["migrate", "--status", ...args], { env, folder })

describe(".env", () => {
  test("is read from the folder, and the environment wins", async () => {
    const [first, second] = [database("first.db"), database("second.db")]
    await kavachPolar(["migrate"], { env: { DATABASE_URL: second } })
    writeEnv(`# the app's\nexport DATABASE_URL='${first}'\n`)
    expect(await status()).toMatchObject({ exitCode: 3 })
    expect(await status([], { DATABASE_URL: second })).toMatchObject({ exitCode: 0 })
    expect(await kavachPolar(["migrate", "--status"], { env: {} })).toMatchObject({ exitCode: 2 })
  })

  test("another file can be named, and has to be there", async () => {
    const [first, second] = [database("first.db"), database("second.db")]
    await kavachPolar(["migrate"], { env: { DATABASE_URL: second } })
    writeEnv(`DATABASE_URL=${first}\n`)
    writeEnv(`DATABASE_URL=${second}\n`, "production.env")
    expect(await status(["--env-file", "production.env"])).toMatchObject({ exitCode: 0 })
    expect(await status(["--env-file=production.env"])).toMatchObject({ exitCode: 0 })
    expect(await status([], { KAVACH_POLAR_ENV_FILE: join(folder, "production.env") })).toMatchObject({ exitCode: 0 })
    for (const ran of [
      await status(["--env-file", "none.env"]),
      await status([], { KAVACH_POLAR_ENV_FILE: "none.env" }),
      await kavachPolar(["migrate", "--env-file", "none.env"], { env: {} })
    ]) {
      expect(ran).toMatchObject({ exitCode: 2, err: expect.stringContaining("none.env") })
    }
    expect(await status(["--env-file"])).toMatchObject({ exitCode: 2 })
  })

  test("one that cannot be read is an error, and no value of it is told", async () => {
    mkdirSync(join(folder, ".env"))
    expect(await status()).toMatchObject({ exitCode: 1, err: expect.stringContaining("cannot be read (EISDIR)") })
    rmSync(join(folder, ".env"), { recursive: true })
    writeEnv("POLAR_ENVIRONMENT=sandbox\nPOLAR_ACCESS_TOKEN=polar_oat_SecretSecret\n")
    const { err, out } = await kavachPolar(["reconcile", "--json"], { env: {}, folder })
    expect(`${out}${err}`).not.toContain("SecretSecret")
  })

  test("the demo takes only what is about Polar: it has a database and an address of its own", async () => {
    writeEnv("NODE_ENV=production\nHOST=0.0.0.0\nDATABASE_URL=postgres://nobody@127.0.0.1:9/app\n")
    const stopped = Promise.resolve()
    const env = { PORT: "0", KAVACH_POLAR_DATA: join(folder, "data") }
    expect(await kavachPolar(["demo"], { env, folder, stopped })).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining("billing.sqlite")
    })
    writeEnv("POLAR_ENVIRONMENT=production\n")
    expect(await kavachPolar(["demo"], { env, folder, stopped })).toMatchObject({ exitCode: 2 })
  })
})

describe("KAVACH_POLAR_…", () => {
  test("is the option of that name, of commands that have it; what is typed wins", async () => {
    const [first, second] = [database("first.db"), database("second.db")]
    await kavachPolar(["migrate"], { env: { DATABASE_URL: second } })
    const env = { KAVACH_POLAR_DATABASE: second, KAVACH_POLAR_JSON: "1", KAVACH_POLAR_BY: "Lin" }
    const byVariable = await status([], env)
    expect(byVariable.exitCode).toBe(0)
    expect(JSON.parse(byVariable.out)).toMatchObject({ pending: [] })
    expect(await status(["--database", first], env)).toMatchObject({ exitCode: 3 })
    expect((await status([], { ...env, KAVACH_POLAR_JSON: "0" })).out).toContain("up to date")
    const wrong = await kavachPolar(["replay", "--state", "lost"], { env })
    expect(JSON.parse(wrong.err)).toEqual({ error: expect.stringContaining("no state") })
  })

  test("may stand in the file; a flag that is neither on nor off is an error", async () => {
    writeEnv(`KAVACH_POLAR_DATABASE=${database("first.db")}\nKAVACH_POLAR_JSON=yes\n`)
    expect(JSON.parse((await status()).out)).toMatchObject({ applied: [] })
    const wrong = await status([], { KAVACH_POLAR_JSON: "perhaps" })
    expect(wrong).toMatchObject({ exitCode: 2, err: expect.stringContaining("KAVACH_POLAR_JSON") })
  })

  test("never says on what a command works", async () => {
    const path = database("first.db")
    await kavachPolar(["migrate"], { env: { DATABASE_URL: path } })
    const env = { DATABASE_URL: path, KAVACH_POLAR_ALL: "1", KAVACH_POLAR_STATE: "failed", KAVACH_POLAR_USER: "u" }
    expect(await kavachPolar(["replay"], { env })).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining("which deliveries")
    })
  })
})

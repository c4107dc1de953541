/** `rotate-secret`: the app goes from one secret to the next, and no event is lost on the way. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseEnv } from "node:util"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { type Polar, polar } from "@kavach-polar/http"
import { Seed, type Served, serve } from "@kavach-polar/simulator"
import { HashMap } from "effect"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { kavachPolar } from "./kavachPolar.ts"

let folder = ""
let simulator: Served
let app: Polar
const oldSecret = "polar_whs_InventedInventedInventedInvented0123AbCdEf"

const file = () => join(folder, ".env")
const variable = () => parseEnv(readFileSync(file(), "utf8"))["POLAR_WEBHOOK_SECRET"]

/** A process of the app, as it starts with what is in the file now. */
const startApp = () =>
  polar({
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret: variable(),
    emailVerified: () => true,
    logLevel: "none",
    store: SqliteStore.layer({ filename: join(folder, "app.db") })
  })

const restartApp = async () => {
  await app.dispose()
  app = startApp()
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  simulator = await serve()
  writeFileSync(file(), `A=1\nPOLAR_WEBHOOK_SECRET=${oldSecret}\n`)
  app = startApp()
  await app.start()
  await simulator.connect((request) => app.webhook(request), {
    secret: oldSecret,
    uses_standard_webhook_signature: false
  })
})

afterEach(async () => {
  await app.dispose()
  await simulator.close()
  rmSync(folder, { recursive: true, force: true })
})

const rotateSecret = (...options: ReadonlyArray<string>) =>
  kavachPolar(["rotate-secret", ...options], {
    folder,
    env: {
      POLAR_ACCESS_TOKEN: simulator.accessToken,
      POLAR_API_URL: simulator.url,
      POLAR_WEBHOOK_URL: "http://in-process.invalid/"
    }
  })

const secretAtPolar = () =>
  simulator.read(({ tables }) => {
    const [endpoint] = HashMap.values(tables.endpoints)
    return endpoint?.secret ?? ""
  })

const buy = async (user: string) => {
  const { id } = await app.createCheckout(user, Seed.products.pro.id, { customerEmail: `${user}@acme-mail.dev` })
  await simulator.pay(id, { customer_email: `${user}@acme-mail.dev` })
  await simulator.flush()
}

const hasAccess = async (user: string) => (await app.access(user)).entitlement === "granted"

describe("rotate-secret", () => {
  test("what is refused until the app runs with both arrives when Polar tries again, and nothing shows a secret", async () => {
    await buy("ada")
    const begun = await rotateSecret("--yes", "--env-file", file())
    expect(begun).toMatchObject({ exitCode: 0, out: expect.stringContaining("Restart your app") })
    const newSecret = await secretAtPolar()
    expect(newSecret).not.toBe(oldSecret)
    expect(readFileSync(file(), "utf8")).toBe(`A=1\nPOLAR_WEBHOOK_SECRET=${newSecret},${oldSecret}\n`)

    // The app still runs with the old one alone.
    await buy("bob")
    expect(await hasAccess("bob")).toBe(false)
    const early = await rotateSecret("--done", "--env-file", file())
    expect(early).toMatchObject({ exitCode: 3, err: expect.stringContaining("not taken the newest delivery") })
    expect(variable()).toBe(`${newSecret},${oldSecret}`)

    await restartApp()
    await simulator.advance("15 minutes")
    await simulator.flush()
    expect(await hasAccess("bob")).toBe(true)

    const done = await rotateSecret("--done", "--env-file", file())
    expect(done).toMatchObject({ exitCode: 0 })
    expect(readFileSync(file(), "utf8")).toBe(`A=1\nPOLAR_WEBHOOK_SECRET=${newSecret}\n`)
    await restartApp()
    await buy("eve")
    expect(await hasAccess("eve")).toBe(true)
    const again = await rotateSecret("--done", "--env-file", file())
    expect(again).toMatchObject({ exitCode: 0, out: expect.stringContaining("Nothing is to do") })
    for (const { err, out } of [begun, early, done, again]) {
      expect(`${out}${err}`).not.toContain(newSecret)
      expect(`${out}${err}`).not.toContain(oldSecret)
    }
  })

  test("--wait has the newest event delivered again, and ends when the app has taken it with the new secret", async () => {
    await buy("ada")
    const waiting = rotateSecret("--yes", "--json", "--wait", "--env-file", file())
    await expect.poll(variable, { timeout: 10_000 }).toContain(",")
    await restartApp()
    expect(await waiting).toMatchObject({ exitCode: 0 })
    expect(JSON.parse((await waiting).out)).toMatchObject({ verified: true })
    expect(JSON.parse((await waiting).out)).not.toHaveProperty("secret")
  }, 60_000)

  test("without a file the new secret is printed once, and the old one never", async () => {
    const { exitCode, out, err } = await rotateSecret("--yes", "--json")
    expect(exitCode).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ secret: await secretAtPolar(), verified: null })
    expect(`${out}${err}`).not.toContain(oldSecret)
  })

  test("a second rotation waits for the end of the first", async () => {
    await rotateSecret("--yes", "--env-file", file())
    const before = await secretAtPolar()
    const refused = await rotateSecret("--yes", "--env-file", file())
    expect(refused).toMatchObject({ exitCode: 2, err: expect.stringContaining("--done") })
    expect(await secretAtPolar()).toBe(before)
  })

  test("changes nothing unasked, nor without an endpoint, nor at the end where the file has not Polar's secret", async () => {
    expect(await rotateSecret("--env-file", file())).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining("--yes")
    })
    expect(await rotateSecret("--yes", "--url", "http://elsewhere.invalid/")).toMatchObject({ exitCode: 4 })
    expect(await rotateSecret("--done")).toMatchObject({ exitCode: 0, out: expect.stringContaining(file()) })
    expect(await rotateSecret("--done", "--wait")).toMatchObject({ exitCode: 2 })
    writeFileSync(file(), "POLAR_WEBHOOK_SECRET=whsec_of_somewhere_else_entirely\n")
    expect(await rotateSecret("--done", "--yes", "--env-file", file())).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("kavach-polar setup --env-file")
    })
    expect(variable()).toBe("whsec_of_somewhere_else_entirely")
    expect(await secretAtPolar()).toBe(oldSecret)
  })
})

/** `kavach-polar console`: on this machine, for who has the address that it prints, and once. */
import { mkdtempSync, rmSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { afterEach, beforeEach, expect, test } from "vitest"
import { userId, withScene } from "./BillingScene.ts"
import { kavachPolar } from "./commandLine.ts"

let folder = ""
let filename = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  filename = join(folder, "app.db")
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

interface Open {
  readonly origin: string
  /** The address that is printed. */
  readonly url: string
  readonly cookie: string
}

const withConsole = (args: ReadonlyArray<string>, use: (open: Open) => Promise<void>) =>
  withScene({}, { store: SqliteStore.layer({ filename }), refreshWhenDenied: false }, async (scene) => {
    await scene.buy()
    let end = () => {}
    const stopped = new Promise<void>((resolve) => {
      end = resolve
    })
    let told: (url: string) => void = () => {}
    const url = new Promise<string>((resolve) => {
      told = resolve
    })
    const running = kavachPolar(
      scene,
      filename,
      ["console", "--json", ...args],
      {},
      {
        stopped,
        onLine: (line) => told(JSON.parse(line).url)
      }
    )
    try {
      const address = await Promise.race([url, running.then(({ err }) => Promise.reject(new Error(err)))])
      const opened = await fetch(address, { redirect: "manual" })
      expect(opened.status).toBe(303)
      expect(opened.headers.get("set-cookie")).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/)
      const cookie = opened.headers.get("set-cookie")?.split(";")[0] ?? ""
      await use({ url: address, origin: new URL(address).origin, cookie })
    } finally {
      end()
    }
    expect(await running).toMatchObject({ exitCode: 0, err: "" })
  })

const statusOf = (origin: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    request(origin, { headers }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on("error", reject)
      .end()
  })

test("who opens the address is let in, and nobody else; it only looks", async () => {
  await withConsole([], async ({ cookie, origin, url }) => {
    expect(new URL(url).hostname).toBe("127.0.0.1")
    // Once.
    expect((await fetch(url, { redirect: "manual" })).status).toBe(403)
    expect((await fetch(origin)).status).toBe(403)
    expect((await fetch(`${origin}/?token=`)).status).toBe(403)
    expect((await fetch(origin, { headers: { cookie: `${cookie}x` } })).status).toBe(403)
    const page = await fetch(`${origin}/?page=person&id=${userId}`, { headers: { cookie } })
    const text = await page.text()
    expect([page.status, text.includes("User ada has access")]).toEqual([200, true])
    expect(text).not.toContain("page=confirm")
    expect((await fetch(`${origin}/elsewhere`, { headers: { cookie } })).status).toBe(404)
    // A page elsewhere whose name leads here.
    expect(await statusOf(origin, { cookie, host: "evil.example.com" })).toBe(421)
    const confirm = await fetch(`${origin}/?page=confirm&do=user.reconcile&user=ada`, { headers: { cookie } })
    expect(confirm.status).toBe(403)
  })
}, 60_000)

test("with --act it changes things, and keeps who did", async () => {
  await withConsole(["--act"], async ({ cookie, origin }) => {
    const page = await fetch(`${origin}/?page=confirm&do=user.reconcile&user=${userId}`, { headers: { cookie } })
    const token = /name="token" value="([^"]+)"/.exec(await page.text())?.[1] ?? ""
    const done = await fetch(`${origin}/?page=act`, {
      method: "POST",
      body: new URLSearchParams({ do: "user.reconcile", user: userId, token }),
      headers: { cookie },
      redirect: "manual"
    })
    expect(done.status).toBe(303)
    const audit = await fetch(new URL(done.headers.get("location") ?? "", origin), { headers: { cookie } })
    expect(await audit.text()).toContain("user.reconcile: done: ")
  })
}, 60_000)

test("a port that is taken, or none, is said", async () => {
  await withConsole([], async ({ origin }) => {
    await withScene({}, { store: SqliteStore.layer({ filename }) }, async (scene) => {
      const { err, exitCode } = await kavachPolar(scene, filename, ["console", "--port", new URL(origin).port])
      expect([exitCode, err.includes("cannot listen at 127.0.0.1")]).toEqual([1, true])
      expect((await kavachPolar(scene, filename, ["console", "--port", "70000"])).exitCode).toBe(2)
    })
  })
}, 60_000)

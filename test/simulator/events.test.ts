/** `events`: the inbox as an operator reads it, and what it keeps from who need not see it. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import Database from "better-sqlite3"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { email, type Scene, userId, withScene } from "./BillingScene.ts"
import { kavachPolar, type Run } from "./kavachPolar.ts"

let folder = ""
let filename = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  filename = join(folder, "app.db")
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const events = (args: ReadonlyArray<string>, run: Partial<Run> = {}) =>
  kavachPolar(["events", ...args], { env: { DATABASE_URL: filename }, ...run })

interface Row {
  readonly id: string
  readonly type: string
  readonly state: string
  readonly receivedAt: string
  readonly userId: string | null
}

const rows = async (...args: ReadonlyArray<string>): Promise<ReadonlyArray<Row>> => {
  const { exitCode, out } = await events(["list", "--json", ...args])
  expect(exitCode).toBe(0)
  return out.split("\n").map((line) => JSON.parse(line))
}

/** Ada has bought, and the app was told. */
const afterPurchase = (use: (scene: Scene) => Promise<void>) =>
  withScene(
    {},
    { store: SqliteStore.layer({ filename }), refreshWhenDenied: false, on: { "order.paid": () => {} } },
    async (scene) => {
      await scene.billing.start()
      await scene.buy()
      await scene.billing.settled()
      await use(scene)
    }
  )

const sql = (text: string) => {
  const database = new Database(filename)
  database.exec(text)
  database.close()
}

describe("events list", () => {
  test("the newest first, without bodies, by every condition", () =>
    afterPurchase(async () => {
      const all = await rows()
      expect(all.length).toBeGreaterThan(5)
      const times = all.map(({ receivedAt }) => receivedAt)
      expect(times).toEqual([...times].sort().reverse())
      expect(all.every((row) => !("body" in row))).toBe(true)

      const paid = await rows("--type", "order.paid")
      expect(paid).toEqual(all.filter(({ type }) => type === "order.paid"))
      expect(paid).toHaveLength(1)
      expect(await rows("--user", userId)).toEqual(all.filter((row) => row.userId === userId))
      expect(await rows("--limit", "2")).toEqual(all.slice(0, 2))
      sql(`UPDATE kavach_polar_deliveries SET state = 'ignored' WHERE id = '${paid[0]?.id}'`)
      expect(await rows("--state", "ignored", "--since", "2020-01-01")).toHaveLength(1)
      for (const none of [
        ["--state", "failed"],
        ["--user", "bob"],
        ["--until", "2020-01-01"]
      ]) {
        expect(await events(["list", ...none])).toMatchObject({ exitCode: 4 })
      }
    }))

  test("a page that is full of one time hides nothing", () =>
    afterPurchase(async () => {
      sql(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
         INSERT INTO kavach_polar_deliveries
         SELECT ${columnsWith("'copy' || i")} FROM kavach_polar_deliveries, n WHERE type = 'order.paid'`
      )
      expect(await rows("--type", "order.paid", "--limit", "10000")).toHaveLength(901)
      expect(await rows("--type", "checkout.created")).toHaveLength(1)
    }))

  test("a table for people: colours only where somebody looks", () =>
    afterPurchase(async () => {
      const plain = await events(["list"])
      expect(plain.out).toMatch(/^RECEIVED +TYPE +STATE +ID +WHOSE$/m)
      expect(plain.out).toMatch(new RegExp(`order\\.paid +applied +\\S+ +${userId}$`, "m"))
      expect(plain.out).not.toContain("\x1b")
      const colored = await events(["list"], { colors: true })
      expect(colored.out).toContain("\x1b[32mapplied")
    }))

  test.each([
    [["list", "--state", "lost"], "no state"],
    [["list", "--limit", "many"], "--limit"],
    [["list", "--since", "yesterday"], "no time"],
    [["show"], "id"],
    [["replay"], "which deliveries"]
  ])("%j: 2", async (args, sentence) => {
    new Database(filename).close()
    expect(await events(args)).toMatchObject({ exitCode: 2, err: expect.stringContaining(sentence) })
  })
})

/** All columns of the table, with another id. */
const columnsWith = (id: string): string => {
  const database = new Database(filename)
  const columns = database
    .prepare<[], { readonly name: string }>("SELECT name FROM pragma_table_info('kavach_polar_deliveries')")
    .all()
    .map(({ name }) => (name === "id" ? id : name))
  database.close()
  return columns.join(", ")
}

describe("events show", () => {
  test("says why it is in its state, what the app was told, and nothing of the person unless asked", () =>
    afterPurchase(async () => {
      const [paid] = await rows("--type", "order.paid")
      const shown = await events(["show", paid?.id ?? ""])
      expect(shown.exitCode).toBe(0)
      expect(shown.out).toMatch(/^why +What it says is stored, for user ada\.$/m)
      expect(shown.out).toContain("order.paid: told, 1 calls")
      expect(shown.out).toContain('"status": "paid"')
      expect(shown.out).not.toContain(email)
      expect((await events(["show", paid?.id ?? "", "--body"])).out).toContain(email)

      const json = JSON.parse((await events(["show", paid?.id ?? "", "--json"])).out)
      expect(json).toMatchObject({ state: "applied", told: [{ handler: "order.paid", state: "done", error: null }] })
      expect(JSON.stringify(json)).not.toContain(email)
    }))

  test.each([
    ["failed", "events replay --state failed"],
    ["unlinked", "customers waiting"],
    ["ignored", "events replay --type order.paid"],
    ["stale", "Something newer"]
  ])("%s: says what helps", (state, help) =>
    afterPurchase(async () => {
      const [paid] = await rows("--type", "order.paid")
      sql(`UPDATE kavach_polar_deliveries SET state = '${state}', body = NULL WHERE id = '${paid?.id}'`)
      const { out } = await events(["show", paid?.id ?? ""])
      expect(out).toContain(help)
      expect(out).toContain("Its body was pruned, or is not kept.")
    })
  )

  test("of none that there is: 4", () =>
    afterPurchase(async () => {
      expect(await events(["show", "nobody"])).toMatchObject({ exitCode: 4, out: "" })
    }))
})

test("events replay is replay", () =>
  afterPurchase(async () => {
    const [paid] = await rows("--type", "order.paid")
    sql(`UPDATE kavach_polar_deliveries SET state = 'failed' WHERE id = '${paid?.id}'`)
    expect(await events(["replay", "--state", "failed", "--dry-run"])).toMatchObject({ exitCode: 3 })
    const { exitCode, out } = await events(["replay", "--state", "failed"])
    expect([exitCode, out]).toEqual([0, expect.stringContaining("Replayed 1 deliveries; 1 of them")])
    expect(await rows("--state", "applied", "--type", "order.paid")).toHaveLength(1)
  }))

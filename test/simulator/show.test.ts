/** "I paid": `show` and `customers.timeline()` say whether somebody has access, why, and what helps; and what helps does. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import type { PersonFound, PolarConfig } from "@kavach-polar/http"
import { afterEach, beforeEach, expect, test } from "vitest"
import { email, type Scene, tokenWithout, userId, withScene } from "./BillingScene.ts"
import { kavachPolar } from "./commandLine.ts"

let folder = ""
let filename = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  filename = join(folder, "app.db")
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const withApp = (use: (scene: Scene) => Promise<void>, config: Partial<PolarConfig> = {}, options = {}) =>
  withScene(options, { store: SqliteStore.layer({ filename }), refreshWhenDenied: false, ...config }, async (scene) => {
    await scene.billing.start()
    await use(scene)
  })

const personIn = async ({ billing }: Scene, query: string, polar = false): Promise<PersonFound> => {
  const history = await billing.customers.timeline(query, { polar })
  if (history.found !== "one") throw new Error(`one person was to be found, and not ${history.found}`)
  return history
}

/** What the first help says to do. */
const helpOf = ({ answer }: PersonFound): ReadonlyArray<string> => (answer.helps[0]?.command ?? "").split(" ").slice(1)

test("who has paid and has access is told so, with what both sides have", async () => {
  await withApp(async (scene) => {
    await scene.buy()
    await scene.billing.settled()
    const { id } = await scene.customer()
    for (const query of [userId, email, id]) {
      const { exitCode, out } = await kavachPolar(scene, filename, ["show", query, "--polar"])
      expect(exitCode, out).toBe(0)
      expect(out.split("\n")[0]).toBe("User ada has access by a subscription. The subscription is active.")
      expect(out).toContain("At Polar: the same as here.")
      expect(out).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {4}checkout {6}A checkout was opened for /m)
      expect(out).toMatch(/delivery {6}subscription\.active was received: applied\./)
      expect(out).not.toContain("Do:")
    }
    const person = await personIn(scene, userId, true)
    expect(person.polar).toMatchObject({ isSame: true, problems: [], unknownToPolar: [] })
    expect(person.polar?.records.map(({ kind }) => kind)).toContain("order")
    const printed = await kavachPolar(scene, filename, ["show", userId, "--json"])
    expect(JSON.parse(printed.out)).toMatchObject({ found: "one", answer: { helps: [] }, polar: null })
  })
}, 60_000)

test("lost webhooks: Polar says something else, and the command that helps sets it right", async () => {
  await withApp(async (scene) => {
    await scene.silently(() => scene.buy())
    const asked = await personIn(scene, userId)
    expect(asked.answer.sentence).toContain("has no access by a subscription")
    expect(asked.answer.helps[0]).toMatchObject({ command: `kavach-polar reconcile --user ${userId}` })

    const compared = await personIn(scene, userId, true)
    expect(compared.polar?.isSame).toBe(false)
    expect(compared.polar?.records.find(({ kind }) => kind === "subscription")).toMatchObject({
      status: "active",
      stored: null
    })
    const { out } = await kavachPolar(scene, filename, ["show", userId, "--polar"])
    expect(out).toContain("Polar says something else than is stored: set it right.")
    expect(out).toMatch(/! subscription [0-9a-f-]{36}: active, not stored here/)
    // Looking changed nothing.
    expect((await personIn(scene, userId)).records).toEqual(asked.records)

    expect((await kavachPolar(scene, filename, helpOf(compared))).exitCode).toBe(0)
    const after = await personIn(scene, userId, true)
    expect(after.polar?.isSame).toBe(true)
    expect(after).toMatchObject({ access: { entitlement: "granted" }, answer: { helps: [] } })
  })
}, 60_000)

test("a callback that failed: what the app never took is shown, and the command tells it again", async () => {
  let isDown = true
  await withApp(
    async (scene) => {
      await scene.buy()
      await scene.billing.settled()
      const person = await personIn(scene, userId)
      expect(person.notifications).toContainEqual(
        expect.objectContaining({
          handler: "onSubscriptionChange",
          state: "dead",
          error: expect.stringContaining("mail")
        })
      )
      expect(helpOf(person)).toEqual(["notifications", "retry", "--user", userId])
      isDown = false
      expect((await kavachPolar(scene, filename, helpOf(person))).exitCode).toBe(0)
      await scene.billing.settled()
      expect((await personIn(scene, userId)).notifications.map(({ state }) => state)).not.toContain("dead")
    },
    {
      callback: { attempts: 1 },
      onSubscriptionChange: () => {
        if (isDown) throw new Error("the mail server is down")
      }
    }
  )
}, 60_000)

test("what is not known is said, with its exit code; one line each, whatever was typed", async () => {
  await withApp(async (scene) => {
    const { exitCode, out } = await kavachPolar(scene, filename, ["show", "nobody@example.test"])
    expect([exitCode, out.split("\n").length]).toEqual([4, 1])
    expect(out).toContain("Nothing is known of nobody@example.test.")
    const odd = await kavachPolar(scene, filename, ["show", "a\u001b[31m\nb"])
    expect(odd.exitCode).toBe(4)
    expect([odd.out.includes("\u001b"), odd.out.split("\n").length]).toEqual([false, 1])
    expect((await kavachPolar(scene, filename, ["show", "nobody", "--json"])).out).toBe(
      JSON.stringify({ found: "nothing", query: "nobody" })
    )
    expect((await kavachPolar(scene, filename, ["show"])).exitCode).toBe(2)
  })
}, 60_000)

test("a Polar that refuses is named, and what is stored is shown all the same", async () => {
  await withApp(
    async (scene) => {
      await scene.buy()
      const limited = await kavachPolar(scene, filename, ["show", userId, "--polar"])
      expect(limited.exitCode).toBe(0)
      expect(limited.out).toContain("At Polar, as far as it answered")
      expect(limited.out).toMatch(/\? order: .*orders:read/)
    },
    {},
    tokenWithout("orders:read")
  )
}, 60_000)

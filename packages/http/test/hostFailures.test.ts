import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createKavach, type KavachPlugin } from "@kavach-polar/http"
import { afterEach, describe, expect, test, vi } from "vitest"

const disposable = (id: string, dispose: () => Promise<void>, init?: KavachPlugin["init"]) => ({
  id,
  dispose,
  ...(init === undefined ? {} : { init })
})

const open = (plugins: ReadonlyArray<KavachPlugin>) =>
  createKavach({ database: { provider: "sqlite", url: ":memory:" }, plugins })

afterEach(() => {
  vi.restoreAllMocks()
})

describe("what fails in a host", () => {
  test("one plugin that cannot be disposed of keeps neither the others nor the database open", async () => {
    const disposed: Array<string> = []
    const plugin = (id: string, fails: boolean) =>
      disposable(id, async () => {
        disposed.push(id)
        if (fails) throw new Error(`${id} cannot`)
      })
    const host = await open([plugin("a", false), plugin("b", true), plugin("c", false)])
    await expect(host.close()).rejects.toThrow("b cannot")
    expect(disposed).toEqual(["c", "b", "a"])

    const worse = await open([plugin("d", true), plugin("e", true)])
    await expect(worse.close()).rejects.toMatchObject({
      errors: [expect.objectContaining({ message: "e cannot" }), expect.objectContaining({ message: "d cannot" })]
    })
  })

  test("a database that cannot be opened is closed again", async () => {
    const folder = mkdtempSync(join(tmpdir(), "no-database-"))
    const url = join(folder, "text.db")
    writeFileSync(url, "This is a text, and no database. ".repeat(200))
    const held = () =>
      readdirSync("/proc/self/fd").filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder)
        } catch {
          return false
        }
      })
    try {
      await expect(createKavach({ database: { provider: "sqlite", url }, plugins: [] })).rejects.toMatchObject({
        _tag: "StoreError"
      })
      if (existsSync("/proc/self/fd")) expect(held()).toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test("what stopped the start is said, also when the host cannot be closed after it", async () => {
    const lines: Array<string> = []
    vi.spyOn(console, "log").mockImplementation((...line) => void lines.push(line.join(" ")))
    const stuck = disposable("a", async () => {
      throw new Error("cannot be closed")
    })
    const broken: KavachPlugin = {
      id: "b",
      init: async () => {
        throw new Error("cannot be started")
      }
    }
    await expect(open([stuck, broken])).rejects.toThrow("cannot be started")
    expect(lines.join("\n")).toContain("cannot be closed")
  })

  test("what an endpoint throws is answered 500, and logged on one line", async () => {
    const lines: Array<string> = []
    vi.spyOn(console, "log").mockImplementation((...line) => void lines.push(line.join(" ")))
    await using host = await open([
      {
        id: "a",
        init: async ({ addEndpoint }): Promise<undefined> => {
          addEndpoint({
            method: "GET",
            path: "/a",
            handler: async () => {
              throw new Error("the reason\nlevel=ERROR forged")
            }
          })
        }
      }
    ])
    const answer = await host.plugins.handleRequest(new Request("http://host.test/a"))
    expect([answer?.status, await answer?.json()]).toEqual([500, { error: "Internal error" }])
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain("endpoint GET /a failed")
    expect(lines[0]).toContain("the reason\\nlevel=ERROR forged")
    expect(lines[0]).not.toMatch(/^level=ERROR/m)
  })
})

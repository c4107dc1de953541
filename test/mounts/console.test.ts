/** The mounts of docs/console.md, as they stand there: who is of the team sees the console, below whatever path. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, expect, test } from "vitest"

beforeAll(() => {
  process.env["POLAR_ACCESS_TOKEN"] = "polar_oat_for_a_test"
  process.env["POLAR_WEBHOOK_SECRET"] = "whsec_SW52ZW50ZWRJbnZlbnRlZA=="
  process.env["BILLING_DATABASE"] = ":memory:"
})

afterAll(async () => (await import("../examples/billing.ts")).billing.dispose())

const pages = async (ask: (query: string, init?: RequestInit) => Promise<Response>) => {
  expect((await ask("")).status).toBe(403)
  const headers = { cookie: "staff=max" }
  const page = await ask("", { headers })
  const text = await page.text()
  expect([page.status, text.includes("max, may read")]).toEqual([200, true])
  expect(await (await ask("", { headers: { cookie: "staff=lin" } })).text()).toContain("lin, may act")
  const token = /name="token" value="([^"]+)"/.exec(await (await ask("?page=people", { headers })).text())?.[1] ?? ""
  const body = new URLSearchParams({ query: "nobody", token })
  expect((await ask("?page=people", { method: "POST", headers, body })).status).toBe(404)
}

test("Hono", async () => {
  const { app } = await import("../examples/consoleHono.ts")
  await pages(async (query, init) => app.request(`/internal/billing${query}`, init))
}, 60_000)

test("Next's route", async () => {
  const { GET, POST } = await import("../examples/consoleNext.ts")
  await pages((query, init) =>
    (init?.method === "POST" ? POST : GET)(new Request(`https://app.example.com/internal/billing${query}`, init))
  )
}, 60_000)

test("Express", async () => {
  const { app } = await import("../examples/consoleExpress.ts")
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  try {
    await pages((query, init) => fetch(`http://127.0.0.1:${port}/internal/billing${query}`, init))
  } finally {
    server.closeAllConnections()
    server.close()
  }
}, 60_000)

/** `organizationId` is compared at start with the organization that the access token is of. */
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { polar } from "@kavach-polar/http"
import { expect, test } from "vitest"
import { tokenWith, webhookSecret } from "./BillingScene.ts"
import { judgeAnswer, judgeRequest } from "./polarDocument.ts"
import { witness } from "./Witness.ts"

const tokens = "0f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e01"
const anothers = "7a1c0b3e-2f4d-4e5a-8b6c-9d0e1f2a3b4c"

const logged = () => {
  const lines: Array<string> = []
  const to = (level: string) => (line: string) => void lines.push(`${level}: ${line}`)
  return { lines, logger: { debug: to("debug"), info: to("info"), warn: to("warn"), error: to("error") } }
}

/** What the log says of `organizationId` once Polar has answered. */
const startedWith = async (organizationId: string, scopes: ReadonlyArray<string> = ["organizations:read"]) => {
  const scene = await witness({ organizationId: tokens, ...tokenWith(...scopes) })
  const { lines, logger } = logged()
  const billing = polar({
    organizationId,
    accessToken: scene.simulator.accessToken,
    apiBaseUrl: scene.simulator.url,
    webhookSecret,
    logger,
    logLevel: "debug",
    reconcileEveryHours: 0,
    store: SqliteStore.layer({ filename: ":memory:" })
  })
  try {
    await billing.start()
    const asked = () => scene.exchanges.filter(({ url }) => new URL(url).pathname === "/v1/organizations/")
    await expect.poll(asked, { timeout: 10_000 }).toHaveLength(1)
    for (const exchange of asked()) {
      expect(judgeRequest(exchange)).toEqual([])
      if (exchange.status === 200) expect(judgeAnswer(exchange)).toEqual([])
    }
    // The answer is there; what is made of it follows at once.
    await new Promise((resolve) => setTimeout(resolve, 200))
    return {
      status: asked()[0]?.status,
      lines: lines.filter((line) => line.includes("organizationId"))
    }
  } finally {
    await billing.dispose()
    await scene.close()
  }
}

test("a token of another organization: told once, with both ids and what to do", async () => {
  const { lines } = await startedWith(anothers)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^warn: /)
  expect(lines[0]).toContain(
    `organizationId is "${anothers}", but the access token is of the organization "${tokens}" (simulator).`
  )
  expect(lines[0]).toContain("Set organizationId to Polar's id of your organization")
})

test("a slug is called one", async () => {
  const { lines } = await startedWith("simulator")
  expect(lines).toEqual([
    expect.stringContaining(`organizationId is "simulator", which is no id of Polar's and may be a slug, but`)
  ])
})

test("of the right one nothing is said", async () => {
  expect(await startedWith(tokens)).toEqual({ status: 200, lines: [] })
})

test("a token that may not ask proves nothing, and only a debug line says why", async () => {
  const { lines, status } = await startedWith(anothers, [])
  expect(status).toBe(403)
  expect(lines).toEqual([expect.stringMatching(/^debug: organizationId was not compared with Polar: .+/)])
})

test("the organization by its id, and no other", async () => {
  const scene = await witness({ organizationId: tokens })
  try {
    const read = async (path: string) => {
      await fetch(`${scene.simulator.url}/v1/organizations/${path}`, {
        headers: { authorization: `Bearer ${scene.simulator.accessToken}` }
      })
      const exchange = scene.exchanges.at(-1) ?? expect.fail("nothing was asked")
      expect([...judgeRequest(exchange), ...judgeAnswer(exchange)]).toEqual([])
      return { status: exchange.status, answer: JSON.parse(exchange.answer) }
    }
    expect(await read(tokens)).toMatchObject({ status: 200, answer: { id: tokens, slug: "simulator" } })
    expect((await read(anothers)).status).toBe(404)
    expect((await read("?slug=simulator")).answer.items).toHaveLength(1)
    expect((await read("?slug=acme")).answer.items).toHaveLength(0)
  } finally {
    await scene.close()
  }
})

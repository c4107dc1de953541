/** `setup`: the webhook endpoint is created and corrected, its secret is said once, and nobody else's endpoint is touched. */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseEnv } from "node:util"
import { type Served, type ServeOptions, serve, Webhooks } from "@kavach-polar/simulator"
import { Redacted } from "effect"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { withVariable } from "../../packages/http/src/cli/envFile.ts"
import { kavachPolar, type Run } from "./kavachPolar.ts"

const url = "https://app.example.com/auth/polar/webhook"

let simulator: Served
let folder = ""

const start = async (options: ServeOptions = {}) => {
  simulator = await serve(options)
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
  await start()
})

afterEach(async () => {
  await simulator.close()
  rmSync(folder, { recursive: true, force: true })
})

const setup = (options: ReadonlyArray<string>, { env, ...run }: Partial<Run> = {}) =>
  kavachPolar(["setup", ...options], {
    env: { POLAR_ACCESS_TOKEN: simulator.accessToken, POLAR_API_URL: simulator.url, POLAR_WEBHOOK_URL: url, ...env },
    ...run
  })

interface Endpoint {
  readonly id: string
  readonly url: string
  readonly secret: string
  readonly enabled: boolean
  readonly events: ReadonlyArray<string>
}

const ask = async (method: string, path: string, body?: object) => {
  const response = await fetch(`${simulator.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${simulator.accessToken}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  expect(response.status).toBeLessThan(300)
  return response.json() as Promise<unknown>
}

const endpoints = async () =>
  ((await ask("GET", "/v1/webhooks/endpoints")) as { readonly items: ReadonlyArray<Endpoint> }).items

const only = async () => {
  const [endpoint, ...more] = await endpoints()
  expect(more).toEqual([])
  if (endpoint === undefined) throw new Error("There is no endpoint.")
  return endpoint
}

const handled: ReadonlyArray<string> = [...Webhooks.allEventTypes].sort()

describe("setup", () => {
  test("creates the endpoint, prints its secret once, and then has nothing to do", async () => {
    const made = await setup(["--yes"])
    expect(made).toMatchObject({ exitCode: 0, err: "" })
    const endpoint = await only()
    expect(endpoint).toMatchObject({ url, enabled: true, format: "raw" })
    expect([...endpoint.events].sort()).toEqual(handled)
    expect(made.out).toContain(`\nPOLAR_WEBHOOK_SECRET=${endpoint.secret}`)

    const again = await setup([])
    expect(again).toMatchObject({ exitCode: 0, out: expect.stringContaining("Nothing is to do") })
    expect(again.out).not.toContain(endpoint.secret)
    expect(await only()).toEqual(endpoint)
  })

  test("--json has the secret of an endpoint that was made, and of no other", async () => {
    const { exitCode, out } = await setup(["--yes", "--json", "--url", url], { env: { POLAR_WEBHOOK_URL: undefined } })
    const { id, secret } = await only()
    expect(exitCode).toBe(0)
    expect(JSON.parse(out)).toEqual({
      url,
      endpointId: id,
      changes: [expect.stringContaining("is created")],
      twinIds: [],
      changed: true,
      secret
    })
    const again = await setup(["--json"])
    expect(JSON.parse(again.out)).toMatchObject({ changes: [], changed: false })
    expect(`${again.out}${again.err}`).not.toContain("whsec_")
  })

  test("asks first; no is no, and where nobody can be asked it takes --yes", async () => {
    const refused = await setup([], { answer: "no" })
    expect(refused).toMatchObject({ exitCode: 1, out: expect.stringContaining("is created") })
    expect(refused.err).toContain("[y/N]")
    const alone = await setup([])
    expect(alone).toMatchObject({ exitCode: 2, err: expect.stringContaining("--yes") })
    expect(await setup(["--dry-run"])).toMatchObject({ exitCode: 3, out: expect.stringContaining("is created") })
    expect(await endpoints()).toEqual([])
    expect(await setup([], { answer: "y" })).toMatchObject({ exitCode: 0 })
    expect(await endpoints()).toHaveLength(1)
  })

  test("enables what is disabled, and chooses exactly the events that are handled", async () => {
    await setup(["--yes"])
    const before = await only()
    await ask("PATCH", `/v1/webhooks/endpoints/${before.id}`, {
      enabled: false,
      events: [...handled.filter((type) => type !== "order.paid"), "wallet.created"]
    })
    const corrected = await setup(["--yes"])
    expect(corrected).toMatchObject({ exitCode: 0 })
    for (const change of ["is disabled", "besides: order.paid.", "no more: wallet.created."]) {
      expect(corrected.out).toContain(change)
    }
    expect(corrected.out).not.toContain(before.secret)
    const after = await only()
    expect({ ...after, modified_at: null, events: [...after.events].sort() }).toEqual({
      ...before,
      modified_at: null,
      events: handled
    })
  })

  test("leaves endpoints at other addresses alone", async () => {
    const other = await simulator.addEndpoint({ url: "https://other.example.com/hooks", events: ["order.paid"] })
    await ask("PATCH", `/v1/webhooks/endpoints/${other.id}`, { enabled: false })
    await setup(["--yes"])
    const all = await endpoints()
    expect(all).toHaveLength(2)
    expect(all.find(({ id }) => id === other.id)).toMatchObject({ enabled: false, events: ["order.paid"] })
  })

  test("says it when several endpoints are at the address", async () => {
    await simulator.addEndpoint({ url })
    await simulator.addEndpoint({ url: `${url}/` })
    const found = await setup(["--dry-run"])
    expect(found.err).toContain("2 endpoints")
  })

  test.each([
    [["--url", "http://app.example.com/hook"], { POLAR_API_URL: undefined }, "begins with https://"],
    [["--url", "app.example.com"], {}, "no address"],
    [[], { POLAR_WEBHOOK_URL: undefined }, "--url"],
    [[], { POLAR_ACCESS_TOKEN: undefined }, "POLAR_ACCESS_TOKEN is not set"]
  ])("%j %j: 2, and nothing is done", async (options, env, sentence) => {
    const refused = await setup(["--yes", ...options], { env })
    expect(refused).toMatchObject({ exitCode: 2, err: expect.stringContaining(sentence) })
    expect(await endpoints()).toEqual([])
  })

  test("a token that may only look is told which scope it lacks, and the secret is nowhere", async () => {
    await simulator.close()
    await start({ accessTokens: [{ token: Redacted.make("polar_oat_limited"), scopes: ["webhooks:read"] }] })
    const refused = await setup(["--yes"])
    expect(refused).toMatchObject({ exitCode: 1, err: expect.stringContaining("webhooks:write") })
    expect(`${refused.out}${refused.err}`).not.toContain("polar_oat_limited")
  })
})

describe("the file of variables", () => {
  const file = () => join(folder, ".env")
  const secretIn = () => parseEnv(readFileSync(file(), "utf8"))["POLAR_WEBHOOK_SECRET"]

  test("a new one is nobody else's to read, and the secret is not printed", async () => {
    const { exitCode, out, err } = await setup(["--yes", "--env-file", file()])
    const { secret } = await only()
    expect(exitCode).toBe(0)
    expect(readFileSync(file(), "utf8")).toBe(`POLAR_WEBHOOK_SECRET=${secret}\n`)
    expect(statSync(file()).mode & 0o777).toBe(0o600)
    expect(`${out}${err}`).not.toContain(secret)
    expect(readdirSync(folder)).toEqual([".env"])
    expect(await setup(["--env-file", file()])).toMatchObject({ exitCode: 0, out: expect.stringContaining("Nothing") })
  })

  test("in one that is there the line is replaced, and all others stay", async () => {
    writeFileSync(file(), "# of the app\nA=1\n  export POLAR_WEBHOOK_SECRET='old' # kept?\n\nB = \"2\"", {
      mode: 0o640
    })
    chmodSync(file(), 0o640)
    const link = join(folder, "link.env")
    symlinkSync(file(), link)
    await setup(["--yes", "--env-file", link])
    const { secret } = await only()
    expect(readFileSync(file(), "utf8")).toBe(`# of the app\nA=1\n  export POLAR_WEBHOOK_SECRET=${secret}\n\nB = "2"`)
    expect(statSync(file()).mode & 0o777).toBe(0o640)
  })

  test("gets the secret of an endpoint that is there, when it has another one: not shown", async () => {
    await setup(["--yes"])
    const { secret } = await only()
    writeFileSync(file(), "POLAR_WEBHOOK_SECRET=whsec_of_somewhere_else_entirely\nB=2\n")
    expect(await setup(["--dry-run", "--env-file", file()])).toMatchObject({ exitCode: 3 })
    expect(secretIn()).toBe("whsec_of_somewhere_else_entirely")
    const { exitCode, out, err } = await setup(["--yes", "--env-file", file()])
    expect(exitCode).toBe(0)
    expect(secretIn()).toBe(secret)
    expect(`${out}${err}`).not.toContain(secret)
  })

  test("that cannot be written is known before anything is done at Polar", async () => {
    const { exitCode, err } = await setup(["--yes", "--env-file", join(folder, "none", ".env")])
    expect(exitCode).toBe(1)
    expect(err).toContain("cannot be written")
    expect(await endpoints()).toEqual([])
    expect(existsSync(join(folder, "none"))).toBe(false)
  })

  test.each([
    ["", "S=x\n"],
    ["A=1", "A=1\nS=x\n"],
    ["S=1\r\nA=2\r\n", "S=x\r\nA=2\r\n"],
    ["#S=1\nSS=2\n", "#S=1\nSS=2\nS=x\n"],
    ["S=1\nS=2\nA=3\n", "S=1\nS=x\nA=3\n"]
  ])("%j becomes %j", (before, after) => {
    expect(withVariable(before, "S", "x")).toBe(after)
    expect(parseEnv(after)["S"]?.trim()).toBe("x")
  })

  test("a value over several lines is left to a person", () => {
    expect(() => withVariable('S="a\nb"\nA=1\n', "S", "x")).toThrow("by hand")
  })
})

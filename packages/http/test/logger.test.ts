import * as BillingStore from "@kavach-polar/core/BillingStore"
import { StoreError } from "@kavach-polar/core/StoreError"
import { type PolarLogger, polar } from "@kavach-polar/http"
import { Layer } from "effect"
import { pino } from "pino"
import { expect, expectTypeOf, test } from "vitest"
import { deliveryOf, memoryPolar, secret, startHost } from "./host.ts"

const remembering = () => {
  const lines: Array<string> = []
  const to = (level: string) => (line: string) => void lines.push(`${level}: ${line}`)
  return { lines, logger: { debug: to("debug"), info: to("info"), warn: to("warn"), error: to("error") } }
}

test("console is one", () => expectTypeOf(console).toExtend<PolarLogger>())

test("what is logged goes to the app's logger, by its levels, and nowhere else", async () => {
  const { lines, logger } = remembering()
  await using host = await startHost({ logger, logLevel: "debug" })
  await host.deliver(
    new TextEncoder().encode('{"type":"subscription.created","timestamp":"2026-11-29T00:00:00Z","data":{}}')
  )
  await host.deliver(new TextEncoder().encode("{}"), { key: "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldCBpcyB0aGlz" })
  expect(lines).toContainEqual(
    expect.stringMatching(/^error: A delivery of type subscription\.created could not be read.* delivery=evt_/)
  )
  expect(lines).toContainEqual(expect.stringMatching(/^warn: .*No signature of the delivery matches/))
})

test("pino is given the fields by themselves", async () => {
  const lines: Array<string> = []
  const logger = pino({ level: "debug" }, { write: (line: string) => void lines.push(line) })
  await using host = await startHost({ logger, logLevel: "debug" })
  await host.deliver(
    new TextEncoder().encode('{"type":"subscription.created","timestamp":"2026-11-29T00:00:00Z","data":{}}')
  )
  const logged: ReadonlyArray<Readonly<Record<string, unknown>>> = lines.map((line) => JSON.parse(line))
  const found = logged.find(({ level }) => level === pino.levels.values["error"])
  expect(found).toMatchObject({ delivery: expect.stringMatching(/^evt_/) })
  expect(found?.["msg"]).toMatch(
    /^A delivery of type subscription\.created could not be read and is kept as failed: [^=]*$/
  )
})

test("no secret reaches it, even within the words of others", async () => {
  const { lines, logger } = remembering()
  const token = "polar_oat_InventedInventedInvented"
  const store = Layer.fail(
    new StoreError({ operation: "open", reason: "denied", detail: `refused ${secret} and ${token}` })
  )
  await using billing = polar({ accessToken: token, webhookSecret: secret, store, logger })
  const answer = await billing.webhook(deliveryOf(new TextEncoder().encode("{}")))
  expect(answer.status).toBe(503)
  const log = lines.join("\n")
  expect(log).toContain("refused <redacted> and <redacted>")
  expect(log).not.toContain(token)
  expect(log).not.toContain(secret)
})

test("one that throws stops nothing", async () => {
  const fail = () => {
    throw new Error("the disk is full")
  }
  const logger = { debug: fail, info: fail, warn: fail, error: fail }
  const { client } = memoryPolar()
  await using billing = polar({ webhookSecret: secret, client, store: BillingStore.layerMemory, logger })
  const answer = await billing.webhook(
    deliveryOf(new TextEncoder().encode('{"type":"subscription.created","timestamp":"2026-11-29T00:00:00Z","data":{}}'))
  )
  expect(answer.status).toBe(200)
})

test("what is no logger is refused", () => {
  const logger = { log: () => {} } as never
  expect(() => polar({ webhookSecret: secret, client: memoryPolar().client, logger })).toThrow(
    "polar(): logger: it must have the functions debug, info, warn and error"
  )
})

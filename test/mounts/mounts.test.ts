/** The apps of docs/mounts.md, as they stand there. */
import { afterAll, beforeAll } from "vitest"
import { conformance } from "./conformance.ts"
import { type BuiltApps, buildApps } from "./MountedApp.ts"

let apps: BuiltApps

beforeAll(async () => {
  apps = await buildApps({
    node: "test/examples/mountNode.ts",
    express: "test/examples/mountExpress.ts",
    fastify: "test/examples/mountFastify.ts",
    hono: "test/examples/mountHono.ts",
    expressBehindParser: "test/mounts/apps/expressBehindParser.ts",
    expressKeepingBytes: "test/mounts/apps/expressKeepingBytes.ts"
  })
})

afterAll(() => apps?.remove())

const mountOf = (script: string) => ({ command: () => apps.commandOf(script), folder: () => apps.folder })

conformance("node:http", mountOf("node"))
conformance("Express", mountOf("express"))
conformance("Fastify", mountOf("fastify"))
conformance("Hono", mountOf("hono"))
conformance("Express behind a parser", { ...mountOf("expressBehindParser"), parser: "loses the bytes" })
conformance("Express behind a parser that keeps the bytes", {
  ...mountOf("expressKeepingBytes"),
  parser: "keeps the bytes"
})

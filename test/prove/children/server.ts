/**
 * A server of ours as an app has it: `polar()` behind Node's HTTP, on the store that it is told. It writes down what its
 * callback was told, and what was settled, before it goes on: each line is on disk when `record` returns, so that a kill
 * takes nothing away that had happened.
 */
import { fsyncSync, openSync, writeSync } from "node:fs"
import { LibsqlStore } from "@kavach-polar/adapter-libsql"
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { BillingStore, type BillingStoreService } from "@kavach-polar/core/BillingStore"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { StoreError } from "@kavach-polar/core/StoreError"
import { Disposed, type PluginEndpoint, polar } from "@kavach-polar/http"
import { serve } from "@kavach-polar/http/NodeServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { route } from "../../../packages/http/src/host/router.ts"
import type { CallRecord, ServerSettings } from "../ServerUnderTest.ts"

const { accessToken, apiBaseUrl, callMillis, diary, driver, port, secret, store, url }: ServerSettings = JSON.parse(
  process.argv[2] ?? "{}"
)

const file = openSync(diary, "a")
const record = (line: CallRecord): void => {
  writeSync(file, `${JSON.stringify(line)}\n`)
  fsyncSync(file)
}

const opened =
  store === "sqlite"
    ? SqliteStore.layer({ filename: url })
    : store === "libsql"
      ? LibsqlStore.layer({ url })
      : store === "postgres"
        ? PostgresStore.layer(driver === "postgres" ? { url, driver } : { url })
        : MysqlStore.layer({ url })

const recordSettled = (ids: ReadonlyArray<string>, completed: ReadonlyArray<string>) =>
  Effect.sync(() => {
    for (const id of ids) record({ what: completed.includes(id) ? "settled" : "not settled", id, at: Date.now() })
  })

/** The store, which also says when it has settled a notification. */
const observed = Layer.effect(
  BillingStore,
  Effect.map(
    BillingStore,
    (inner): BillingStoreService => ({
      ...inner,
      completeNotifications: (ids, owner) =>
        Effect.tap(inner.completeNotifications(ids, owner), (completed) => recordSettled(ids, completed)),
      completeAndClaimNext: (ids, claim) =>
        Effect.tap(inner.completeAndClaimNext(ids, claim), ({ completed }) => recordSettled(ids, completed))
    })
  )
).pipe(Layer.provide(opened))

const billing = polar({
  webhookSecret: secret,
  store: observed,
  logLevel: "error",
  ...(apiBaseUrl === undefined
    ? { client: PolarClient.layerDisabled("this proof asks nothing of Polar") }
    : { accessToken, apiBaseUrl }),
  onSubscriptionChange: async (userId, { currentPeriodEnd, ...subscription }, { id }) => {
    const shown = { ...subscription, currentPeriodEnd: currentPeriodEnd?.getTime() ?? 0 }
    record({ what: "begun", id, userId, shown, at: Date.now() })
    await new Promise((resolve) => setTimeout(resolve, Math.random() * callMillis))
    record({ what: "ended", id, at: Date.now() })
  }
})

const endpoints: Array<PluginEndpoint> = []
await billing.init({
  db: undefined,
  config: { database: { provider: store } },
  addEndpoint: (endpoint) => endpoints.push(endpoint)
})

const getUser = async (request: Request) => {
  const id = request.headers.get("x-user")
  return id === null ? null : { id, email: `${id}@acme-mail.dev`, name: "Ada Martin" }
}

/** What the app itself does with billing: it asks whether a user may. */
const access = async (request: Request): Promise<Response> => {
  try {
    return Response.json(await billing.access(request.headers.get("x-user") ?? ""))
  } catch (error) {
    const isStorage = error instanceof StoreError || error instanceof Disposed
    return Response.json({ error: String(error) }, { status: isStorage ? 503 : 500 })
  }
}

/** In bytes, of what is still needed. */
const heap = (): Response => {
  globalThis.gc?.()
  return Response.json(process.memoryUsage().heapUsed)
}

const server = await serve({
  host: "127.0.0.1",
  port,
  handle: async (request) => {
    const { pathname } = new URL(request.url)
    if (pathname === "/access") return access(request)
    if (pathname === "/heap") return heap()
    return (await route(endpoints, request, "", { getUser })) ?? Response.json({ error: "Not found" }, { status: 404 })
  }
})
process.stdout.write(`listening ${server.url}\n`)

process.once("SIGTERM", async () => {
  await Promise.all([server.close(), billing.dispose()])
  process.exit(0)
})

// Whoever started this holds the other end: without them it has no business here.
process.stdin.once("close", () => process.exit(0)).resume()

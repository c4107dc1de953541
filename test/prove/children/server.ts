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
import { Disposed, type PluginEndpoint } from "@kavach-polar/http"
import { serve } from "@kavach-polar/http/NodeServer"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { checkedSettings } from "../../../packages/http/src/config/settings.ts"
import { route } from "../../../packages/http/src/host/router.ts"
import { polarWith } from "../../../packages/http/src/polar.ts"
import type { CallRecord, ServerSettings } from "../ServerUnderTest.ts"

const settings: ServerSettings = JSON.parse(process.argv[2] ?? "{}")
const { accessToken, apiBaseUrl, callMillis, diary, driver, hearsAccess = false, port, secret, store, url } = settings

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

/** A look at the clock takes less; of a process that was killed at it another takes over after that, and not after a minute. */
const clockLease = Duration.seconds(2)

/** The store, which also says when it has settled a notification. */
const observed = Layer.effect(
  BillingStore,
  Effect.map(
    BillingStore,
    (inner): BillingStoreService => ({
      ...inner,
      claimJob: (claim) => inner.claimJob(claim.name === "clock" ? { ...claim, lease: clockLease } : claim),
      completeNotifications: (ids, owner) =>
        Effect.tap(inner.completeNotifications(ids, owner), (completed) => recordSettled(ids, completed)),
      completeAndClaimNext: (ids, claim) =>
        Effect.tap(inner.completeAndClaimNext(ids, claim), ({ completed }) => recordSettled(ids, completed))
    })
  )
).pipe(Layer.provide(opened))

const callTakes = () => new Promise((resolve) => setTimeout(resolve, Math.random() * callMillis))

const checked = checkedSettings({
  // Some of its users have a row and some have none.
  externalIds: "trust",
  // All have confirmed their addresses, so a checkout makes the customer first.
  emailVerified: () => true,
  webhookSecret: secret,
  store: observed,
  logLevel: "error",
  ...(apiBaseUrl === undefined
    ? { client: PolarClient.layerDisabled("this proof asks nothing of Polar") }
    : { accessToken, apiBaseUrl }),
  onSubscriptionChange: async (userId, subscription, { id }) => {
    const shown = {
      id: subscription.id,
      status: subscription.status,
      productId: subscription.productId,
      currentPeriodEnd: subscription.currentPeriodEnd?.getTime() ?? 0,
      cancelAtPeriodEnd: subscription.cancelAtPeriodEnd
    }
    record({ what: "begun", id, userId, shown, at: Date.now() })
    await callTakes()
    record({ what: "ended", id, at: Date.now() })
  },
  ...(hearsAccess
    ? {
        onAccessChange: async (userId, { after, before, cause }, { id }) => {
          const flip = { before: before.entitlement, after: after.entitlement, by: cause.by }
          record({ what: "flipped", id, userId, flip, at: Date.now() })
          await callTakes()
          record({ what: "ended", id, at: Date.now() })
        }
      }
    : {})
})

/** `polar()`, which looks at the clock so often that it is killed in the middle. */
const billing = polarWith(
  hearsAccess ? { ...checked, maintenance: { ...checked.maintenance, clockEvery: "500 millis" } } : checked
)

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

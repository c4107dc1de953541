/** Gates of an Effect app's own API, on a real server and a billing that buys from the simulator. */
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  FetchHttpClient,
  HttpApi,
  HttpApiBuilder,
  HttpApiClient,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpClient,
  HttpClientRequest,
  HttpServer,
  OpenApi
} from "@effect/platform"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import {
  Billing,
  NotificationDispatcher,
  PolarClient,
  Subscription,
  SubscriptionListener,
  WebhookVerifier
} from "@kavach-polar/core"
import * as Gate from "@kavach-polar/http/Gate"
import { toNodeListener } from "@kavach-polar/http/node"
import * as Session from "@kavach-polar/http/Session"
import { Seed, type Served, serve } from "@kavach-polar/simulator"
import Database from "better-sqlite3"
import { Effect, Layer, Logger, ManagedRuntime, Option, Redacted, Schema } from "effect"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { webhookSecret } from "../simulator/BillingScene.ts"

const exporting = {
  id: "5f1c9a52-8e6f-4c37-9a21-0c6d1f4e7b10",
  type: "feature_flag",
  description: "Export",
  metadata: { key: "export" }
} as const
const pro = { ...Seed.products.pro, benefits: [exporting] }
const { lifetime, team } = Seed.products

class Access extends HttpApiMiddleware.Tag<Access>()("Access", { failure: Gate.Refused }) {}
class Team extends HttpApiMiddleware.Tag<Team>()("Team", { failure: Gate.Refused }) {}
class Benefit extends HttpApiMiddleware.Tag<Benefit>()("Benefit", { failure: Gate.Refused }) {}
class Product extends HttpApiMiddleware.Tag<Product>()("Product", { failure: Gate.Refused }) {}

const endpoint = <const Name extends string>(name: Name) =>
  HttpApiEndpoint.get(name, `/${name}`).addSuccess(Schema.String)

const Api = HttpApi.make("app").add(
  HttpApiGroup.make("gated")
    .add(endpoint("access").middleware(Access))
    .add(endpoint("team").middleware(Team))
    .add(endpoint("benefit").middleware(Benefit))
    .add(endpoint("product").middleware(Product))
    .add(endpoint("open"))
)

const Gates = Layer.mergeAll(
  Layer.effect(Access, Gate.requireAccess({ buyUrl: "/plans" })),
  Layer.effect(Team, Gate.requireAccess({ products: [team.id] })),
  Layer.effect(Benefit, Gate.requireBenefit("export")),
  Layer.effect(Product, Gate.requireProduct(lifetime.id, { buyUrl: "/shop" }))
)

const Gated = HttpApiBuilder.group(Api, "gated", (handlers) =>
  handlers
    .handle("access", () => Effect.succeed("in"))
    .handle("team", () => Effect.succeed("in"))
    .handle("benefit", () => Effect.succeed("in"))
    .handle("product", () => Effect.succeed("in"))
    .handle("open", () => Effect.succeed("in"))
)

const SessionLive = Session.layer((request) => {
  const user = request.headers["x-user"]
  if (user === "broken") return Effect.fail(new Error("the session store is away"))
  return Effect.succeed(Option.map(Option.fromNullable(user), (id) => ({ id })))
})

const folder = mkdtempSync(join(tmpdir(), "kavach-polar-"))
const filename = join(folder, "app.db")
const lines: Array<string> = []

let simulator: Served
let url = ""
let close: () => Promise<unknown>
let billing: ManagedRuntime.ManagedRuntime<Billing.Billing, unknown>

beforeAll(async () => {
  simulator = await serve({ products: [pro, team, lifetime], allowMultipleSubscriptions: true })
  const Store = SqliteStore.layer({ filename })
  const BillingLive = Billing.layer({ emailVerified: () => true, refreshWhenDenied: false }).pipe(
    Layer.provide(NotificationDispatcher.layer()),
    Layer.provide([
      Store,
      SubscriptionListener.layerNoop,
      WebhookVerifier.layer({ secrets: [Redacted.make(webhookSecret)] }),
      PolarClient.layer({ accessToken: Redacted.make(simulator.accessToken), apiBaseUrl: simulator.url }).pipe(
        Layer.provide(FetchHttpClient.layer)
      )
    ]),
    Layer.orDie
  )
  const logged = Logger.replace(
    Logger.defaultLogger,
    Logger.map(Logger.logfmtLogger, (line) => void lines.push(line))
  )
  const memoMap = Effect.runSync(Layer.makeMemoMap)
  billing = ManagedRuntime.make(BillingLive, memoMap)
  await billing.runPromise(Effect.flatMap(Billing.Billing, ({ start }) => start))
  const app = HttpApiBuilder.api(Api).pipe(
    Layer.provide(Gated),
    Layer.provide(Gates),
    Layer.provide([BillingLive, SessionLive]),
    Layer.merge(HttpServer.layerContext),
    Layer.provide(logged)
  )
  const web = HttpApiBuilder.toWebHandler(app, { memoMap })
  const server = createServer((incoming, outgoing) => {
    void toNodeListener((request) => web.handler(request))(incoming, outgoing)
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await simulator.connect(
    async (request) => {
      const body = new Uint8Array(await request.arrayBuffer())
      await billing.runPromise(
        Effect.flatMap(Billing.Billing, ({ receiveWebhook }) =>
          receiveWebhook(Object.fromEntries(request.headers), body)
        )
      )
      return new Response(null, { status: 202 })
    },
    { secret: webhookSecret }
  )
  close = async () => {
    server.close()
    await web.dispose()
    await billing.dispose()
    await simulator.close()
    rmSync(folder, { recursive: true, force: true })
  }
})

afterAll(() => close())

const get = (path: string, user?: string) =>
  fetch(`${url}${path}`, { headers: user === undefined ? {} : { "x-user": user } })

const buy = async (user: string, product: string) => {
  const { id } = await billing.runPromise(
    Effect.flatMap(Billing.Billing, ({ createCheckout }) =>
      createCheckout(Subscription.UserId.make(user), product, { customerEmail: `${user}@acme-mail.dev` })
    )
  )
  await simulator.pay(id)
  await simulator.flush()
}

const typed = (user: string) =>
  HttpApiClient.make(Api, {
    baseUrl: url,
    transformClient: HttpClient.mapRequest(HttpClientRequest.setHeader("x-user", user))
  }).pipe(Effect.provide(FetchHttpClient.layer))

describe("a gate", () => {
  test("lets nobody through who is not signed in, and says where to buy to who is", async () => {
    for (const path of ["/access", "/team", "/benefit", "/product"]) {
      const stranger = await get(path)
      expect([stranger.status, await stranger.json()], path).toEqual([401, { error: "Not signed in" }])
      expect(stranger.headers.get("cache-control")).toBe("no-store")
      const unpaid = await get(path, "lin")
      expect(unpaid.status, path).toBe(402)
      expect(unpaid.headers.get("cache-control")).toBe("no-store")
    }
    expect(await (await get("/access", "lin")).json()).toEqual({ error: "Payment required", buyUrl: "/plans" })
    expect(await (await get("/team", "lin")).json()).toEqual({ error: "Payment required" })
    expect((await get("/open")).status).toBe(200)
  })

  test("lets through who has it, and nobody else", async () => {
    await buy("ada", pro.id)
    const statuses = async (user: string) =>
      Promise.all(["/access", "/team", "/benefit", "/product"].map(async (path) => (await get(path, user)).status))
    expect(await statuses("ada")).toEqual([200, 402, 200, 402])
    await buy("ada", lifetime.id)
    expect(await statuses("ada")).toEqual([200, 402, 200, 200])
    expect(await statuses("lin")).toEqual([402, 402, 402, 402])
  })

  test("fails in the typed client with what it answers", async () => {
    const refused = await Effect.runPromise(Effect.flatMap(typed("lin"), ({ gated }) => Effect.flip(gated.product())))
    expect(refused).toBeInstanceOf(Gate.PaymentRequired)
    expect(refused).toMatchObject({ error: "Payment required", buyUrl: "/shop" })
    expect(await Effect.runPromise(Effect.flatMap(typed("ada"), ({ gated }) => gated.access()))).toBe("in")
  })

  test("is in the API's description", () => {
    const { paths } = OpenApi.fromApi(Api)
    expect(Object.keys(paths["/access"]?.get?.responses ?? {}).sort()).toEqual(["200", "400", "401", "402", "503"])
    expect(Object.keys(paths["/open"]?.get?.responses ?? {})).not.toContain("402")
  })

  test("lets nobody through while sessions or the database are away, and says why in the log alone", async () => {
    lines.length = 0
    const broken = await get("/access", "broken")
    expect([broken.status, await broken.json()]).toEqual([503, { error: "Billing is temporarily unavailable" }])
    expect(broken.headers.get("retry-after")).toBe("5")
    expect(lines.join()).toContain("the session store is away")
    const database = new Database(filename)
    database.exec("ALTER TABLE kavach_polar_records RENAME TO gone")
    try {
      for (const path of ["/access", "/benefit", "/product"]) {
        const away = await get(path, "ada")
        expect([away.status, await away.json()], path).toEqual([503, { error: "Billing is temporarily unavailable" }])
      }
    } finally {
      database.exec("ALTER TABLE gone RENAME TO kavach_polar_records")
      database.close()
    }
    expect((await get("/access", "ada")).status).toBe(200)
  })
})

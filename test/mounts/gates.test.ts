/** Gates before an app's own routes, on real servers and a billing that buys from the simulator. */
import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { serve } from "@hono/node-server"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { polar } from "@kavach-polar/http"
import { toFastifyHook } from "@kavach-polar/http/fastify"
import { type Gate, gates } from "@kavach-polar/http/gates"
import { toNodeListener, toNodeMiddleware } from "@kavach-polar/http/node"
import { Seed } from "@kavach-polar/simulator"
import express from "express"
import Fastify from "fastify"
import { Hono } from "hono"
import { describe, expect, test } from "vitest"
import { email, pro, type Scene, userId, webhookSecret, withScene } from "../simulator/BillingScene.ts"

const { lifetime, team } = Seed.products

const exporting = {
  id: "5f1c9a52-8e6f-4c37-9a21-0c6d1f4e7b10",
  type: "feature_flag",
  description: "Export",
  metadata: { key: "export" }
} as const

type Setting = { readonly url: string; readonly close: () => unknown }
type Open = (gate: Gate) => Promise<Setting>

const addressOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const listening = async (server: Server): Promise<Setting> => {
  await once(server.listen(0, "127.0.0.1"), "listening")
  return { url: addressOf(server), close: () => server.close() }
}

/** The route behind the gate says which body it was given. */
const servers: Readonly<Record<string, Open>> = {
  "the fetch wrapper": (gate) => {
    const handler = gate(async (request) => Response.json({ got: await request.text() }))
    return listening(
      createServer(
        (incoming, outgoing) => void toNodeListener((request) => handler(request, undefined))(incoming, outgoing)
      )
    )
  },
  "Express 5": (gate) => {
    const app = express()
    app.use("/reports", toNodeMiddleware(gate))
    app.use(express.text({ type: "*/*" }))
    app.all("/reports/:id", (request, response) => void response.json({ got: request.body ?? "" }))
    return listening(createServer(app))
  },
  "Fastify 5": async (gate) => {
    const app = Fastify()
    app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body))
    app.all("/reports/:id", { onRequest: toFastifyHook(gate) }, async ({ body }) => ({ got: body ?? "" }))
    const url = await app.listen({ port: 0, host: "127.0.0.1" })
    return { url, close: () => app.close() }
  },
  Hono: async (gate) => {
    const app = new Hono()
    app.use("/reports/*", async (c, next) => (await gate.refusal(c.req.raw, c)) ?? next())
    app.all("/reports/:id", async (c) => c.json({ got: await c.req.text() }))
    const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server
    if (!server.listening) await once(server, "listening")
    return { url: addressOf(server), close: () => server.close() }
  }
}

const gatesOf = ({ billing }: Scene) =>
  gates(billing, { getUserId: (request) => request.headers.get("x-user"), buyUrl: "/plans" })

const ask = async ({ url }: Setting, user: string | null, init: RequestInit = {}) => {
  const headers = { ...(user === null ? {} : { "x-user": user }), "content-type": "text/plain" }
  const response = await fetch(`${url}/reports/1`, { ...init, headers })
  return { status: response.status, body: await response.json(), cache: response.headers.get("cache-control") }
}

const buy = async ({ billing, simulator }: Scene, product: string) => {
  const { id } = await billing.createCheckout(userId, product, { customerEmail: email })
  await simulator.pay(id, { customer_email: email })
  await simulator.flush()
}

describe.each(Object.entries(servers))("%s", (_name, open) => {
  test("lets in who has paid, with what they send, and tells others where to buy", async () => {
    await withScene({}, {}, async (scene) => {
      const server = await open(gatesOf(scene).requireAccess())
      try {
        expect(await ask(server, null)).toEqual({ status: 401, body: { error: "Not signed in" }, cache: "no-store" })
        expect(await ask(server, userId, { method: "POST", body: "x".repeat(100_000) })).toEqual({
          status: 402,
          body: { error: "Payment required", buyUrl: "/plans" },
          cache: "no-store"
        })
        await buy(scene, pro)
        expect(await ask(server, userId)).toMatchObject({ status: 200, body: { got: "" } })
        expect(await ask(server, userId, { method: "POST", body: "hello" })).toMatchObject({
          status: 200,
          body: { got: "hello" }
        })
        expect(await ask(server, "bob")).toMatchObject({ status: 402 })
        await scene.billing.subscriptions.revoke(userId)
        expect(await ask(server, userId)).toMatchObject({ status: 402 })
      } finally {
        await server.close()
      }
    })
  })
})

const request = (user?: string) =>
  new Request("http://app.test/", user === undefined ? {} : { headers: { "x-user": user } })

test("each gate asks for what it is named after", async () => {
  const plan = { ...Seed.products.pro, benefits: [exporting] }
  await withScene({ products: [plan, team, lifetime], allowMultipleSubscriptions: true }, {}, async (scene) => {
    const { requireAccess, requireBenefit, requireProduct } = gatesOf(scene)
    const passes = async (gate: Gate) => (await gate.refusal(request(userId), undefined)) === undefined
    const all = async () => [
      await passes(requireAccess({ product: pro })),
      await passes(requireAccess({ products: [pro, team.id] })),
      await passes(requireBenefit("export")),
      await passes(requireProduct(lifetime.id))
    ]
    expect(await all()).toEqual([false, false, false, false])
    await buy(scene, team.id)
    expect(await all()).toEqual([false, true, false, false])
    await buy(scene, pro)
    expect(await all()).toEqual([true, true, true, false])
    await buy(scene, lifetime.id)
    expect(await all()).toEqual([true, true, true, true])
  })
})

describe("when billing cannot be asked", () => {
  const broken = () =>
    polar({
      accessToken: "polar_oat_gates",
      webhookSecret,
      logLevel: "none",
      reconcileEveryHours: false,
      store: SqliteStore.layer({ filename: "/nowhere/at/all.sqlite" })
    })
  const userOf = (asked: Request) => asked.headers.get("x-user")

  test("nobody gets through: 503, and the app is told why", async () => {
    await using billing = broken()
    const told: Array<unknown> = []
    const { requireAccess } = gates(billing, { getUserId: userOf, onError: (error) => told.push(error) })
    let called = false
    const response = await requireAccess()(() => {
      called = true
      return new Response()
    })(request("ada"), undefined)
    expect([response.status, response.headers.get("retry-after"), called]).toEqual([503, "5", false])
    expect(await response.json()).toEqual({ error: "Billing is temporarily unavailable" })
    expect(told).toMatchObject([{ _tag: "StoreError" }])
  })

  test("without onError the framework is told", async () => {
    await using billing = broken()
    const gate = gates(billing, { getUserId: userOf }).requireAccess()
    await expect(gate.refusal(request("ada"), undefined)).rejects.toMatchObject({ _tag: "StoreError" })
    const app = express()
    app.use(toNodeMiddleware(gate))
    app.use(
      ((error, _request, response, _next) =>
        void response.status(500).json({ tag: error._tag })) as express.ErrorRequestHandler
    )
    const server = await listening(createServer(app))
    try {
      const response = await fetch(server.url, { headers: { "x-user": "ada" } })
      expect([response.status, await response.json()]).toEqual([500, { tag: "StoreError" }])
    } finally {
      await server.close()
    }
  })

  test("a product that is none is the app's mistake, and lets nobody in", async () => {
    await withScene({}, {}, async ({ billing }) => {
      const { requireProduct } = gates(billing, { getUserId: userOf })
      await expect(requireProduct("prro").refusal(request("ada"), undefined)).rejects.toMatchObject({
        _tag: "InvalidOption"
      })
    })
  })
})

/** What is around the routes; that they are all there, test/mounts shows. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { toNodeListener, toNodeMiddleware } from "@kavach-polar/http/node"
import { afterEach, expect, test, vi } from "vitest"

const closers: Array<() => void> = []

afterEach(() => {
  for (const close of closers.splice(0)) close()
  vi.restoreAllMocks()
})

const listen = async (listener: (incoming: IncomingMessage, outgoing: ServerResponse) => unknown): Promise<string> => {
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test("cookies of the answer come beside those that were set before it", async () => {
  const headers = new Headers([
    ["set-cookie", "b=2; Path=/"],
    ["set-cookie", "c=3"]
  ])
  const listener = toNodeListener(async () => new Response("{}", { headers }))
  const url = await listen((incoming, outgoing) => {
    outgoing.setHeader("set-cookie", "a=1")
    return listener(incoming, outgoing)
  })
  expect((await fetch(url)).headers.getSetCookie()).toEqual(["a=1", "b=2; Path=/", "c=3"])
})

test("the address is that of the whole app, and https where a proxy says so", async () => {
  const listener = toNodeListener(async ({ url }) => new Response(url))
  const url = await listen((incoming, outgoing) => {
    // As Express does below a mount.
    Object.assign(incoming, { originalUrl: incoming.url, url: "/orders" })
    return listener(incoming, outgoing)
  })
  const seen = async (headers: Record<string, string>) =>
    (await fetch(`${url}/auth/polar/orders?a=1`, { headers })).text()
  expect(await seen({})).toBe(`${url}/auth/polar/orders?a=1`)
  expect(await seen({ "x-forwarded-proto": "https" })).toBe(`${url.replace("http:", "https:")}/auth/polar/orders?a=1`)
  expect(await seen({ "x-forwarded-proto": "https,http" })).toMatch(/^https:/)
  expect(await seen({ "x-forwarded-proto": "httpsx" })).toMatch(/^http:/)
})

test("a handler that was wrapped and throws is answered 500, and said; with `next` it is the framework's", async () => {
  const listener = toNodeListener(async () => {
    throw new Error("password=hunter2")
  })
  const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {})
  const answer = await fetch(await listen(listener))
  expect([answer.status, await answer.json()]).toEqual([500, { error: "Internal error" }])
  expect(warned).toHaveBeenCalledWith(expect.objectContaining({ message: "password=hunter2" }))

  const passed: Array<unknown> = []
  const url = await listen((incoming, outgoing) =>
    listener(incoming, outgoing, (error) => {
      passed.push(error)
      outgoing.writeHead(418).end()
    })
  )
  expect((await fetch(url)).status).toBe(418)
  expect(passed).toEqual([expect.objectContaining({ message: "password=hunter2" })])
  expect(warned).toHaveBeenCalledTimes(1)
})

test("what something else has answered is let be", async () => {
  let rejected: unknown
  const listener = toNodeListener(async () => new Response("late"))
  const url = await listen((incoming, outgoing) => {
    outgoing.writeHead(503).end("timed out")
    return listener(incoming, outgoing).catch((error) => {
      rejected = error
    })
  })
  const answer = await fetch(url)
  expect([answer.status, await answer.text(), rejected]).toEqual([503, "timed out", undefined])
})

test("a gate that refuses after something else has answered lets nobody through", async () => {
  let through = false
  const gate = toNodeMiddleware({
    refusal: async () => {
      await answered
      return Response.json({ error: "Payment required" }, { status: 402 })
    }
  })
  let tell = () => {}
  const answered = new Promise<void>((resolve) => {
    tell = resolve
  })
  let over: Promise<void> | undefined
  const url = await listen((incoming, outgoing) => {
    over = gate(incoming, outgoing, () => {
      through = true
    })
    // Such as a timeout of the app's.
    outgoing.writeHead(503).end()
    tell()
  })
  expect((await fetch(url)).status).toBe(503)
  await over
  expect(through).toBe(false)
})

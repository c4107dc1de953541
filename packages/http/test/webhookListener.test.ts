import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { type AddressInfo, connect } from "node:net"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { polar } from "@kavach-polar/http"
import { afterEach, describe, expect, test } from "vitest"
import { fixture } from "../../core/test/deliveries.ts"
import { likelyLines, memoryPolar, secret, startHost, users } from "./host.ts"

type Listener = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>

const closers: Array<() => Promise<void>> = []

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const listen = async (listener: Listener): Promise<string> => {
  const rejected: Array<unknown> = []
  const server = createServer((incoming, outgoing) => {
    listener(incoming, outgoing).catch((error: unknown) => rejected.push(error))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closers.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    expect(rejected).toEqual([])
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/any/path`
}

const deliver = (url: string, body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = signed(body)) =>
  fetch(url, { method: "POST", body, headers })

let count = 0
const signed = (body: Uint8Array) => ({
  ...WebhookVerifier.signedHeaders({
    secret,
    id: `evt_${count++}`,
    timestampSeconds: Math.floor(Date.now() / 1000),
    body
  })
})

const created = new Uint8Array(fixture("subscription.created"))

describe("webhookListener", () => {
  test("applies a delivery, and answers as the route does", async () => {
    await using host = await startHost()
    const url = await listen(host.billing.webhookListener)
    const answer = await deliver(url, created)
    expect([answer.status, await answer.json()]).toEqual([200, { received: true }])
    expect(answer.headers.get("content-type")).toBe("application/json")
    expect(await host.billing.getSubscription(users[0]?.id ?? "")).toMatchObject({ status: "active" })
  })

  test("many at once, and the same one twice, over connections that stay open", async () => {
    await using host = await startHost()
    const url = await listen(host.billing.webhookListener)
    const headers = signed(created)
    const answers = await Promise.all(Array.from({ length: 50 }, () => deliver(url, created, headers)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(await host.billing.listSubscriptions(users[0]?.id ?? "")).toHaveLength(1)
  })

  test("refuses what is not signed, is too large, or no body", async () => {
    await using host = await startHost({ webhookBodyLimitBytes: 10_000 })
    const url = await listen(host.billing.webhookListener)
    expect((await deliver(url, created, { ...signed(created), "webhook-id": "evt_other" })).status).toBe(403)
    expect((await deliver(url, created, {})).status).toBe(400)
    expect((await deliver(url, new Uint8Array(0))).status).toBe(400)
    const large = new Uint8Array(10_001).fill(0x20)
    expect((await deliver(url, large)).status).toBe(413)
    // The connection of the refused one is not in the way of the next.
    expect((await deliver(url, created)).status).toBe(200)
  })

  test("stops reading a body that is sent without a length", async () => {
    await using host = await startHost({ webhookBodyLimitBytes: 10_000 })
    const port = Number(new URL(await listen(host.billing.webhookListener)).port)
    const text = await new Promise<string>((resolve) => {
      let received = ""
      const socket = connect(port, "127.0.0.1", () => {
        socket.write(`POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n${likelyLines()}\r\n`)
        socket.write(`3000\r\n${"x".repeat(0x3000)}\r\n`)
      })
      socket.on("data", (chunk) => {
        received += chunk.toString("latin1")
        socket.end()
      })
      socket.on("error", () => {})
      socket.on("close", () => resolve(received))
    })
    expect(text).toMatch(/^HTTP\/1\.1 413 /)
  })

  test("a body that somebody has read before is said to be so", async () => {
    await using host = await startHost()
    const url = await listen(async (incoming, outgoing) => {
      for await (const _ of incoming);
      await host.billing.webhookListener(incoming, outgoing)
    })
    const answer = await deliver(url, created)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toEqual({
      error: "Request body was read before it came here: mount this route before whatever parses bodies"
    })
  })

  /** What a framework before it may have left on the request. */
  const readBefore = (keep: (incoming: IncomingMessage, body: Buffer) => void) => async () => {
    const host = await startHost()
    closers.push(() => host.billing.dispose())
    const url = await listen(async (incoming, outgoing) => {
      const pieces: Array<Buffer> = []
      for await (const piece of incoming) pieces.push(piece)
      keep(incoming, Buffer.concat(pieces))
      await host.billing.webhookListener(incoming, outgoing)
    })
    return {
      deliver: (body: Uint8Array<ArrayBuffer>, headers?: Record<string, string>) => deliver(url, body, headers)
    }
  }

  test.each<[string, Parameters<typeof readBefore>[0]]>([
    [
      "rawBody as bytes",
      (incoming, body) => Object.assign(incoming, { rawBody: body, body: JSON.parse(String(body)) })
    ],
    ["rawBody as text", (incoming, body) => Object.assign(incoming, { rawBody: String(body) })],
    ["body as bytes", (incoming, body) => Object.assign(incoming, { body })],
    ["body as other bytes", (incoming, body) => Object.assign(incoming, { body: new Uint8Array(body) })],
    ["body as text", (incoming, body) => Object.assign(incoming, { body: String(body) })]
  ])("takes a body that was read before it: %s", async (_, keep) => {
    const { deliver } = await readBefore(keep)()
    expect((await deliver(created)).status).toBe(200)
    // It is verified as any other.
    expect((await deliver(created, { ...signed(created), "webhook-id": "evt_other" })).status).toBe(403)
  })

  test("a body that was parsed before it is said to be so", async () => {
    const { deliver } = await readBefore((incoming, body) =>
      Object.assign(incoming, { body: JSON.parse(String(body)) })
    )()
    const answer = await deliver(created)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toEqual({
      error: expect.stringContaining("Request body was parsed before it came here")
    })
  })

  test("a body that was turned into text by others is said to be read", async () => {
    await using host = await startHost()
    const url = await listen((incoming, outgoing) => {
      incoming.setEncoding("utf8")
      return host.billing.webhookListener(incoming, outgoing)
    })
    expect((await deliver(url, created)).status).toBe(400)
  })

  test("neither throws nor rejects when something else has answered, before it or while it works", async () => {
    await using host = await startHost()
    const before = await listen(async (incoming, outgoing) => {
      outgoing.writeHead(202).end("before")
      await host.billing.webhookListener(incoming, outgoing)
    })
    const meanwhile = await listen(async (incoming, outgoing) => {
      const done = host.billing.webhookListener(incoming, outgoing)
      outgoing.writeHead(202).end("meanwhile")
      await done
    })
    for (const [url, said] of [
      [before, "before"],
      [meanwhile, "meanwhile"]
    ] as const) {
      const answer = await deliver(url, created)
      expect([answer.status, await answer.text()]).toEqual([202, said])
    }
  })

  test("neither throws nor rejects when the client is gone, before it or while it works", async () => {
    await using host = await startHost()
    for (const wait of [true, false]) {
      let ended = () => {}
      const over = new Promise<void>((resolve) => {
        ended = resolve
      })
      const url = await listen(async (incoming, outgoing) => {
        if (wait) await new Promise((resolve) => incoming.once("close", resolve))
        await host.billing.webhookListener(incoming, outgoing)
        ended()
      })
      const socket = connect(Number(new URL(url).port), "127.0.0.1", () => {
        socket.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n${likelyLines()}\r\nhalf`)
        setTimeout(() => socket.destroy(), 50)
      })
      await over
    }
  })

  test("answers what cannot be a delivery before its body comes, and does not wait for it", async () => {
    await using host = await startHost()
    const port = Number(new URL(await listen(host.billing.webhookListener)).port)
    const heads: ReadonlyArray<[lines: string, status: string]> = [
      ["", "400"],
      ["webhook-id: a\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,x\r\n", "403"],
      [likelyLines().replace("made_up", "made.up"), "400"],
      [likelyLines().replace("v1,", "v2,"), "400"]
    ]
    for (const [lines, status] of heads) {
      const text = await new Promise<string>((resolve) => {
        const socket = connect(port, "127.0.0.1", () =>
          socket.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5000\r\n${lines}\r\n`)
        )
        socket.once("data", (chunk) => {
          socket.destroy()
          resolve(chunk.toString())
        })
      })
      expect(text.slice(9, 12)).toBe(status)
    }
  })

  test("before there is a database, and after disposal: 503", async () => {
    const billing = polar({ webhookSecret: secret, client: memoryPolar().client, logLevel: "none" })
    const early = await deliver(await listen(billing.webhookListener), created)
    expect([early.status, early.headers.get("retry-after")]).toEqual([503, "5"])

    const host = await startHost()
    const url = await listen(host.billing.webhookListener)
    await host.billing.dispose()
    const late = await deliver(url, created)
    expect([late.status, late.headers.get("retry-after")]).toEqual([503, "5"])
  })
})

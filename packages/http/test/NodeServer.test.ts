import { createHash } from "node:crypto"
import { request as httpRequest } from "node:http"
import { connect, type Socket } from "node:net"
import { CannotListen, type NodeServer, serve } from "@kavach-polar/http/NodeServer"
import { afterEach, describe, expect, test } from "vitest"
import { fixture } from "../../core/test/deliveries.ts"
import { deliveryOf, likelyLines, startHost } from "./host.ts"

const servers: Array<NodeServer> = []
const uncaught: Array<unknown> = []
const note = (error: unknown) => void uncaught.push(error)
process.on("uncaughtException", note)
process.on("unhandledRejection", note)

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
  // A stream that is written to after it was given up would bring the process down.
  await pause(50)
  expect(uncaught.splice(0)).toEqual([])
})

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

const listen = async (handle: (request: Request) => Promise<Response>) => {
  const server = await serve({ host: "127.0.0.1", port: 0, handle })
  servers.push(server)
  return { ...server, port: Number(new URL(server.url).port) }
}

const echo = async (request: Request) => {
  const body = Buffer.from(await request.arrayBuffer())
  return Response.json({
    method: request.method,
    url: request.url,
    headers: [...request.headers],
    length: body.length,
    sha256: createHash("sha256").update(body).digest("hex")
  })
}

const sha256 = (body: Uint8Array) => createHash("sha256").update(body).digest("hex")

/** Everything that comes back over a socket of one's own, until the server closes it or is silent. */
const converse = (port: number, talk: (socket: Socket) => void, silence = 400): Promise<string> =>
  new Promise((resolve) => {
    let text = ""
    const socket = connect(port, "127.0.0.1", () => talk(socket))
    const done = () => {
      socket.destroy()
      resolve(text)
    }
    socket.setTimeout(silence, done)
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1")
    })
    socket.on("error", () => {})
    socket.on("close", done)
  })

const statusesOf = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))

describe("requests", () => {
  const bodies: ReadonlyArray<[what: string, body: Uint8Array]> = [
    ["nothing", new Uint8Array(0)],
    ["JSON", fixture("subscription.active")],
    ["invalid UTF-8, zeros and a BOM", Uint8Array.of(0xef, 0xbb, 0xbf, 0xff, 0xfe, 0x00, 0xc3, 0x28, 0x0d, 0x0a)],
    ["every byte", Uint8Array.from({ length: 256 }, (_, index) => index)],
    ["three megabytes", Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 31) % 251)]
  ]

  test.each(bodies)("%s arrives byte for byte", async (_, body) => {
    const { url } = await listen(echo)
    const response = await fetch(`${url}/a?b=c`, { method: "POST", body, headers: { "x-odd": "caf\xe9" } })
    expect(await response.json()).toMatchObject({
      method: "POST",
      url: `${url}/a?b=c`,
      length: body.length,
      sha256: sha256(body),
      headers: expect.arrayContaining([["x-odd", "caf\xe9"]])
    })
  })

  test.each(bodies)("%s arrives byte for byte in chunks", async (_, body) => {
    const { port } = await listen(echo)
    const answer = await new Promise<string>((resolve, reject) => {
      const outgoing = httpRequest({ port, host: "127.0.0.1", method: "PUT", path: "/" }, (incoming) => {
        let text = ""
        incoming.setEncoding("utf8")
        incoming.on("data", (part: string) => {
          text += part
        })
        incoming.on("end", () => resolve(text))
      })
      outgoing.on("error", reject)
      const size = Math.max(1, Math.ceil(body.length / 7))
      for (let offset = 0; offset < body.length; offset += size) outgoing.write(body.subarray(offset, offset + size))
      outgoing.end()
    })
    expect(JSON.parse(answer)).toMatchObject({ length: body.length, sha256: sha256(body) })
  })

  test("the body is read only as fast as it is wanted", async () => {
    let sent = 0
    const { port } = await listen(async (request) => {
      const reader = request.body?.getReader()
      await reader?.read()
      await pause(200)
      const halfway = sent
      await reader?.cancel()
      return Response.json({ halfway })
    })
    const socket = connect(port, "127.0.0.1")
    socket.on("error", () => {})
    const block = Buffer.alloc(1024 * 1024)
    socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${64 * block.length}\r\n\r\n`)
    const push = () => {
      while (sent < 64 && !socket.destroyed) {
        sent += 1
        if (!socket.write(block)) return void socket.once("drain", push)
      }
    }
    push()
    const text = await new Promise<string>((resolve) => socket.once("data", (chunk) => resolve(chunk.toString())))
    expect(Number(/"halfway":(\d+)/.exec(text)?.[1])).toBeLessThan(32)
    socket.destroy()
  })

  test("a delivery goes through to the store", async () => {
    await using host = await startHost()
    const { url } = await listen(host.billing.webhook)
    const delivery = deliveryOf(fixture("subscription.active"))
    const response = await fetch(url, {
      method: "POST",
      headers: delivery.headers,
      body: await delivery.arrayBuffer()
    })
    expect([response.status, await response.json()]).toEqual([200, { received: true }])
    expect((await host.billing.getSubscription("usr_1042"))?.status).toBe("active")
  })

  test.each([
    ["a b", 400],
    ["evil.com/path", 400],
    ["evil.com?x", 400],
    ["evil.com#x", 400],
    ["user@evil.com", 400],
    ["[::1", 400],
    ["host:99999", 400],
    ["localhost:3000", 200],
    ["[::1]:3000", 200]
  ])("the host header %j: %i, and the path stays as it is", async (host, status) => {
    const { port } = await listen(async (request) => Response.json({ path: new URL(request.url).pathname }))
    const text = await converse(port, (socket) =>
      socket.write(`GET /a HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
    )
    expect(statusesOf(text)).toEqual([status])
    expect(text).toContain(status === 200 ? '{"path":"/a"}' : '{"error":"Bad request"}')
  })

  test.each([
    ["//evil.com/auth/polar/webhook", "//evil.com/auth/polar/webhook"],
    ["/a/../b", "/b"],
    ["/%2e%2e/%00", "/%00"],
    ["http://other.test/x", "/x"],
    ["*", "/*"]
  ])("the target %j is the path %j", async (target, path) => {
    const { port } = await listen(async (request) => Response.json({ path: new URL(request.url).pathname }))
    const text = await converse(port, (socket) =>
      socket.write(`GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
    )
    expect(text).toContain(JSON.stringify({ path }))
  })

  test("methods that no web request can have, and what is no HTTP at all", async () => {
    const { port } = await listen(async () => Response.json({}))
    for (const method of ["TRACE", "NOPE"]) {
      const text = await converse(port, (socket) => socket.write(`${method} / HTTP/1.1\r\nhost: x\r\n\r\n`))
      expect(statusesOf(text)).toEqual([400])
    }
    expect(statusesOf(await converse(port, (socket) => socket.write("GET / HTTP/1.1\r\n\r\n")))).toEqual([400])
  })
})

describe("answers", () => {
  test("status, headers, cookies and body go back", async () => {
    const { url } = await listen(async () => {
      const headers = new Headers({ "x-a": "1", "content-type": "application/octet-stream" })
      headers.append("set-cookie", "a=1; Path=/")
      headers.append("set-cookie", "b=2")
      return new Response(Uint8Array.of(0, 255, 128), { status: 418, headers })
    })
    const response = await fetch(url)
    expect(response.status).toBe(418)
    expect(response.headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2"])
    expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([0, 255, 128])
  })

  test("HEAD gets the headers of GET and no body, and 204 and 304 have none", async () => {
    const { url } = await listen(async (request) =>
      request.method === "HEAD"
        ? Response.json({ a: 1 }, { headers: { "x-a": "1" } })
        : new Response(null, { status: new URL(request.url).pathname === "/304" ? 304 : 204 })
    )
    const head = await fetch(url, { method: "HEAD" })
    expect([head.status, head.headers.get("x-a"), await head.text()]).toEqual([200, "1", ""])
    expect((await fetch(url)).status).toBe(204)
    expect((await fetch(`${url}/304`)).status).toBe(304)
  })

  test("a handler that rejects is answered 500, and the server goes on", async () => {
    let calls = 0
    const { url } = await listen(async () => {
      calls += 1
      if (calls === 1) throw new Error("secret")
      return Response.json({ calls })
    })
    const failed = await fetch(url)
    expect([failed.status, await failed.json()]).toEqual([500, { error: "Internal error" }])
    expect(await (await fetch(url)).json()).toEqual({ calls: 2 })
  })

  test("a body that breaks off breaks the connection, and the server goes on", async () => {
    const { url } = await listen(async (request) =>
      new URL(request.url).pathname === "/broken"
        ? new Response(
            new ReadableStream({
              start: (controller) => {
                controller.enqueue(new Uint8Array(10))
                setTimeout(() => controller.error(new Error("secret")), 20)
              }
            })
          )
        : Response.json({})
    )
    await expect(fetch(`${url}/broken`).then((response) => response.text())).rejects.toThrow()
    expect((await fetch(url)).status).toBe(200)
  })
})

describe("bodies that nobody wants whole", () => {
  const limit = 64 * 1024

  test("413, whole, to a client that announced too much and sends it; then the connection ends", async () => {
    await using host = await startHost({ webhookBodyLimitBytes: limit })
    const { port, url } = await listen(host.billing.webhook)
    const text = await converse(port, (socket) => {
      socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${4 * 1024 * 1024}\r\n\r\n`)
      socket.write(Buffer.alloc(4 * 1024 * 1024))
      socket.write("GET /second HTTP/1.1\r\nhost: x\r\n\r\n")
    })
    expect(statusesOf(text)).toEqual([413])
    expect(text.toLowerCase()).toContain("connection: close")
    expect(text).toContain(`{"error":"Request body is larger than ${limit} bytes"}`)
    expect((await fetch(url, { method: "POST", body: "{}" })).status).toBe(400)
  })

  test("413 before the body, to a client that waits", async () => {
    await using host = await startHost({ webhookBodyLimitBytes: limit })
    const { port } = await listen(host.billing.webhook)
    const started = Date.now()
    const text = await new Promise<string>((resolve) => {
      const socket = connect(port, "127.0.0.1", () =>
        socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n")
      )
      socket.once("data", (chunk) => resolve(chunk.toString()))
    })
    expect(statusesOf(text)).toEqual([413])
    expect(Date.now() - started).toBeLessThan(900)
  })

  test("413 to an endless stream of chunks, which is cut off", async () => {
    await using host = await startHost({ webhookBodyLimitBytes: limit })
    const { port } = await listen(host.billing.webhook)
    let sent = 0
    let timer: ReturnType<typeof setInterval> | undefined
    const text = await converse(
      port,
      (socket) => {
        socket.write(`POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n${likelyLines()}\r\n`)
        timer = setInterval(() => {
          if (socket.destroyed) return clearInterval(timer)
          sent += 1
          socket.write(`4000\r\n${"x".repeat(0x4000)}\r\n`)
        }, 2)
      },
      3000
    )
    clearInterval(timer)
    expect(statusesOf(text)).toEqual([413])
    expect(sent).toBeGreaterThan(3)
  })

  test("the same through fetch, many times over", async () => {
    await using host = await startHost({ webhookBodyLimitBytes: limit })
    const { url } = await listen(host.billing.webhook)
    const statuses = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const body = new Uint8Array(index % 3 === 0 ? 10 : 1024 * 1024)
        const response = await fetch(url, { method: "POST", body })
        return [index % 3, response.status, Object.keys(Object(await response.json()))]
      })
    )
    for (const [third, status, keys] of statuses) {
      expect([status, keys]).toEqual([third === 0 ? 400 : 413, ["error"]])
    }
  })

  test("a client that goes away in the middle of its body does no harm", async () => {
    await using host = await startHost()
    const { port, url } = await listen(host.billing.webhook)
    for (const head of ["content-length: 100000", "transfer-encoding: chunked"]) {
      for (const part of ["", "4\r\nabcd", "a".repeat(50_000)]) {
        const socket = connect(port, "127.0.0.1")
        socket.on("error", () => {})
        socket.write(`POST / HTTP/1.1\r\nhost: x\r\n${head}\r\n\r\n${part}`)
        await pause(20)
        socket.destroy()
      }
    }
    await pause(50)
    expect((await fetch(url, { method: "POST", body: "{}" })).status).toBe(400)
  })

  test("requests follow each other on one connection, also after a refused one that was read to its end", async () => {
    await using host = await startHost()
    const { port } = await listen(host.billing.webhook)
    const one = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
    expect(statusesOf(await converse(port, (socket) => socket.write(one + one + one)))).toEqual([400, 400, 400])
  })
})

describe("listening and closing", () => {
  test("a port in use, or one that may not be used, is said in a sentence", async () => {
    const { port } = await listen(async () => Response.json({}))
    const handle = async () => Response.json({})
    const inUse = await serve({ host: "127.0.0.1", port, handle }).catch((error: unknown) => error)
    expect(inUse).toBeInstanceOf(CannotListen)
    expect(String(inUse)).toContain(`Cannot listen on 127.0.0.1:${port}: another program uses it.`)
    const nowhere = await serve({ host: "192.0.2.1", port: 0, handle }).catch((error: unknown) => error)
    expect(String(nowhere)).toContain("EADDRNOTAVAIL")
  })

  test("close() lets a request under way finish, refuses new ones, and does not wait for idle connections", async () => {
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const { close, url } = await listen(async (request) => {
      if (new URL(request.url).pathname === "/slow") await released
      return Response.json({ done: true })
    })
    expect((await fetch(url)).status).toBe(200)
    const slow = fetch(`${url}/slow`)
    await pause(50)
    const started = Date.now()
    const closed = close()
    await pause(50)
    await expect(fetch(url)).rejects.toThrow()
    release()
    const response = await slow
    expect(await response.json()).toEqual({ done: true })
    expect(response.headers.get("connection")).toBe("close")
    await closed
    expect(Date.now() - started).toBeLessThan(2000)
    servers.splice(0)
  })
})

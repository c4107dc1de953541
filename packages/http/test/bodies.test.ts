import { createServer, type IncomingMessage } from "node:http"
import { type AddressInfo, connect, type Socket } from "node:net"
import { HttpServerRequest } from "@effect/platform"
import { Effect, Either } from "effect"
import { afterEach, describe, expect, test, vi } from "vitest"
import { bytesInFlight, mostBytesInFlight } from "../src/node/bodiesInFlight.ts"
import { readIncoming } from "../src/node/incomingBody.ts"
import { readBody } from "../src/node/requestBody.ts"

const closers: Array<() => void> = []

afterEach(async () => {
  for (const close of closers.splice(0)) close()
  // Whatever became of a body, nothing of it is counted any more.
  await vi.waitFor(() => expect(bytesInFlight()).toBe(0))
})

/** What reading a body on Node's own server comes to, of each request in turn. */
const readOnNode = async (limits: { limit: number; millis?: number }) => {
  const outcomes: Array<Promise<string | Uint8Array>> = []
  const server = createServer((incoming: IncomingMessage, outgoing) => {
    const outcome = Effect.runPromise(Effect.either(readIncoming(incoming, limits))).then(shown)
    outcomes.push(outcome)
    void outcome.then(() => outgoing.end())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const open = (head: string): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => {
        socket.write(`POST / HTTP/1.1\r\nhost: a\r\n${head}\r\n\r\n`)
        resolve(socket)
      })
      socket.on("error", () => {})
      closers.push(() => socket.destroy())
    })
  const outcome = async (index: number): Promise<string | Uint8Array> => {
    while (outcomes.length <= index) await pause(1)
    return outcomes[index] ?? ""
  }
  return { open, outcome, outcomes }
}

const shown = (outcome: Either.Either<Uint8Array, { readonly _tag: string; readonly message: string }>) =>
  Either.isRight(outcome) ? outcome.right : `${outcome.left._tag}: ${outcome.left.message}`

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

const readOfWeb = (body: ReadableStream<Uint8Array>, limits: { limit: number; millis?: number }) => {
  const init: RequestInit & { duplex: "half" } = { method: "POST", body, duplex: "half" }
  const request = HttpServerRequest.fromWeb(new Request("http://a/", init))
  return Effect.runPromise(Effect.either(readBody(request, limits))).then(shown)
}

const streamOf = (pieces: Iterable<Uint8Array>) => {
  const iterator = pieces[Symbol.iterator]()
  return new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const { done, value } = iterator.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      }
    },
    { highWaterMark: 0 }
  )
}

const text = (body: string | Uint8Array) => (typeof body === "string" ? body : Buffer.from(body).toString())

describe("a body in whatever pieces", () => {
  const body = Buffer.from(JSON.stringify({ text: "é".repeat(20_000) }))
  const cut = (size: number) =>
    Array.from({ length: Math.ceil(body.length / size) }, (_, index) => body.subarray(index * size, (index + 1) * size))

  test.each([7, 1000, 40_000, 100_000])("of %i bytes is the same on Node's server", async (size) => {
    const { open, outcome } = await readOnNode({ limit: 1_000_000 })
    const socket = await open("transfer-encoding: chunked")
    for (const piece of cut(size)) {
      socket.write(`${piece.length.toString(16)}\r\n`)
      socket.write(piece)
      socket.write("\r\n")
    }
    socket.write("0\r\n\r\n")
    expect(text(await outcome(0))).toBe(body.toString())
  })

  test.each([7, 1000, 40_000, 100_000])("of %i bytes is the same in a web request", async (size) => {
    expect(text(await readOfWeb(streamOf(cut(size)), { limit: 1_000_000 }))).toBe(body.toString())
  })

  test("one that is announced shorter or longer than it is, in a web request that nobody has checked", async () => {
    for (const length of ["3", "99999"]) {
      const init: RequestInit & { duplex: "half" } = {
        method: "POST",
        body: streamOf(cut(1000)),
        duplex: "half",
        headers: { "content-length": length }
      }
      const read = readBody(HttpServerRequest.fromWeb(new Request("http://a/", init)), { limit: 1_000_000 })
      expect(text(await Effect.runPromise(read))).toBe(body.toString())
    }
  })

  test("costs what it weighs: a megabyte in pieces of one byte is refused before it is there", async () => {
    let taken = 0
    function* bytes() {
      for (; taken < 1_000_000; taken++) yield Uint8Array.of(120)
    }
    expect(await readOfWeb(streamOf(bytes()), { limit: 2_000_000 })).toBe(
      "BodyUnreadable: Request body came in too many small pieces"
    )
    expect(taken).toBeLessThan(10_000)
  })

  test("nothing of a piece is kept but its bytes", async () => {
    const held = new Set<WeakRef<Uint8Array>>()
    function* pieces() {
      for (let index = 0; index < 50; index++) {
        const piece = new Uint8Array(1000).subarray(0, 10)
        held.add(new WeakRef(piece))
        yield piece
      }
    }
    const whole = await readOfWeb(streamOf(pieces()), { limit: 1000 })
    expect(whole).toHaveLength(500)
    expect([...held].some((piece) => piece.deref()?.buffer === (whole as Uint8Array).buffer)).toBe(false)
  })
})

describe("a body that does not come", () => {
  test("is given up after its time, on Node's server and in a web request", async () => {
    const { open, outcome } = await readOnNode({ limit: 1000, millis: 60 })
    const socket = await open("content-length: 100")
    socket.write("some of it")
    const slow = "BodyTooSlow: Request body did not arrive within 0.06 seconds"
    expect(await outcome(0)).toBe(slow)
    let cancelled = false
    const never = new ReadableStream<Uint8Array>({
      cancel: () => {
        cancelled = true
      }
    })
    expect([await readOfWeb(never, { limit: 1000, millis: 60 }), cancelled]).toEqual([slow, true])
  })

  test("of a client that is gone before it is asked for, too", async () => {
    let gone = () => {}
    const over = new Promise<void>((resolve) => {
      gone = resolve
    })
    let outcome: Promise<string | Uint8Array> = Promise.resolve("")
    const server = createServer(async (incoming) => {
      await new Promise((resolve) => incoming.once("close", resolve))
      outcome = Effect.runPromise(Effect.either(readIncoming(incoming, { limit: 1000 }))).then(shown)
      gone()
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    closers.push(() => server.close())
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1", () => {
      socket.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n")
      setTimeout(() => socket.destroy(), 20)
    })
    await over
    expect(await outcome).toBe("BodyUnreadable: Request body could not be read")
  })
})

describe("bodies in flight", () => {
  test("are bounded together: the oldest gives way, and what is sent at once is taken", async () => {
    const limit = 4 * 1024 * 1024
    const { open, outcome } = await readOnNode({ limit })
    const size = 3 * 1024 * 1024
    const count = Math.ceil((mostBytesInFlight * 2) / size)
    for (let index = 0; index < count; index++) {
      const socket = await open(`content-length: ${limit}`)
      await new Promise((resolve) => socket.write(Buffer.alloc(size), resolve))
      expect(bytesInFlight()).toBeLessThanOrEqual(mostBytesInFlight)
    }
    expect(await outcome(0)).toBe("TooManyBodies: Too many request bodies are being received at once.")
    const quick = await open("content-length: 5")
    quick.write("quick")
    expect(text(await outcome(count))).toBe("quick")
  })

  test("a single one may take more, when the app says so", async () => {
    const { open, outcome } = await readOnNode({ limit: 3 * mostBytesInFlight })
    const size = mostBytesInFlight + 1000
    const socket = await open(`content-length: ${size}`)
    socket.write(Buffer.alloc(size))
    expect(await outcome(0)).toHaveLength(size)
  })
})

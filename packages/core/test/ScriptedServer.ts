/** A real HTTP server that answers what a test has scripted, and remembers every request to the byte. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { Effect, Queue } from "effect"

export interface Received {
  readonly method: string
  readonly path: string
  readonly query: ReadonlyArray<readonly [string, string]>
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Text as it is; anything else as JSON. */
  readonly body?: unknown
  /** `never`: no answer. `cut`: the connection ends in the middle of the body. `stall`: the body never ends. */
  readonly fault?: "never" | "cut" | "stall" | "reset"
}

export type Script = Reply | ((request: Received) => Reply)

export interface ScriptedServer {
  readonly origin: string
  /** Replies for the next requests, in order. */
  readonly script: (...replies: ReadonlyArray<Script>) => Effect.Effect<void>
  /** For every request that no script is left for. */
  readonly always: (reply: Script) => Effect.Effect<void>
  /** Waits for the next request. */
  readonly next: Effect.Effect<Received>
  readonly received: Effect.Effect<ReadonlyArray<Received>>
  /** Waits until a client leaves before it has its answer. */
  readonly abandoned: Effect.Effect<void>
}

/** What Polar sends with every answer that one of its routes gives. */
const polarHeaders = { "content-type": "application/json", "polar-version": "2026-10" }

export const make = Effect.gen(function* () {
  const arrivals = yield* Queue.unbounded<Received>()
  const departures = yield* Queue.unbounded<void>()
  const received: Array<Received> = []
  const scripts: Array<Script> = []
  let fallback: Script = { status: 599, body: "nothing scripted" }

  const answer = (request: Received, response: ServerResponse): void => {
    received.push(request)
    Queue.unsafeOffer(arrivals, request)
    const script = scripts.shift() ?? fallback
    const {
      body = "",
      fault,
      headers = polarHeaders,
      status = 200
    } = typeof script === "function" ? script(request) : script
    response.on("close", () => {
      if (!response.writableFinished) Queue.unsafeOffer(departures, undefined)
    })
    const bytes = Buffer.from(typeof body === "string" ? body : JSON.stringify(body))
    if (fault === "never") return
    if (fault === "reset") return void response.socket?.destroy()
    response.writeHead(status, { ...headers, "content-length": `${bytes.length}` })
    if (fault === undefined) return void response.end(bytes)
    response.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), () => {
      if (fault === "cut") response.socket?.destroy()
    })
  }

  const server = createServer((incoming, response) => {
    const chunks: Array<Buffer> = []
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
    incoming.on("end", () => {
      const url = new URL(incoming.url ?? "/", "http://server")
      answer(
        {
          method: incoming.method ?? "",
          path: (incoming.url ?? "").split("?", 1)[0] ?? "",
          query: [...url.searchParams],
          headers: incoming.headers,
          body: Buffer.concat(chunks).toString()
        },
        response
      )
    })
  })

  yield* Effect.acquireRelease(
    Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0

  return {
    origin: `http://127.0.0.1:${port}`,
    script: (...replies) => Effect.sync(() => void scripts.push(...replies)),
    always: (reply) =>
      Effect.sync(() => {
        fallback = reply
      }),
    next: Queue.take(arrivals),
    received: Effect.sync(() => [...received]),
    abandoned: Queue.take(departures)
  } satisfies ScriptedServer
})

// The bodies below are those that Polar's own handlers were seen to write (see its docs, api-reference/introduction).

export const ruleBroken = (
  ...detail: ReadonlyArray<{ readonly loc: ReadonlyArray<unknown>; readonly msg: string }>
): Reply => ({
  status: 422,
  body: {
    error: "PolarRequestValidationError",
    detail: detail.map((issue) => ({ type: "value_error", ...issue, input: "what was sent" }))
  }
})

export const emailTaken = { loc: ["body", "email"], msg: "A customer with this email address already exists." }
export const externalIdTaken = {
  loc: ["body", "external_id"],
  msg: "A customer with this external ID already exists."
}

export const notFound: Reply = { status: 404, body: { error: "ResourceNotFound", detail: "Not found" } }

/** An API version that Polar does not have, or an address that does not exist behind a gateway. */
export const versionGone: Reply = {
  status: 404,
  headers: { "content-type": "application/json" },
  body: { detail: "Not Found" }
}

export const invalidToken: Reply = {
  status: 401,
  headers: {
    "content-type": "application/json",
    "www-authenticate":
      'Bearer realm="polar", error="invalid_token", error_description="The access token provided is expired, revoked, malformed, or invalid for other reasons."'
  },
  body: {
    error: "invalid_token",
    error_description: "The access token provided is expired, revoked, malformed, or invalid for other reasons."
  }
}

export const insufficientScope = (scope: string): Reply => ({
  status: 403,
  headers: {
    ...polarHeaders,
    "www-authenticate": `Bearer realm="polar", scope="${scope}", error="insufficient_scope", error_description="The request requires higher privileges than provided by the access token."`
  },
  body: {
    error: "insufficient_scope",
    error_description: "The request requires higher privileges than provided by the access token."
  }
})

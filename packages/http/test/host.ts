/** A whole host with the plugin, for tests: SQLite in memory, a Polar in memory, and users by a header. */
import * as PolarClient from "@kavach-polar/core/PolarClient"
import type { PolarError } from "@kavach-polar/core/PolarError"
import type { Subscription } from "@kavach-polar/core/Subscription"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { createKavach, type PolarConfig, polar } from "@kavach-polar/http"
import type { SessionUser } from "@kavach-polar/http/Session"
import { Effect, Layer } from "effect"
import * as PolarClientMemory from "../../core/src/polar/PolarClientMemory.ts"
import { expectAsDeclared } from "./declared.ts"

export const secret = "whsec_YSBob3N0IGluIHRoZSB0ZXN0cyBvZiBrYXZhY2gtcG9sYXI="

export const product = "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60"

/** The first one is the customer of the example deliveries. */
export const users: ReadonlyArray<SessionUser> = [
  { id: "usr_1042", email: "ada.martin@acme-mail.dev", name: "Ada Martin", emailVerified: true },
  { id: "usr_1043", email: "lin.osei@acme-mail.dev", name: null, emailVerified: true }
]

export const userOf = (request: Request): SessionUser | null =>
  users.find(({ id }) => id === request.headers.get("x-user")) ?? null

const origin = "http://host.test"

type RequestHeaders = NonNullable<RequestInit["headers"]>

/** A request whose body is sent as it is when it is bytes or text, and as JSON otherwise. */
export const requestOf = (
  method: string,
  path: string,
  { body, headers, user }: { body?: unknown; headers?: RequestHeaders; user?: string | undefined } = {}
): Request => {
  const all = new Headers(headers)
  if (user !== undefined) all.set("x-user", user)
  const raw = body instanceof Uint8Array || typeof body === "string" || body instanceof ReadableStream
  if (body !== undefined && !raw && !all.has("content-type")) all.set("content-type", "application/json")
  return new Request(new URL(path, origin), {
    method,
    headers: all,
    ...(body === undefined
      ? {}
      : { body: raw ? (body as NonNullable<RequestInit["body"]>) : JSON.stringify(body), duplex: "half" })
  })
}

let deliveries = 0

/** A delivery of these bytes, signed now. */
export const deliveryOf = (
  body: Uint8Array,
  { id = `evt_${deliveries++}`, key = secret, path = "/auth/polar/webhook" } = {}
): Request =>
  requestOf("POST", path, {
    body,
    headers: {
      "content-type": "application/json",
      ...WebhookVerifier.signedHeaders({ secret: key, id, timestampSeconds: Math.floor(Date.now() / 1000), body })
    }
  })

/** As a delivery has them, made up by somebody who does not know the secret. */
export const likelyHeaders = (): Record<string, string> => ({
  "webhook-id": "made_up",
  "webhook-timestamp": String(Math.floor(Date.now() / 1000)),
  "webhook-signature": `v1,${"A".repeat(43)}=`
})

/** The same as lines of a request. */
export const likelyLines = (): string =>
  Object.entries(likelyHeaders())
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")

export const memoryPolar = () => {
  const { client, polar: memory } = Effect.runSync(PolarClientMemory.make)
  return {
    client: Layer.succeed(PolarClient.PolarClient, client),
    customers: () => Effect.runPromise(memory.customers),
    checkouts: () => Effect.runPromise(memory.checkouts),
    putSubscription: (subscription: Subscription) => Effect.runSync(memory.putSubscription(subscription)),
    failNext: (error: PolarError) => Effect.runSync(memory.failNext(error))
  }
}

export interface StartOptions extends Partial<PolarConfig> {
  /** The host's. */
  readonly baseUrl?: string | undefined
}

export const startHost = async ({ baseUrl, ...options }: StartOptions = {}) => {
  const memory = memoryPolar()
  const billing = polar({
    webhookSecret: secret,
    client: memory.client,
    logLevel: "none",
    routes: { health: true },
    ...options
  })
  const kavach = await createKavach({
    database: { provider: "sqlite", url: ":memory:" },
    plugins: [billing],
    baseUrl,
    getUser: userOf
  })

  /** The host's answer, which was looked at: JSON, as declared, with nothing of the inside in it. */
  const answer = async (request: Request) => {
    const { pathname } = new URL(request.url)
    const response = await kavach.plugins.handleRequest(request)
    if (response === null) throw new Error(`No route for ${pathname}`)
    const { headers, status } = response
    return { status, headers, body: await expectAsDeclared(`${request.method} ${pathname}`, response) }
  }

  return {
    kavach,
    billing,
    memory,
    answer,
    checkout: (body: unknown, user: string | undefined = "usr_1042", headers: RequestHeaders = {}) =>
      answer(requestOf("POST", "/auth/polar/checkout", { body, user, headers })),
    subscription: (user: string | undefined = "usr_1042") =>
      answer(requestOf("GET", "/auth/polar/subscription", { user })),
    deliver: (body: Uint8Array, options?: Parameters<typeof deliveryOf>[1]) => answer(deliveryOf(body, options)),
    [Symbol.asyncDispose]: kavach.close
  }
}

/**
 * Polar's API out of order, one way after the other: through the real client over HTTP, against a server that answers
 * what the case says, driven by `POST /auth/polar/checkout` as a buyer drives it.
 */
import * as Effect from "effect/Effect"
import type { Received, Reply, ScriptedServer } from "../../packages/core/test/ScriptedServer.ts"
import type { Random } from "./seeded.ts"

interface Fault {
  readonly name: string
  readonly reply: Reply
  readonly status: number
  readonly error: string
  readonly retryAfter?: string
}

const failed = "The payment provider could not process the request"

const faults: ReadonlyArray<Fault> = [
  {
    name: "429 with Retry-After",
    reply: { status: 429, headers: { "retry-after": "7", "content-type": "text/plain" }, body: "Too many requests" },
    status: 429,
    error: "Rate limit exceeded",
    retryAfter: "7"
  },
  { name: "500", reply: { status: 500, headers: {}, body: "Internal Server Error" }, status: 502, error: failed },
  {
    name: "HTML from a gateway",
    reply: { status: 502, headers: { "content-type": "text/html" }, body: "<html><h1>502 Bad Gateway</h1></html>" },
    status: 502,
    error: failed
  },
  {
    name: "HTML in place of JSON",
    reply: { status: 201, headers: { "content-type": "text/html" }, body: "<html>Welcome</html>" },
    status: 502,
    error: failed
  },
  { name: "a hang", reply: { fault: "never" }, status: 504, error: "The payment provider did not answer in time" },
  {
    name: "a body that stops and does not end",
    reply: { status: 201, fault: "stall", body: { id: "4d5e6f7a-cf1e-4d3c-ab5a-6e7f8a9b0c68" } },
    status: 504,
    error: "The payment provider did not answer in time"
  },
  {
    name: "a cut body",
    reply: { status: 201, fault: "cut", body: { id: "4d5e6f7a-cf1e-4d3c-ab5a-6e7f8a9b0c68" } },
    status: 502,
    error: failed
  },
  { name: "a reset connection", reply: { fault: "reset" }, status: 502, error: failed }
]

/** Which of the two calls of a checkout meets the fault. */
const places = ["/v1/customers/", "/v1/checkouts/"] as const

interface Case {
  readonly fault: Fault | undefined
  readonly place: (typeof places)[number]
  readonly userId: string
  readonly customerId: string
  readonly checkoutId: string
}

const productId = "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60"

export interface CheckoutOutcome {
  readonly violations: ReadonlyArray<string>
  readonly checkouts: number
  readonly slowestMillis: number
  /** The ids of the checkouts that were answered 200: those and no others are to be stored. */
  readonly made: ReadonlyArray<string>
}

/** Every fault at either call, all at once, each for a user of its own; and one buyer for whom all goes well. */
export const provePolarFaults = async (
  serverUrl: string,
  polar: ScriptedServer,
  userIds: ReadonlyArray<string>,
  random: Random
): Promise<CheckoutOutcome> => {
  const kinds = [undefined, ...faults].flatMap((fault) => places.map((place) => ({ fault, place })))
  const cases = kinds.flatMap((kind, index): ReadonlyArray<Case> => {
    const userId = userIds[index]
    return userId === undefined ? [] : [{ ...kind, userId, customerId: random.uuid(), checkoutId: random.uuid() }]
  })
  if (cases.length < kinds.length) throw new Error(`${kinds.length} users are needed, and there are ${userIds.length}`)
  await Effect.runPromise(polar.always((request) => replyTo(request, cases)))
  const before = (await Effect.runPromise(polar.received)).length
  const answers = await Promise.all(cases.map(async (one) => ({ one, ...(await buy(serverUrl, one.userId)) })))
  const received = (await Effect.runPromise(polar.received)).slice(before)

  const violations: Array<string> = []
  const made: Array<string> = []
  let slowestMillis = 0
  for (const { body, millis, one, retryAfter, status } of answers) {
    const { fault, place } = one
    const what = `With ${fault?.name ?? "nothing wrong"} at POST ${place}, a checkout`
    slowestMillis = Math.max(slowestMillis, millis)
    if (status === undefined) violations.push(`${what} had no answer within ${buyerMillis / 1000} s: ${body}.`)
    else if (fault === undefined) {
      if (status === 200) made.push(one.checkoutId)
      else violations.push(`${what} was answered ${status} ${body}.`)
    } else {
      const expected = JSON.stringify({ error: fault.error })
      if (status !== fault.status || body !== expected) {
        violations.push(`${what} was answered ${status} ${body}, and should be ${fault.status} ${expected}.`)
      }
      if (fault.retryAfter !== undefined && retryAfter !== fault.retryAfter) {
        violations.push(`${what} was answered with Retry-After ${retryAfter}, and Polar said ${fault.retryAfter}.`)
      }
    }
    const own = received.filter((request) => request.body.includes(`"${one.userId}"`))
    const calls = own.map(({ method, path }) => `${method} ${path}`)
    const expected = fault !== undefined && place === "/v1/customers/" ? places.slice(0, 1) : places
    if (calls.join() !== expected.map((path) => `POST ${path}`).join()) {
      violations.push(`${what} made the calls ${calls.join(", ")}; a call that changes something is made once.`)
    }
  }
  return { violations, checkouts: cases.length, slowestMillis, made }
}

/** A checkout while nothing answers at Polar's address. */
export const proveNobodyThere = async (serverUrl: string, userId: string): Promise<ReadonlyArray<string>> => {
  const { body, status } = await buy(serverUrl, userId)
  return status === 502 && body === JSON.stringify({ error: failed })
    ? []
    : [`While Polar refuses connections, a checkout was answered ${status} ${body}.`]
}

/** Beyond what the client waits for Polar: then the buyer is told so. */
const buyerMillis = 30_000

const buy = async (serverUrl: string, userId: string) => {
  const startedAt = Date.now()
  try {
    const response = await fetch(`${serverUrl}/auth/polar/checkout`, {
      method: "POST",
      signal: AbortSignal.timeout(buyerMillis),
      headers: { "content-type": "application/json", "x-user": userId },
      body: JSON.stringify({ productId })
    })
    const body = await response.text()
    const retryAfter = response.headers.get("retry-after")
    return { status: response.status, body, retryAfter, millis: Date.now() - startedAt }
  } catch (error) {
    return { status: undefined, body: String(error), retryAfter: null, millis: Date.now() - startedAt }
  }
}

const replyTo = ({ body, path }: Received, cases: ReadonlyArray<Case>): Reply => {
  // The external id of the customer, or the user in the checkout's metadata.
  const found = cases.find(({ userId }) => body.includes(`"${userId}"`))
  if (found === undefined) return { status: 404, body: { error: "ResourceNotFound", detail: "Not found" } }
  if (found.fault !== undefined && path === found.place) return found.fault.reply
  return path === "/v1/customers/"
    ? { status: 201, body: { id: found.customerId, external_id: found.userId, email: `${found.userId}@acme-mail.dev` } }
    : {
        status: 201,
        body: {
          id: found.checkoutId,
          url: `https://polar.sh/checkout/${found.checkoutId}`,
          expires_at: "2027-01-01T00:00:00Z",
          customer_id: found.customerId
        }
      }
}

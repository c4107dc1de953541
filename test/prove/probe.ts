/** Requests that need no database, now and then, whatever goes on: they are answered as ever. */
import { pause } from "./PolarSender.ts"

export interface Probes {
  readonly violations: ReadonlyArray<string>
  readonly count: number
  readonly slowestMillis: number
}

interface Request {
  readonly what: string
  readonly path: string
  readonly init: RequestInit
  readonly status: number
}

const forged = (): Record<string, string> => ({
  "webhook-id": "msg_forged",
  "webhook-timestamp": String(Math.floor(Date.now() / 1000)),
  "webhook-signature": `v1,${Buffer.alloc(32, 1).toString("base64")}`
})

const requests = (): ReadonlyArray<Request> => [
  {
    what: "a forged delivery",
    path: "/auth/polar/webhook",
    init: { method: "POST", headers: forged(), body: "{}" },
    status: 403
  },
  { what: "a subscription of nobody's", path: "/auth/polar/subscription", init: {}, status: 401 },
  { what: "an unknown address", path: "/elsewhere", init: {}, status: 404 }
]

/** Nobody waits longer: Polar does not, nor do people. */
export const boundMillis = 10_000

export const probe = (url: string): { readonly stop: () => Promise<Probes> } => {
  const violations: Array<string> = []
  let count = 0
  let slowestMillis = 0
  let stopped = false
  const ask = async ({ init, path, status, what }: Request): Promise<void> => {
    const startedAt = Date.now()
    count += 1
    try {
      const response = await fetch(`${url}${path}`, { ...init, signal: AbortSignal.timeout(boundMillis) })
      await response.text()
      slowestMillis = Math.max(slowestMillis, Date.now() - startedAt)
      if (response.status !== status)
        violations.push(`${what} was answered ${response.status}, and should be ${status}.`)
    } catch (error) {
      violations.push(`${what} had no answer within ${boundMillis / 1000} s: ${error}.`)
    }
  }
  const running = (async () => {
    while (!stopped) {
      await Promise.all(requests().map(ask))
      await pause(200)
    }
  })()
  return {
    stop: async () => {
      stopped = true
      await running
      return { violations, count, slowestMillis }
    }
  }
}

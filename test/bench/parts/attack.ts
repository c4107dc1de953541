/**
 * What a flood of one stranger, with a core of their own, leaves to others: the median of signed deliveries and of another
 * route, as multiples of what it is in quiet, and the memory that the process takes beyond. Beside it a bare handler.
 */
import { randomBytes, randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { Agent, request } from "node:http"
import { resolve } from "node:path"
import { type Comparison, comparison, type Figure, type MachinePart } from "../Bench.ts"
import { type Child, startChild } from "../Child.ts"
import type { AttackedSettings } from "../children/attacked.ts"
import type { floods as allFloods, Flooded } from "../children/flooder.ts"
import { signatureOf, webhookPath } from "../deliveries.ts"
import { median } from "../statistics.ts"

// By name, since the children's modules start to work when they are loaded.
const floods: typeof allFloods = ["unsigned", "forged", "slow", "chunked", "huge"]
const ours = ["listener", "server"] as const
type Attacked = AttackedSettings["which"]

const subscriptionPath = "/auth/polar/subscription"

/** Milliseconds until the whole answer is there. */
const timed = (agent: Agent, port: number, path: string, headers: Record<string, string>, body?: string) =>
  new Promise<number>((done, fail) => {
    const began = performance.now()
    const method = body === undefined ? "GET" : "POST"
    const sent = request({ agent, port, host: "127.0.0.1", path, method, headers }, (answer) => {
      answer.resume()
      answer.once("end", () => {
        const status = answer.statusCode ?? 0
        if (status === 200) done(performance.now() - began)
        else fail(new Error(`${method} ${path} was answered ${status}`))
      })
    })
    sent.once("error", fail)
    sent.end(body)
  })

interface Medians {
  readonly delivery: number
  readonly route: number
}

const probe = async (port: number, secret: string, body: string, millis: number): Promise<Medians> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const delivery: Array<number> = []
  const route: Array<number> = []
  const end = performance.now() + millis
  try {
    while (performance.now() < end || delivery.length < 3) {
      const id = randomUUID()
      const seconds = Math.floor(Date.now() / 1000)
      const headers = {
        "content-type": "application/json",
        "content-length": String(Buffer.byteLength(body)),
        "webhook-id": id,
        "webhook-timestamp": String(seconds),
        "webhook-signature": signatureOf(secret, id, seconds, body)
      }
      delivery.push(await timed(agent, port, webhookPath, headers, body))
      route.push(await timed(agent, port, subscriptionPath, {}))
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  } finally {
    agent.destroy()
  }
  return { delivery: median(delivery), route: median(route) }
}

interface Turn {
  readonly delivery: number
  readonly route: number
  /** In bytes. */
  readonly memory: number
  readonly flooded: Flooded
}

export const attack: MachinePart = {
  on: "machine",
  name: "attack",
  compares: false,
  run: async ({ progress, scale }) => {
    const secret = `polar_whs_${randomBytes(24).toString("hex")}`
    const body = readFileSync(resolve("test/fixtures/polar-webhooks/subscription.active.json"), "utf8")
    const millis = scale.seconds * 1000

    const turnOf = async (which: Attacked, flood: (typeof floods)[number], flooder: Child): Promise<Turn> => {
      const attacked = await startChild("attacked", { which, secret })
      try {
        const port = await attacked.ask<number>({ what: "port" })
        await probe(port, secret, body, millis)
        const quiet = await probe(port, secret, body, millis)
        const before = await attacked.ask<number>({ what: "rss" })
        await flooder.ask({ what: "start", flood, port })
        await new Promise((resolve) => setTimeout(resolve, millis))
        const busy = await probe(port, secret, body, millis)
        const after = await attacked.ask<number>({ what: "rss" })
        const flooded = await flooder.ask<Flooded>({ what: "stop" })
        return {
          delivery: busy.delivery / quiet.delivery,
          route: busy.route / quiet.route,
          memory: Math.max(0, after - before),
          flooded
        }
      } finally {
        await attacked.stop()
      }
    }

    const comparisons: Array<Comparison> = []
    const figures: Array<Figure> = []
    for (const flood of floods) {
      progress(`attack ${flood}`)
      const turns = new Map<Attacked, Array<Turn>>()
      for (let round = 0; round < scale.rounds; round++) {
        for (const which of [...ours, "bare"] as const) {
          const flooder = await startChild("flooder", {})
          const turn = await turnOf(which, flood, flooder).finally(() => flooder.stop())
          turns.set(which, [...(turns.get(which) ?? []), turn])
        }
      }
      const all = (which: Attacked) => turns.get(which) ?? []
      for (const which of ours) {
        for (const what of ["delivery", "route"] as const) {
          const [mine, theirs] = [all(which), all("bare")].map((some) => some.map((turn) => turn[what]))
          comparisons.push(comparison(`attack.${flood}.${which}.${what}`, "times quiet", mine ?? [], theirs ?? []))
        }
      }
      for (const which of [...ours, "bare"] as const) {
        const some = all(which)
        const key = `attack.${flood}.${which}`
        figures.push(
          { key: `${key}.memory`, unit: "MB above quiet", value: median(some.map(({ memory }) => memory / 2 ** 20)) },
          { key: `${key}.core`, unit: "of the sender's core", value: median(some.map(({ flooded }) => flooded.share)) }
        )
      }
    }
    return { comparisons, figures }
  }
}

/** The verification of a body, against the `standardwebhooks` package, the SDK, and a bare HMAC. */
import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from "node:crypto"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { webhooks } from "@polar-sh/sdk/2026-10"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Webhook } from "standardwebhooks"
import { type Comparison, comparison, type MachinePart } from "../Bench.ts"
import { signatureOf } from "../deliveries.ts"

const sizes = { "1k": 1024, "4k": 4096, "32k": 32_768 } as const

/** An event of exactly this many bytes. */
const bodyOf = (bytes: number): string => {
  const event = (filler: string) =>
    JSON.stringify({ type: "subscription.updated", timestamp: "2026-12-01T00:00:00Z", data: { filler } })
  return event("x".repeat(bytes - event("").length))
}

type Verify = (times: number) => void | Promise<void>

const verifiersOf = async (text: string): Promise<Readonly<Record<string, Verify>>> => {
  const secret = `polar_whs_${randomBytes(24).toString("hex")}`
  const body = Buffer.from(text)
  const id = "3f1c9a52-7b64-4e0d-9d27-0c5b8a1e4f33"
  const seconds = Math.floor(Date.now() / 1000)
  const signature = signatureOf(secret, id, seconds, text)
  const headers = {
    "webhook-id": id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": signature
  }
  const { verify } = await Effect.runPromise(WebhookVerifier.make({ secrets: [Redacted.make(secret)] }))
  const webhook = new Webhook(Buffer.from(secret).toString("base64"))
  const key = createSecretKey(Buffer.from(secret))
  return {
    // In one fiber, as within a request.
    ours: (times) =>
      Effect.runSync(
        Effect.gen(function* () {
          for (let time = 0; time < times; time++) yield* verify({ headers, body })
        })
      ),
    standardwebhooks: (times) => {
      for (let time = 0; time < times; time++) webhook.verify(body, headers, { jsonParse: false })
    },
    // It parses the JSON as well, and there is no other way to ask it.
    sdk: async (times) => {
      for (let time = 0; time < times; time++) await webhooks.validateEvent(body, headers, secret)
    },
    hmac: (times) => {
      for (let time = 0; time < times; time++) {
        const expected = createHmac("sha256", key).update(`${id}.${seconds}.`).update(body).digest("base64")
        if (!timingSafeEqual(Buffer.from(`v1,${expected}`), Buffer.from(signature)))
          throw new Error("it does not match")
      }
    }
  }
}

/** Verifications for each second. */
const rateOf = async (verify: Verify, millis: number): Promise<number> => {
  let times = 0
  const began = performance.now()
  for (;;) {
    await verify(100)
    times += 100
    const passed = performance.now() - began
    if (passed >= millis) return (times / passed) * 1000
  }
}

export const verify: MachinePart = {
  on: "machine",
  name: "verify",
  compares: false,
  run: async ({ progress, scale }) => {
    // Many short turns: a moment in which the machine does something else spoils few of them.
    const millis = scale.seconds * 15
    const turns = scale.rounds * 20
    const comparisons: Array<Comparison> = []
    for (const [size, bytes] of Object.entries(sizes)) {
      const verifiers = await verifiersOf(bodyOf(bytes))
      const rates = new Map<string, Array<number>>(Object.keys(verifiers).map((name) => [name, []]))
      progress(`verify ${size}`)
      for (const run of Object.values(verifiers)) await rateOf(run, millis * 10)
      for (let turn = 0; turn < turns; turn++) {
        for (const [name, run] of Object.entries(verifiers)) rates.get(name)?.push(await rateOf(run, millis))
      }
      const ours = rates.get("ours") ?? []
      for (const [name, all] of rates) {
        if (name !== "ours") comparisons.push(comparison(`verify.${size}.${name}`, "verifications/s", ours, all))
      }
    }
    return { comparisons, figures: [] }
  }
}

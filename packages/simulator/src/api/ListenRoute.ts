/** Events as they happen, for a developer's machine that Polar cannot reach: server-sent events, of all types, to any endpoint or none. */

import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { iso } from "../Calendar.ts"
import type { Engine } from "../Engine.ts"
import type { Emitted } from "../Step.ts"
import { latestVersion } from "../Webhooks.ts"

/** Any one of these. */
export const scopes: ReadonlyArray<string> = ["webhooks:read", "webhooks:write"]

/** The organization's id in the path; `undefined` for another path. */
export const organizationIn = (pathname: string): string | undefined =>
  /^\/v1\/cli\/listen\/([^/]+)$/.exec(pathname)?.[1]?.toLowerCase()

/** Begins with `connected`, and goes on until whoever listens leaves. */
export const listen = (engine: Engine, organizationId: string): Response => {
  const secret = organizationId.replaceAll("-", "")

  const messages = Stream.unwrapScoped(
    Effect.gen(function* () {
      const changes = yield* PubSub.subscribe(engine.changes)
      let seen = (yield* engine.emitted).at(-1)
      const fresh = Effect.map(engine.emitted, (all) => {
        const from = seen === undefined ? 0 : all.lastIndexOf(seen) + 1
        seen = all.at(-1)
        return all.slice(from)
      })
      const now = yield* Clock.currentTimeMillis
      return Stream.fromQueue(changes).pipe(
        Stream.mapEffect(() => fresh),
        Stream.flattenIterables,
        Stream.mapEffect((emitted) => webhookCreated(emitted, secret)),
        (events) => Stream.concat(Stream.make({ key: "connected", ts: new Date(now).toISOString(), secret }), events)
      )
    })
  )
  const body = messages.pipe(
    Stream.map((message) => `data: ${JSON.stringify(message)}\r\n\r\n`),
    Stream.encodeText,
    Stream.toReadableStream()
  )
  return new Response(body, {
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" }
  })
}

/** Signed, too, with the organization's id for a secret. */
const webhookCreated = ({ at, data, type }: Emitted, secret: string) =>
  Effect.gen(function* () {
    const id = yield* uuid
    const payload = JSON.stringify({ type, timestamp: iso(at), api_version: latestVersion, data })
    const timestampSeconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    return {
      id: yield* uuid,
      key: "webhook.created",
      payload: { webhook_event_id: id, payload, triggered: false },
      headers: {
        "user-agent": "polar.sh webhooks",
        "content-type": "application/json",
        ...WebhookVerifier.signedHeaders({ secret, id, timestampSeconds, body: payload, key: "utf8" })
      }
    }
  })

const uuid = Effect.map(Effect.replicateEffect(Random.nextIntBetween(0, 2 ** 16), 8), (parts) => {
  const [a = "", b = "", c = "", d = "", e = "", f = "", g = "", h = ""] = parts.map((part) =>
    part.toString(16).padStart(4, "0")
  )
  return `${a}${b}-${c}-4${d.slice(1)}-8${e.slice(1)}-${f}${g}${h}`
})

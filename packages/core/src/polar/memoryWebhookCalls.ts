/** Webhook endpoints of the Polar in memory: nothing is sent to them, and each has a secret. */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { WebhookEndpoint } from "./PolarApi.ts"
import { type PolarError, PolarNotFound } from "./PolarError.ts"
import type { WebhookCalls } from "./webhookCalls.ts"

interface Memory {
  readonly all: () => ReadonlyArray<WebhookEndpoint>
  readonly put: (endpoint: WebhookEndpoint) => void
  readonly answer: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | PolarError>
  readonly uuid: Effect.Effect<string>
}

export const makeMemoryWebhookCalls = ({ all, answer, put, uuid }: Memory): WebhookCalls => {
  const secrets = new Map<string, Redacted.Redacted>()

  const find = (operation: string, id: string) =>
    Effect.suspend(() => {
      const found = all().find((endpoint) => endpoint.id === id)
      return found === undefined
        ? Effect.fail(new PolarNotFound({ operation, code: "ResourceNotFound" }))
        : Effect.succeed(found)
    })

  const renewed = (id: string) =>
    Effect.map(uuid, (text) => {
      const secret = Redacted.make(`whsec_${Buffer.from(text).toString("base64")}`)
      secrets.set(id, secret)
      return secret
    })

  return {
    createWebhookEndpoint: ({ events, url }) =>
      answer(
        Effect.gen(function* () {
          const endpoint: WebhookEndpoint = { id: yield* uuid, url, enabled: true, format: "raw", events }
          put(endpoint)
          return { endpoint, secret: yield* renewed(endpoint.id) }
        })
      ),
    updateWebhookEndpoint: (id, { enabled, events, format }) =>
      answer(
        Effect.map(find("update webhook endpoint", id), (found) => {
          const endpoint: WebhookEndpoint = {
            ...found,
            enabled: enabled ?? found.enabled,
            format: format ?? found.format,
            events: events ?? found.events
          }
          put(endpoint)
          return endpoint
        })
      ),
    webhookSecret: (id) =>
      answer(
        Effect.flatMap(find("get webhook endpoint", id), () => {
          const known = secrets.get(id)
          return known === undefined ? renewed(id) : Effect.succeed(known)
        })
      ),
    // Nothing is delivered.
    webhookDeliveries: () => answer(Effect.succeed([])),
    renewWebhookSecret: (id) => answer(Effect.zipRight(find("reset webhook secret", id), renewed(id)))
  }
}

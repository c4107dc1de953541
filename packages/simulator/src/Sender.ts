/** Sends what is due to the webhook endpoints: signed, in order where Polar keeps one, again after failures. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Random from "effect/Random"
import * as Chaos from "./Chaos.ts"
import type { Engine } from "./Engine.ts"
import type { WebhookEndpoint, WebhookEvent } from "./Records.ts"
import * as Webhooks from "./Webhooks.ts"

/** One HTTP request as an endpoint in this process gets it; the answer is an HTTP status. */
export type Receiver = (delivery: {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}) => Effect.Effect<number>

export interface Sender {
  /** Sends what is due, and what falls due meanwhile, until nothing is. */
  readonly flush: Effect.Effect<void>
  readonly setChaos: (chaos: Partial<Chaos.Chaos>) => Effect.Effect<void>
  readonly chaos: Effect.Effect<Chaos.Chaos>
  /** Milliseconds until an attempt is due; `undefined` when none is. */
  readonly untilDue: Effect.Effect<number | undefined>
  /** Lets an endpoint be answered in this process. */
  readonly connect: (endpointId: string, receiver: Receiver) => Effect.Effect<void>
}

const timeout = "10 seconds"
const keptResponse = 2048
const encoder = new TextEncoder()

export const make = (engine: Engine): Effect.Effect<Sender, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const client = HttpClient.withTracerDisabledWhen(yield* HttpClient.HttpClient, () => true)
    const receivers = new Map<string, Receiver>()
    const planned = new Set<string>()
    let chaos = Chaos.none
    // One at a time for each endpoint; who comes second finds nothing left to do.
    const turn = yield* Effect.makeSemaphore(1)

    const happens = (share: number) =>
      share <= 0 ? Effect.succeed(false) : Effect.map(Random.next, (random) => random < share)

    const post = (endpoint: WebhookEndpoint, event: WebhookEvent, body: string): Effect.Effect<Webhooks.Outcome> =>
      Effect.gen(function* () {
        // The receiver compares this with its own clock, which knows nothing of the simulator's time.
        const timestampSeconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
        const headers = {
          "user-agent": "polar.sh webhooks",
          "content-type": "application/json",
          ...WebhookVerifier.signedHeaders({
            secret: endpoint.secret,
            id: event.id,
            timestampSeconds,
            body: event.payload,
            key: endpoint.uses_standard_webhook_signature ? "standard" : "utf8"
          })
        }
        const receiver = receivers.get(endpoint.id)
        if (receiver !== undefined) {
          return { http_code: yield* receiver({ headers, body: encoder.encode(body) }), response: null }
        }
        return yield* HttpClientRequest.post(endpoint.url).pipe(
          HttpClientRequest.setHeaders(headers),
          HttpClientRequest.bodyUint8Array(encoder.encode(body), "application/json"),
          client.execute,
          // A redirect is a failure: Polar does not follow it.
          Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }),
          Effect.flatMap((response) =>
            Effect.map(response.text, (text) => ({ http_code: response.status, response: text.slice(0, keptResponse) }))
          ),
          Effect.timeout(timeout),
          Effect.catchAll((error) => Effect.succeed({ http_code: null, response: error._tag })),
          Effect.scoped
        )
      })

    const attempt = (endpoint: WebhookEndpoint, event: WebhookEvent): Effect.Effect<void> =>
      Effect.gen(function* () {
        const lost = yield* happens(chaos.drops)
        const body = (yield* happens(chaos.tampering)) ? Chaos.tampered(event.payload) : event.payload
        const outcome = lost ? { http_code: null, response: "lost on the way" } : yield* post(endpoint, event, body)
        const twice = !lost && (yield* happens(chaos.duplicates))
        if (twice) yield* post(endpoint, event, body)
        const jitter = yield* Random.next
        yield* engine
          .run((step) => Either.right(Webhooks.attempted(event, { ...outcome, copies: twice ? 2 : 1 }, jitter)(step)))
          .pipe(Effect.orDie)
      })

    // What chaos does to an event's place and time is decided once, when it is first seen.
    const plan = (events: ReadonlyArray<WebhookEvent>): Effect.Effect<void> =>
      Effect.gen(function* () {
        for (const event of events) {
          if (event.attempts > 0 || planned.has(event.id)) continue
          planned.add(event.id)
          const position = (yield* happens(chaos.reorder))
            ? event.position + 0.5 + (yield* Random.nextIntBetween(1, 11))
            : event.position
          const late = (yield* happens(chaos.delays)) ? yield* Random.nextIntBetween(0, chaos.longestDelay + 1) : 0
          if (position === event.position && late === 0) continue
          yield* engine
            .run((step) => Either.right(Webhooks.postpone(event.id, position, late * 1000)(step)))
            .pipe(Effect.orDie)
        }
      })

    const due = Effect.flatMap(engine.now, (at) =>
      engine.read(({ tables }) => ({
        endpoints: tables.endpoints,
        events: Webhooks.dueEvents(HashMap.values(tables.events), at)
      }))
    )

    const flush: Effect.Effect<void> = turn.withPermits(1)(
      Effect.gen(function* () {
        while (true) {
          const seen = yield* due
          if (seen.events.length === 0) return
          yield* plan(seen.events)
          const { endpoints, events } = yield* due
          yield* Effect.forEach(
            HashMap.values(endpoints),
            (endpoint) =>
              Effect.forEach(
                events.filter(({ endpoint_id }) => endpoint_id === endpoint.id),
                (event) => attempt(endpoint, event),
                { discard: true }
              ),
            { concurrency: 4, discard: true }
          )
        }
      })
    )

    return {
      flush,
      setChaos: (change) =>
        Effect.sync(() => {
          chaos = { ...chaos, ...change }
        }),
      chaos: Effect.sync(() => chaos),
      untilDue: Effect.flatMap(engine.now, (at) =>
        engine.read(({ tables }) => {
          let earliest: number | undefined
          for (const { due_at } of HashMap.values(tables.events)) {
            if (due_at !== null && (earliest === undefined || due_at < earliest)) earliest = due_at
          }
          return earliest === undefined ? undefined : Math.max(0, Math.ceil((earliest - at) / 1000))
        })
      ),
      connect: (endpointId, receiver) => Effect.sync(() => void receivers.set(endpointId, receiver))
    }
  })

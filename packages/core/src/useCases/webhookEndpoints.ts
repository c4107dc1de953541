/**
 * A look at the organization's webhook endpoints: Polar disables one after ten events that it did not take, and never
 * delivers by itself what it has given up on (Polar docs: webhooks/delivery).
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { PolarClient, UndeliveredEvent, WebhookEndpoint } from "../polar/PolarClient.ts"
import type { PolarError } from "../polar/PolarError.ts"
import { patiently } from "../polar/patiently.ts"
import { handledEventTypes, isNewEventType } from "../records/handledEventTypes.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { hrefOf, pathOf } from "./endpointAddress.ts"
import type { EndpointReport, WebhookReport } from "./ReconcileReport.ts"

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  /** The address of this app's endpoint, as Polar has it. */
  readonly webhookUrl: string | undefined
}

const day = 86_400_000

/** How far back events are asked for again. What is older, the comparison of records has made good. */
const horizon = 30 * day

/** As many events in one go; the rest the next time. */
const redeliveryLimit = 1000

/** Where the plugin's route ends, whatever the base path before it. */
const ownPath = "/auth/polar/webhook"

export const makeWebhookCheck = ({ client, store, webhookUrl }: Ports) => {
  const isOwn = ({ url }: WebhookEndpoint): boolean =>
    webhookUrl === undefined ? pathOf(url).endsWith(ownPath) : hrefOf(url) === hrefOf(webhookUrl)

  /** Those that the inbox does not have, or could not read. */
  const unknown = (events: Chunk.Chunk<UndeliveredEvent>): Effect.Effect<ReadonlyArray<UndeliveredEvent>, StoreError> =>
    Effect.map(
      store.deliveries({
        ids: Chunk.toReadonlyArray(events).map(({ id }) => id),
        limit: Chunk.size(events),
        decrypt: false
      }),
      (recorded) => {
        const known = new Set(recorded.filter(({ state }) => state !== "failed").map(({ id }) => id))
        return Chunk.toReadonlyArray(events).filter(({ id }) => !known.has(id))
      }
    )

  const undelivered = (endpoint: WebhookEndpoint, since: Date) =>
    client.undeliveredEvents(endpoint.id, since).pipe(
      Stream.grouped(100),
      // What the inbox has does not count: it would hide the older ones that it lacks.
      Stream.mapEffect(unknown),
      Stream.flattenIterables,
      Stream.take(redeliveryLimit),
      Stream.grouped(redeliveryLimit),
      Stream.map(Chunk.toReadonlyArray),
      Stream.runFold([] as ReadonlyArray<UndeliveredEvent>, (all, some) => [...all, ...some])
    )

  const check = (endpoint: WebhookEndpoint, dryRun: boolean): Effect.Effect<EndpointReport, PolarError | StoreError> =>
    Effect.gen(function* () {
      const { enabled, format, id, url } = endpoint
      const own = isOwn(endpoint)
      const missingTypes = own
        ? handledEventTypes.filter((type) => !endpoint.events.includes(type) && !isNewEventType(type))
        : []
      const now = yield* Clock.currentTimeMillis
      const events = own && format === "raw" ? yield* undelivered(endpoint, new Date(now - horizon)) : []
      // A disabled endpoint gets nothing, whatever is asked.
      const asked = dryRun || !enabled ? [] : events
      yield* Effect.forEach(asked, (event) => patiently(client.redeliver(event.id)), { discard: true })
      if (own && !enabled) {
        yield* Effect.logError(
          `Polar has disabled the webhook endpoint ${url} after too many failures: no event arrives any more. Run: kavach-polar setup`
        )
      }
      return {
        id,
        url,
        isOwn: own,
        enabled,
        format,
        missingTypes,
        undelivered: events.length,
        redelivered: asked.length
      }
    })

  return ({ dryRun }: { readonly dryRun: boolean }): Effect.Effect<WebhookReport, PolarError | StoreError> =>
    Effect.gen(function* () {
      const endpoints = yield* patiently(client.webhookEndpoints)
      const reports = yield* Effect.forEach(endpoints, (endpoint) => check(endpoint, dryRun))
      return { notChecked: null, endpoints: reports }
    }).pipe(
      // Subscriptions were compared without it, so a token that may not look here is no failure.
      Effect.catchTag("PolarForbidden", (error) => Effect.succeed({ notChecked: error.message, endpoints: [] })),
      Effect.withSpan("Billing.checkWebhooks")
    )
}

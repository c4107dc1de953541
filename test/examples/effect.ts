import { FetchHttpClient, HttpApiBuilder, HttpServer } from "@effect/platform"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import {
  Billing,
  Maintenance,
  NotificationDispatcher,
  PolarClient,
  SubscriptionListener,
  WebhookVerifier
} from "@kavach-polar/core"
import * as ApiLayer from "@kavach-polar/http/ApiLayer"
import * as Endpoints from "@kavach-polar/http/Endpoints"
import * as Session from "@kavach-polar/http/Session"
import { Config, Effect, Layer, Option } from "effect"

const Store = SqliteStore.layer({ filename: "billing.sqlite" })

const Client = PolarClient.layerConfig({
  accessToken: Config.redacted("POLAR_ACCESS_TOKEN"),
  sandbox: Config.withDefault(Config.boolean("POLAR_SANDBOX"), false)
}).pipe(Layer.provide(FetchHttpClient.layer))

const Verifier = WebhookVerifier.layerConfig({
  secrets: Config.map(Config.redacted("POLAR_WEBHOOK_SECRET"), (secret) => [secret])
})

const Listener = SubscriptionListener.layer(({ subscription, userId }) =>
  Effect.logInfo(`${userId} is now ${subscription.status}`)
)

const Dispatcher = NotificationDispatcher.layer().pipe(Layer.provide([Store, Listener]))

export const BillingLive = Billing.layer().pipe(Layer.provide([Store, Client, Verifier, Dispatcher]))

// Now and then: forget old bodies, link users who came later, and compare everything with Polar.
const Upkeep = Maintenance.layer({ reconcileEvery: "24 hours" }).pipe(Layer.provide([BillingLive, Store]))

// Your own sessions: whom does this request come from?
const SessionLive = Session.layer((request) =>
  Effect.succeed(Option.map(Option.fromNullable(request.headers["x-user"]), (id) => ({ id })))
)

export const ApiLive = ApiLayer.layerApi.pipe(
  Layer.provide(Endpoints.layer({ trustedOrigins: ["https://app.example.com"] })),
  Layer.provide([BillingLive, SessionLive])
)

export const { dispose, handler } = HttpApiBuilder.toWebHandler(
  Layer.mergeAll(ApiLive, Upkeep, HttpServer.layerContext)
)

// At start: create or upgrade the tables, and take up notifications that an earlier run left.
export const start = Effect.flatMap(Billing.Billing, (billing) => billing.start)

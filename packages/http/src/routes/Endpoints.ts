/** What each route does with a request. They never fail: what goes wrong is an answer too. */
import type { IncomingMessage } from "node:http"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Billing } from "@kavach-polar/core/Billing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { makeBrowserRequests } from "./browserRequests.ts"
import { orErrorResponse } from "./errorResponse.ts"
import { Session } from "./Session.ts"
import { makeWebhookRequests } from "./webhookRequests.ts"

export interface EndpointOptions {
  /** Origins that a buyer may be sent back to, such as `https://app.example.com`. Default: any http(s) URL. */
  readonly trustedOrigins?: ReadonlyArray<string> | undefined
  /** The largest delivery that is read, in bytes. Default 1 MiB. */
  readonly webhookBodyLimit?: number | undefined
}

type Route = (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<HttpServerResponse.HttpServerResponse>

export class Endpoints extends Context.Tag("@kavach-polar/http/Endpoints")<
  Endpoints,
  {
    readonly checkout: Route
    readonly subscription: Route
    readonly webhook: Route
    /** The same as `webhook`, for a request of Node's own server. */
    readonly nodeWebhook: (incoming: IncomingMessage) => Effect.Effect<HttpServerResponse.HttpServerResponse>
  }
>() {}

const make = ({ trustedOrigins, webhookBodyLimit = 1024 * 1024 }: EndpointOptions = {}) =>
  Effect.gen(function* () {
    const billing = yield* Billing
    const browser = makeBrowserRequests({ billing, session: yield* Session, trustedOrigins })
    const polar = makeWebhookRequests(billing, webhookBodyLimit)
    return {
      checkout: (request) => orErrorResponse(browser.checkout(request)),
      subscription: (request) => orErrorResponse(browser.subscription(request)),
      webhook: (request) => orErrorResponse(polar.webhook(request)),
      nodeWebhook: (incoming) => orErrorResponse(polar.nodeWebhook(incoming))
    } satisfies Context.Tag.Service<typeof Endpoints>
  })

export const layer = (options?: EndpointOptions): Layer.Layer<Endpoints, never, Billing | Session> =>
  Layer.effect(Endpoints, make(options))

/** What each route does with a request. They never fail: what goes wrong is an answer too. */
import type { IncomingMessage } from "node:http"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Billing, type BillingService } from "@kavach-polar/core/Billing"
import * as Options from "@kavach-polar/core/Options"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import { makeAccessRequest } from "./accessRequest.ts"
import type { Authorize } from "./authorize.ts"
import { makeBrowserRequests } from "./browserRequests.ts"
import { makeCaller } from "./caller.ts"
import { orErrorResponse, respondWith } from "./errorResponse.ts"
import { healthAnswer } from "./healthAnswer.ts"
import { makeRefusalLog } from "./refusalLog.ts"
import { routesOption } from "./routesOption.ts"
import { type BrowserRoute, isHealthOn, isOn, type RoutesOption } from "./routeTable.ts"
import { Session } from "./Session.ts"
import { makeStrangers } from "./strangers.ts"
import { makeSubscriptionRequests } from "./subscriptionRequests.ts"
import { makeWebhookRequests } from "./webhookRequests.ts"

/**
 * @example
 * Endpoints.layer({
 *   trustedOrigins: ["https://app.example.com"],
 *   routes: { benefits: false, orders: false },
 *   webhookBodyLimitBytes: 256 * 1024
 * })
 */
export interface EndpointOptions {
  /**
   * Origins that a buyer may be sent back to, and whose pages may ask for a checkout, such as `https://app.example.com`.
   * Default: the one that the request came to.
   */
  readonly trustedOrigins?: ReadonlyArray<string> | undefined
  /** Routes that are off answer 404. Default: all are on, but for `health`. */
  readonly routes?: RoutesOption | undefined
  /**
   * Asked before a route does anything about the user's subscription. Default: a user may do what concerns their own.
   *
   * @example
   * Endpoints.layer({ authorize: (action, { user }) => Effect.succeed(action !== "cancel" || user.emailVerified === true) })
   */
  readonly authorize?: Authorize | undefined
  /** The largest delivery that is read. Default 1 MiB. */
  readonly webhookBodyLimitBytes?: number | undefined
}

type Route = (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<HttpServerResponse.HttpServerResponse>

export class Endpoints extends Context.Tag("@kavach-polar/http/Endpoints")<
  Endpoints,
  Readonly<Record<BrowserRoute, Route>> & {
    readonly webhook: Route
    readonly health: Route
    /** What the checkout route sells: see `BillingService`. */
    readonly catalogue: BillingService["catalogue"]
    /** The same as `webhook`, for a request of Node's own server. */
    readonly nodeWebhook: (incoming: IncomingMessage) => Effect.Effect<HttpServerResponse.HttpServerResponse>
  }
>() {}

const switchedOff = Effect.succeed(respondWith({ status: 404, error: "Not found" }))

const make = ({ authorize, routes, trustedOrigins, webhookBodyLimitBytes = 1024 * 1024 }: EndpointOptions = {}) =>
  Effect.gen(function* () {
    const billing = yield* Billing
    const logRefusal = yield* makeRefusalLog
    const answered = (route: Parameters<typeof orErrorResponse<never>>[0]) => orErrorResponse(route, logRefusal)
    const caller = makeCaller({ session: yield* Session, trustedOrigins })
    const browser = {
      ...makeBrowserRequests({ billing, caller }),
      ...makeAccessRequest({ billing, caller }),
      ...makeSubscriptionRequests({ billing, caller, authorize })
    }
    const polar = makeWebhookRequests({ billing, limit: webhookBodyLimitBytes, strangers: makeStrangers() })
    return {
      ...Record.map(
        browser,
        (route, name): Route => (isOn(name, routes) ? (request) => answered(route(request)) : () => switchedOff)
      ),
      catalogue: billing.catalogue,
      health: () => (isHealthOn(routes) ? healthAnswer(billing) : switchedOff),
      webhook: (request) => answered(polar.webhook(request)),
      nodeWebhook: (incoming) => answered(polar.nodeWebhook(incoming))
    } satisfies Context.Tag.Service<typeof Endpoints>
  })

const endpointOptions: Schema.Schema<EndpointOptions> = Schema.Struct({
  trustedOrigins: Options.optional(Options.listOfTexts),
  routes: Options.optional(routesOption),
  authorize: Options.optional(Options.callback<Authorize>()),
  webhookBodyLimitBytes: Options.optional(Options.positiveWhole("a number of bytes"))
})

const checkOptions = Options.optionsCheck("Endpoints.layer()", endpointOptions)

/**
 * Throws an `InvalidOption` for options that there are not.
 *
 * @example
 * Endpoints.layer({ trustedOrigins: ["https://app.example.com"] })
 */
export const layer = (options?: EndpointOptions): Layer.Layer<Endpoints, never, Billing | Session> => {
  checkOptions(options)
  return Layer.scoped(Endpoints, make(options))
}

/**
 * Whether the signed-in user may use what they pay for, for pages to show the right thing:
 *
 *     GET /auth/polar/access                            by any product that the app sells
 *     GET /auth/polar/access?product=pro&product=team   by one of these: their ids at Polar, or the app's names for them
 *
 * Read from the own store. A page protects nothing: what is paid for is guarded where it is served.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { BillingService } from "@kavach-polar/core/Billing"
import * as Effect from "effect/Effect"
import { type makeCaller, ownData } from "./caller.ts"
import { InvalidRequest, type RouteError } from "./errorResponse.ts"
import { isPolarId } from "./polarId.ts"
import { queryOf } from "./requestUrl.ts"

export interface AccessRequest {
  readonly access: (
    request: HttpServerRequest.HttpServerRequest
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse, RouteError>
}

export interface AccessRequestOptions {
  readonly billing: BillingService
  readonly caller: ReturnType<typeof makeCaller>
}

export const makeAccessRequest = ({ billing, caller }: AccessRequestOptions): AccessRequest => {
  const offered = (asked: string): Effect.Effect<string, InvalidRequest> => {
    const id =
      typeof billing.catalogue === "object" ? billing.catalogue.offered(asked) : isPolarId(asked) ? asked : undefined
    return id === undefined
      ? new InvalidRequest({ problem: "Invalid product: there is no such product" })
      : Effect.succeed(id)
  }

  return {
    access: (request) =>
      Effect.gen(function* () {
        const user = yield* caller.signedIn(request)
        const products = yield* Effect.forEach(queryOf(request).getAll("product"), offered)
        const access = yield* billing.access(user.id, products.length === 0 ? {} : { products })
        return ownData({ hasAccess: access.entitlement !== "denied", ...access })
      })
  }
}

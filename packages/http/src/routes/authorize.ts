/** The app's own word on what a signed-in user may do by a route. */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type { Subscription } from "@kavach-polar/core/Subscription"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SessionUser } from "./Session.ts"

export type RouteAction =
  | "change"
  | "preview"
  | "cancel"
  | "uncancel"
  | "pause"
  | "resume"
  | "portal"
  | "completeCheckout"

export interface AskedFor {
  readonly subscriptionId?: string | undefined
  readonly productId?: string | undefined
  readonly seats?: number | undefined
  readonly units?: number | undefined
  readonly reason?: string | undefined
  readonly comment?: string | undefined
  readonly resumesAt?: Date | undefined
  readonly returnUrl?: string | undefined
  readonly checkoutId?: string | undefined
}

export interface RouteCall<Request> {
  readonly user: SessionUser
  /** Without its body, which has been read: `asked` is what it says. */
  readonly request: Request
  /** What is asked for: the checked body, such as `{ productId, seats }`; of `completeCheckout` the `checkoutId`. */
  readonly asked: AskedFor
  /** The one that is meant, if the user has it: the newest that is live, unless the request names another. */
  readonly subscription: Subscription | null
}

/** What the app's own `authorize` threw. */
export class AuthorizationFailed extends Schema.TaggedError<AuthorizationFailed>()("AuthorizationFailed", {
  cause: Schema.Defect
}) {
  override get message(): string {
    return "The app's authorize() failed, so the route did nothing."
  }
}

export type Authorize = (
  action: RouteAction,
  call: RouteCall<HttpServerRequest.HttpServerRequest>
) => Effect.Effect<boolean, AuthorizationFailed>

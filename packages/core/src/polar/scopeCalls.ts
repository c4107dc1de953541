/** What the access token may do, found out without doing it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { PolarError } from "./PolarError.ts"
import type { PolarHttp } from "./polarHttp.ts"

/** Scopes for what this package changes at Polar. */
export const writingScopes = [
  "checkouts:write",
  "customers:write",
  "customer_sessions:write",
  "subscriptions:write",
  "refunds:write"
] as const
export type WritingScope = (typeof writingScopes)[number]

export interface ScopeCalls {
  /**
   * Whether the token has the scope. Polar tells nobody the scopes of a token, but looks at them before it looks at what is asked:
   * so it is asked for what no request can ask, and refuses the one or the other.
   */
  readonly mayWrite: (scope: WritingScope) => Effect.Effect<boolean, PolarError>
}

const nobody = "00000000-0000-4000-8000-000000000000"

const requests: Readonly<Record<WritingScope, { readonly method: "POST" | "PATCH"; readonly path: string }>> = {
  "checkouts:write": { method: "POST", path: "/v1/checkouts/" },
  "customers:write": { method: "POST", path: "/v1/customers/" },
  "customer_sessions:write": { method: "POST", path: "/v1/customer-sessions/" },
  "subscriptions:write": { method: "PATCH", path: `/v1/subscriptions/${nobody}` },
  "refunds:write": { method: "POST", path: "/v1/refunds/" }
}

export const makeScopeCalls = (call: PolarHttp["call"]): ScopeCalls => ({
  mayWrite: Effect.fn("PolarClient.mayWrite")((scope) =>
    // A list is no request of any call: no version of the API can take it.
    call({ operation: `look for ${scope}`, ...requests[scope], body: [] }, Schema.Unknown).pipe(
      Effect.as(true),
      Effect.catchIf(
        (error) => error._tag === "PolarRejected" || error._tag === "PolarNotFound",
        () => Effect.succeed(true)
      ),
      Effect.catchIf(
        (error) => error._tag === "PolarForbidden" && error.code === "insufficient_scope",
        () => Effect.succeed(false)
      )
    )
  )
})

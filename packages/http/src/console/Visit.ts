/** One request to the console, by somebody who may. */
import type { BillingService } from "@kavach-polar/core/Billing"
import type * as Effect from "effect/Effect"
import type { ConsoleViewer } from "./ConsoleOptions.ts"

export interface Visit {
  readonly viewer: ConsoleViewer
  readonly query: URLSearchParams
  readonly run: <A, E>(use: (billing: BillingService) => Effect.Effect<A, E>) => Promise<A>
  /** What a form of this viewer's must hold. */
  readonly token: string
}

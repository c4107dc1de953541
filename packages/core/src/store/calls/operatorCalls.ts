/** What people look into and do: search, histories, figures, and the audit trail. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { randomId } from "../../runtime/randomId.ts"
import type { BillingStoreService } from "../BillingStoreService.ts"
import type { DriverCalls } from "./driverCalls.ts"

export const operatorCalls = ({ ask, attempt, driver, span }: DriverCalls) =>
  ({
    lookUp: (query) => ask("lookUp", () => driver.lookUp(query)),

    historyOf: (query) => ask("historyOf", () => driver.historyOf(query)),

    perHour: ({ count, from }) => ask("perHour", () => driver.perHour({ from: from.getTime(), count })),

    recordAction: (action) =>
      Effect.gen(function* () {
        const row = { ...action, id: yield* randomId, at: yield* Clock.currentTimeMillis }
        yield* ask("recordAction", () => driver.recordAction(row))
        return { ...row, at: new Date(row.at) }
      }),

    finishAction: (action) => ask("finishAction", () => driver.recordAction({ ...action, at: action.at.getTime() })),

    actions: ({ following, limit = 100, subject } = {}) =>
      attempt("actions", () =>
        driver.actions({
          subject,
          after: following === undefined ? undefined : { at: following.at.getTime(), id: following.id },
          limit
        })
      ).pipe(
        Effect.map((rows) => rows.map((row) => ({ ...row, at: new Date(row.at) }))),
        span("actions")
      )
  }) satisfies Partial<BillingStoreService>

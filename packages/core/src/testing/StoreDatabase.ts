/** The database behind a store under test, seen past the store. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/** The `polar_*` columns of a row of `kavach_users`, whatever their types are there. */
export interface Projection {
  readonly customerId: string | null
  readonly subscriptionId: string | null
  readonly status: string | null
  readonly productId: string | null
  /** Epoch milliseconds, down to the whole second, which every type of column holds. */
  readonly currentPeriodEnd: number | null
  readonly cancelAtPeriodEnd: boolean
}

/** The tables that steps write. */
export const writtenTables = [
  "kavach_polar_deliveries",
  "kavach_polar_records",
  "kavach_polar_customers",
  "kavach_polar_notifications",
  "kavach_users"
] as const
export type WrittenTable = (typeof writtenTables)[number] | "kavach_polar_checkouts"

export class StoreDatabase extends Context.Tag("@kavach-polar/core/testing/StoreDatabase")<
  StoreDatabase,
  {
    /** Reads the user's row with plain SQL; `undefined` without a row. */
    readonly projection: (userId: string) => Effect.Effect<Projection | undefined>
    /** All rows of one of the store's tables, or of `kavach_users`, with plain SQL. */
    readonly rows: (table: string) => Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>>
    /** Writes a customer id into the user's row, as an earlier billing plugin may have done. */
    readonly showCustomer: (userId: string, customerId: string) => Effect.Effect<void>
    /** Makes every write to the table fail until the scope ends. */
    readonly breakTable: (table: WrittenTable) => Effect.Effect<void, never, Scope.Scope>
  }
>() {}

/** For a store without one: no case asks it. */
export const noDatabase: Layer.Layer<StoreDatabase> = Layer.sync(StoreDatabase, () => {
  const none = () => {
    throw new Error("this store has no database")
  }
  return { projection: none, rows: none, showCustomer: none, breakTable: none }
})

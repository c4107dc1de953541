/** What a store says of its database, for people. */
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { BillingStore } from "../../store/BillingStore.ts"
import type { ContractSuite } from "../ContractSuite.ts"

export const inspection = ({ hasDatabase, it }: ContractSuite): void => {
  it.effect("of a database that is whole nothing is said", () =>
    Effect.gen(function* () {
      const { denied, missingIndexes, users } = yield* Effect.flatMap(BillingStore, (store) => store.inspect)
      expect({ denied, missingIndexes }).toEqual({ denied: [], missingIndexes: [] })
      // A host's table may have a column that is left alone.
      if (hasDatabase) expect(users).toMatchObject({ table: "kavach_users", problem: null, unindexed: [] })
      else expect(users).toBeNull()
    })
  )
}

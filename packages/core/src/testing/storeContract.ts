/**
 * The promises of the store's port, one by one, for every store there is.
 *
 * A store is handed over as a layer that has migrated it and made a row in `kavach_users` for each of the given users.
 * Cases make new ids and empty no table, so the suite can run against a server that holds other data. They run one after
 * the other, because the queue of notifications is one for all.
 */
import { describe, layer } from "@effect/vitest"
import * as Layer from "effect/Layer"
import type { User } from "../records/Subscription.ts"
import type { BillingStore } from "../store/BillingStore.ts"
import { type ContractSuite, makeUsers } from "./ContractSuite.ts"
import { atomicity } from "./contract/atomicity.ts"
import { duplicates } from "./contract/duplicates.ts"
import { identity } from "./contract/identity.ts"
import { inbox } from "./contract/inbox.ts"
import { jobs } from "./contract/jobs.ts"
import { lifecycle } from "./contract/lifecycle.ts"
import { notifications } from "./contract/notifications.ts"
import { order } from "./contract/order.ts"
import { projection } from "./contract/projection.ts"
import { records } from "./contract/records.ts"
import { replay } from "./contract/replay.ts"
import { roundTrip } from "./contract/roundTrip.ts"
import { sameAsMemory } from "./contract/sameAsMemory.ts"
import { snapshots } from "./contract/snapshots.ts"
import { noDatabase, type StoreDatabase } from "./StoreDatabase.ts"

export type StoreUnderTest =
  | {
      readonly name: string
      /** There is a database that a case can look into and break. */
      readonly hasDatabase: true
      readonly layer: (users: ReadonlyArray<User>) => Layer.Layer<BillingStore | StoreDatabase, unknown>
    }
  | {
      readonly name: string
      /** What only a database can show is left out. */
      readonly hasDatabase: false
      readonly layer: (users: ReadonlyArray<User>) => Layer.Layer<BillingStore, unknown>
    }

export const storeContract = (store: StoreUnderTest): void => {
  const users = makeUsers()
  const unused = users.values()
  const nextUser = () => {
    const next = unused.next()
    if (next.done === true) throw new Error("the contract needs more users than makeUsers makes")
    return next.value
  }
  const underTest = store.hasDatabase ? store.layer(users) : Layer.merge(store.layer(users), noDatabase)
  describe(`store contract: ${store.name}`, () => {
    layer(underTest, { timeout: "60 seconds" })((it) => {
      const suite: ContractSuite = { it, nextUser, hasDatabase: store.hasDatabase }
      describe("lifecycle", () => lifecycle(suite))
      describe("duplicates", () => duplicates(suite))
      describe("order", () => order(suite))
      describe("identity", () => identity(suite))
      describe("orders and refunds", () => records(suite))
      describe("projection", () => projection(suite))
      describe("atomicity", () => atomicity(suite))
      describe("notifications", () => notifications(suite))
      describe("inbox", () => inbox(suite))
      describe("replay", () => replay(suite))
      describe("snapshots", () => snapshots(suite))
      describe("jobs", () => jobs(suite))
      describe("round trip", () => roundTrip(suite))
      describe("any sequence of calls", () => sameAsMemory(suite))
    })
  })
}

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
import { actions } from "./contract/actions.ts"
import { atomicity } from "./contract/atomicity.ts"
import { benefits } from "./contract/benefits.ts"
import { bodies } from "./contract/bodies.ts"
import { changedUsers } from "./contract/changedUsers.ts"
import { clock } from "./contract/clock.ts"
import { customerStates } from "./contract/customerStates.ts"
import { duplicates } from "./contract/duplicates.ts"
import { erasure } from "./contract/erasure.ts"
import { handlers } from "./contract/handlers.ts"
import { identity } from "./contract/identity.ts"
import { inbox } from "./contract/inbox.ts"
import { inspection } from "./contract/inspection.ts"
import { jobs } from "./contract/jobs.ts"
import { allKinds } from "./contract/kinds.ts"
import { licenseKeys } from "./contract/licenseKeys.ts"
import { lifecycle } from "./contract/lifecycle.ts"
import { notifications } from "./contract/notifications.ts"
import { operators } from "./contract/operators.ts"
import { order } from "./contract/order.ts"
import { privacy } from "./contract/privacy.ts"
import { projection } from "./contract/projection.ts"
import { records } from "./contract/records.ts"
import { replay } from "./contract/replay.ts"
import { retention } from "./contract/retention.ts"
import { roundTrip } from "./contract/roundTrip.ts"
import { sameAsMemory } from "./contract/sameAsMemory.ts"
import { snapshots } from "./contract/snapshots.ts"
import { soldElsewhere } from "./contract/soldElsewhere.ts"
import { timeline } from "./contract/timeline.ts"
import { whoPaid } from "./contract/whoPaid.ts"
import { noDatabase, type StoreDatabase } from "./StoreDatabase.ts"

export type StoreUnderTest =
  | {
      readonly name: string
      /** There is a database that a case can look into and break. */
      readonly hasDatabase: true
      /** The database is JavaScript or WebAssembly in this process, and so has no clock of its own. */
      readonly sharesClock?: true
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
  // A case may make hundreds of steps, and a database may share the thread.
  describe(`store contract: ${store.name}`, { timeout: 60_000 }, () => {
    layer(underTest, { timeout: "60 seconds" })((it) => {
      const suite: ContractSuite = {
        it,
        nextUser,
        hasDatabase: store.hasDatabase,
        hasOwnClock: store.hasDatabase && store.sharesClock !== true
      }
      // They read whole tables, again and again, while there is little in them.
      describe("privacy", () => privacy(suite))
      describe("erasure", () => erasure(suite))
      describe("lifecycle", () => lifecycle(suite))
      describe("duplicates", () => duplicates(suite))
      describe("order", () => order(suite))
      describe("identity", () => identity(suite))
      describe("who paid", () => whoPaid(suite))
      describe("sold elsewhere", () => soldElsewhere(suite))
      describe("operators", () => operators(suite))
      describe("actions", () => actions(suite))
      describe("timeline", () => timeline(suite))
      describe("orders and refunds", () => records(suite))
      describe("benefits", () => benefits(suite))
      describe("customer states", () => customerStates(suite))
      describe("every kind of record", () => allKinds(suite))
      describe("license keys", () => licenseKeys(suite))
      describe("projection", () => projection(suite))
      describe("the clock", () => clock(suite))
      describe("atomicity", () => atomicity(suite))
      describe("notifications", () => notifications(suite))
      describe("handlers", () => handlers(suite))
      describe("inbox", () => inbox(suite))
      describe("retention", () => retention(suite))
      describe("replay", () => replay(suite))
      describe("snapshots", () => snapshots(suite))
      describe("inspection", () => inspection(suite))
      describe("jobs", () => jobs(suite))
      describe("round trip", () => roundTrip(suite))
      describe("any sequence of calls", () => sameAsMemory(suite))
      // They move the clock, which is one for all.
      describe("changed users", () => changedUsers(suite))
      describe("bodies", () => bodies(suite))
    })
  })
}

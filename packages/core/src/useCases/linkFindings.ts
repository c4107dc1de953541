/** Customers that are linked to somebody else than Polar has them for. */
import * as Effect from "effect/Effect"
import type { PolarClient } from "../polar/PolarClient.ts"
import { customerKind } from "../records/Customer.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import { CustomerId, isUserId } from "../values/ids.ts"
import { type Finding, fine, unknown, warning } from "./diagnosis.ts"

interface Ports {
  readonly client: Pick<typeof PolarClient.Service, "recordPage">
  readonly store: Pick<BillingStoreService, "knownUsers" | "ownershipOf" | "usersOfCustomer">
}

/**
 * Of Polar's newest customers those whose external id is one of the app's users, and who are linked to another one. Where an
 * operator has moved the customer it is meant so.
 */
export const makeLinkFindings = ({ client, store }: Ports): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.gen(function* () {
    const { snapshots } = yield* client.recordPage(customerKind, { newestFirst: true }, 1)
    const named = snapshots.flatMap(({ report }) => {
      const externalId = report.customer?.externalId
      return report.live && isUserId(externalId) ? [{ id: CustomerId.make(report.id), externalId }] : []
    })
    const known = yield* store.knownUsers(named.map(({ externalId }) => externalId))
    const found = yield* Effect.forEach(
      named.filter(({ externalId }) => known.has(externalId)),
      ({ externalId, id }) =>
        Effect.gen(function* () {
          const users = yield* store.usersOfCustomer(id)
          if (users.size === 0 || users.has(externalId)) return []
          const [other] = users
          if (other === undefined) return []
          const { changes } = yield* store.ownershipOf(other)
          if (changes.some(({ action, customerId }) => action === "move" && customerId === id)) return []
          return [
            warning(
              "links",
              `Customer ${id} is linked to user ${other}, and at Polar it is user ${externalId}'s.`,
              `What ${externalId} pays for, ${other} gets.`,
              `kavach-polar customers move ${id} --user ${externalId}`
            )
          ]
        }),
      { concurrency: 4 }
    )
    const wrong = found.flat()
    return wrong.length > 0 ? wrong : [fine("links", "Customers are linked to the users whom Polar has them for.")]
  }).pipe(
    // That a scope is missing is said once.
    Effect.catchTag("PolarForbidden", () => Effect.succeed([])),
    Effect.catchAll(({ message }) => Effect.succeed([unknown("links", message)]))
  )

/** Which of the users that Polar names are this app's: asked before a step, which looks only at what the store knows. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Delivery } from "../records/Delivery.ts"
import type { AppUsers } from "../rules/identity.ts"
import { asUserId } from "../rules/identity.ts"
import type { OwnershipEvidence } from "../steps/keys.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import type { UserId } from "../values/ids.ts"

/** The app could not say whether a user exists. Nothing was written; try again. */
export class UserLookupFailed extends Schema.TaggedError<UserLookupFailed>()("UserLookupFailed", {
  cause: Schema.Defect
}) {
  override get message(): string {
    return "userExists() failed or did not answer within three seconds, so nobody can say whose this is; nothing was written. Try again."
  }
}

export interface AppUsersOptions {
  /** See `AppUsers`. */
  readonly externalIds?: AppUsers["externalIds"]
  /** Whether the app has this user. Asked only of users of whom the store knows nothing. */
  readonly userExists?: ((userId: UserId) => Effect.Effect<boolean, unknown>) | undefined
}

/** What is wrong with a `userExists` beside `externalIds: "trust"`. */
export const asksNobody = '"trust" asks nobody, so userExists would be without effect. Leave one of them out'

/** Less than what a delivery has until it must be stored. */
const patience = Duration.seconds(3)

const concurrency = 8

export interface AskAppUsers {
  /** What holds whomever Polar names. */
  readonly users: AppUsers
  /** The same, and whom of these the app says to exist. */
  readonly among: (named: ReadonlySet<UserId>) => Effect.Effect<AppUsers, UserLookupFailed | StoreError>
  /** Whether the app has a user for whom it asks: it does, unless it can be asked and says otherwise. */
  readonly has: (userId: UserId) => Effect.Effect<boolean, UserLookupFailed | StoreError>
}

export const makeAppUsers = (
  store: Pick<BillingStoreService, "knownUsers">,
  { externalIds, userExists }: AppUsersOptions
): AskAppUsers => {
  // Who asks the app has said that users live elsewhere, and that they can be asked for.
  const users: AppUsers = { externalIds: externalIds ?? (userExists === undefined ? undefined : "known") }
  if (userExists === undefined || externalIds === "trust") {
    return { users, among: () => Effect.succeed(users), has: () => Effect.succeed(true) }
  }
  const look = (named: ReadonlySet<UserId>) =>
    Effect.gen(function* () {
      const known = yield* store.knownUsers([...named])
      const unknown = [...named].filter((userId) => !known.has(userId))
      const existing = yield* Effect.filter(unknown, userExists, { concurrency }).pipe(
        Effect.timeout(patience),
        Effect.catchAllCause((cause) => Effect.fail(new UserLookupFailed({ cause })))
      )
      return { known, existing: new Set(existing) }
    }).pipe(Effect.withSpan("Billing.userExists"))
  return {
    users,
    among: (named) =>
      named.size === 0 ? Effect.succeed(users) : Effect.map(look(named), ({ existing }) => ({ ...users, existing })),
    has: (userId) =>
      Effect.map(look(new Set([userId])), ({ existing, known }) => known.has(userId) || existing.has(userId))
  }
}

/** The users that a record and its customer name. */
export const usersNamedBy = ({
  customer,
  metadataUserId
}: Pick<OwnershipEvidence, "customer" | "metadataUserId">): ReadonlyArray<UserId> => {
  const external = asUserId(customer.externalId)
  return [...(external === null ? [] : [external]), ...(metadataUserId === null ? [] : [metadataUserId])]
}

/** The users that a delivery names. */
export const usersNamedIn = ({ content }: Pick<Delivery, "content">): ReadonlyArray<UserId> => {
  if (content._tag === "RecordEvent") return usersNamedBy(content.report)
  if (content._tag !== "CustomerEvent") return []
  const external = asUserId(content.customer.external_id)
  return external === null ? [] : [external]
}

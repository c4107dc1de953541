/** What is found where a database with all tables is looked at: indexes, privileges, and the table of users. */
import * as Effect from "effect/Effect"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { DatabaseInspection } from "../store/DatabaseInspection.ts"
import { broken, type Finding, fine, unknown, warning } from "./diagnosis.ts"

export const databaseFindings = (store: Pick<BillingStoreService, "inspect">): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.match(
    Effect.suspend(() => store.inspect),
    {
      onFailure: ({ message }) => [unknown("database", message)],
      onSuccess: (inspection) => [...ofPrivileges(inspection), ...ofIndexes(inspection), ...ofUsers(inspection)]
    }
  )

const ofPrivileges = ({ denied }: DatabaseInspection): ReadonlyArray<Finding> =>
  denied.map(({ detail, table }) =>
    broken(
      "database",
      `This database user may not write ${table} as billing does: ${detail}.`,
      "Deliveries are answered 503, and Polar gives up on each after half an hour.",
      `Grant SELECT, INSERT, UPDATE and DELETE on ${table}, and look that the database is not read-only`
    )
  )

const ofIndexes = ({ missingIndexes }: DatabaseInspection): ReadonlyArray<Finding> =>
  missingIndexes.map(({ name, sql, table }) =>
    warning(
      "database",
      `The index ${name} of ${table} is not there.`,
      "What it is for goes through the whole table, and is slower with each delivery.",
      `Run in the database: ${sql}`
    )
  )

const ofUsers = ({ users }: DatabaseInspection): ReadonlyArray<Finding> => {
  if (users === null) return [fine("users", "No table of users is looked at: a user exists by a checkout or a link.")]
  const { problem, table, unindexed, warnings } = users
  if (problem !== null) {
    return [
      broken(
        "users",
        `${problem}.`,
        "What concerns a user cannot be stored, and their deliveries are answered 503.",
        "kavach-polar migrate adds columns that are missing. A column of another type is for you to change"
      )
    ]
  }
  const found = [
    ...warnings.map((text) => warning("users", text)),
    ...unindexed.map((column) =>
      warning(
        "users",
        `${table} has no index on ${column}.`,
        "Each delivery goes through all users to find one.",
        column === "id"
          ? `Make ${column} the primary key, or run in the database: CREATE UNIQUE INDEX ${table.replaceAll(".", "_")}_${column} ON ${table} (${column})`
          : "kavach-polar migrate"
      )
    )
  ]
  return found.length > 0 ? found : [fine("users", `${table} has the columns and indexes that billing needs.`)]
}

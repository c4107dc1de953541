/** Reading users, and what leads to them. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { nobody } from "../../records/rows.ts"
import type { CheckoutId, CustomerId, User, UserId } from "../../values/ids.ts"
import type { BillingStoreService } from "../BillingStoreService.ts"
import { type DeliveryBodies, openedBodies } from "../deliveryBodies.ts"
import type { DriverCalls } from "./driverCalls.ts"

export const userCalls = ({ ask, attempt, driver, span }: DriverCalls, bodies: DeliveryBodies) =>
  ({
    customerOf: (userId) =>
      ask("customerOf", () => driver.customerOf(userId)).pipe(
        Effect.map((customerId) => Option.fromNullable(customerId as CustomerId | undefined))
      ),

    checkoutsOf: (userId, { createdAfter, limit }) =>
      ask("checkoutsOf", () => driver.checkoutsOf({ userId, createdAfter: createdAfter.getTime(), limit })).pipe(
        // What is stored of a checkout's id was one.
        Effect.map((rows) => rows.map(({ id }) => id as CheckoutId))
      ),

    ownershipOf: (userId) => ask("ownershipOf", () => driver.ownershipOf(userId)),

    usersOfCustomer: (customerId) =>
      ask("usersOfCustomer", () => driver.usersOfCustomer(customerId)).pipe(
        // What is stored of a user's id was one.
        Effect.map((userIds) => new Set(userIds.flatMap((id) => (id === nobody ? [] : [id as UserId]))))
      ),

    knownUsers: (userIds) =>
      ask("knownUsers", () => driver.knownUsers(userIds)).pipe(
        Effect.map((known) => {
          const ids = new Set(known)
          return new Set(userIds.filter((id) => ids.has(id)))
        })
      ),

    findUser: (userId) =>
      ask("findUser", () => driver.findUser(userId)).pipe(
        Effect.map((row) =>
          Option.map(
            Option.fromNullable(row),
            (found): User => ({
              id: userId,
              email: Option.fromNullable(found.email),
              name: Option.fromNullable(found.name),
              emailVerified: found.emailVerified
            })
          )
        )
      ),

    personalData: (userId, customerIds) =>
      attempt("personalData", () => driver.personalData(userId, customerIds)).pipe(
        Effect.flatMap((rows) =>
          Effect.map(openedBodies(bodies, rows.deliveries), (deliveries) => ({ ...rows, deliveries }))
        ),
        span("personalData")
      )
  }) satisfies Partial<BillingStoreService>

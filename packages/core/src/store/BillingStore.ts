/** The port to storage, and its layer in memory. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { User } from "../records/Subscription.ts"
import type { BillingStoreService } from "./BillingStoreService.ts"
import { type BodyCipher, encryptedBodies, noBodies } from "./deliveryBodies.ts"
import { makeMemoryDriver } from "./memoryDriver.ts"
import type { StoreDriver } from "./StoreDriver.ts"
import { storeOnDriver } from "./storeOnDriver.ts"

export type {
  BillingStoreService,
  DeliveryQuery,
  Job,
  LiveSubscription,
  NotificationClaim,
  ReceivedDeliveries,
  RecordPageQuery,
  RecordQuery
} from "./BillingStoreService.ts"
export type { DatabaseInspection } from "./DatabaseInspection.ts"
export type { BodyCipher, BodyOwner, DeliveryBodies } from "./deliveryBodies.ts"
export type { MigrationReport, MigrationStatus } from "./Migrations.ts"
export type { FailureOutcome, NotificationCounts } from "./StoreDriver.ts"

export class BillingStore extends Context.Tag("@kavach-polar/core/BillingStore")<BillingStore, BillingStoreService>() {}

/**
 * The service on a driver, which is a handful of plain functions over rows.
 *
 * @example
 * BillingStore.make(driver)
 */
export const make: (driver: StoreDriver) => BillingStoreService = (driver) => storeOnDriver(driver)

/**
 * Bodies of deliveries are encrypted by the app before they are stored, on whatever database. What was stored before is read as
 * it is.
 *
 * @example
 * SqliteStore.layer({ filename: "billing.sqlite" }).pipe(
 *   BillingStore.encryptBodies({
 *     encrypt: (body, { deliveryId }) => Effect.sync(() => vault.seal(body, deliveryId)),
 *     decrypt: (encrypted, { deliveryId }) => Effect.try(() => vault.open(encrypted, deliveryId))
 *   })
 * )
 */
export const encryptBodies =
  (cipher: BodyCipher) =>
  <E, R>(store: Layer.Layer<BillingStore, E, R>): Layer.Layer<BillingStore, E, R> =>
    Layer.map(store, (context) =>
      Context.make(BillingStore, Context.get(context, BillingStore).withBodies(encryptedBodies(cipher)))
    )

/**
 * Bodies of deliveries are not stored. Then nothing can be replayed, and handlers of events (`Handlers`' `on`) are given the
 * `id` only.
 *
 * @example
 * SqliteStore.layer({ filename: "billing.sqlite" }).pipe(BillingStore.withoutBodies)
 */
export const withoutBodies = <E, R>(store: Layer.Layer<BillingStore, E, R>): Layer.Layer<BillingStore, E, R> =>
  Layer.map(store, (context) => Context.make(BillingStore, Context.get(context, BillingStore).withBodies(noBodies)))

/** A store in this process's memory: for tests and trials. It passes through the same steps and encoding. */
export const layerMemory: Layer.Layer<BillingStore> = Layer.sync(BillingStore, () => make(makeMemoryDriver()))

/**
 * As `layerMemory`, for an app with the given users.
 *
 * @example
 * BillingStore.layerMemoryWith([{ id: userId, email: Option.some("ada@example.com"), name: Option.none(), emailVerified: true }])
 */
export const layerMemoryWith = (users: ReadonlyArray<User>): Layer.Layer<BillingStore> =>
  Layer.sync(BillingStore, () =>
    make(
      makeMemoryDriver(
        users.map((user) => ({
          id: user.id,
          email: Option.getOrNull(user.email),
          name: Option.getOrNull(user.name),
          emailVerified: user.emailVerified === true
        }))
      )
    )
  )

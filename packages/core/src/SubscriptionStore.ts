/** The port to storage, and its layer in memory. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { storeOnDriver } from "./internal/storeOnDriver.ts"
import { makeMemoryDriver } from "./MemoryDriver.ts"
import type { StoreDriver } from "./StoreDriver.ts"
import type { User } from "./Subscription.ts"
import type { SubscriptionStoreService } from "./SubscriptionStoreService.ts"

export type {
  DeliveryQuery,
  Job,
  NotificationClaim,
  ReceivedDeliveries,
  SubscriptionPageQuery,
  SubscriptionStoreService
} from "./SubscriptionStoreService.ts"

export class SubscriptionStore extends Context.Tag("@kavach-polar/core/SubscriptionStore")<
  SubscriptionStore,
  SubscriptionStoreService
>() {}

/** The service on a driver, which is a handful of plain functions over rows. */
export const make: (driver: StoreDriver) => SubscriptionStoreService = storeOnDriver

/** A store in this process's memory: for tests and trials. It passes through the same steps and encoding. */
export const layerMemory: Layer.Layer<SubscriptionStore> = Layer.sync(SubscriptionStore, () => make(makeMemoryDriver()))

/** As `layerMemory`, for an app with the given users. */
export const layerMemoryWith = (users: ReadonlyArray<User>): Layer.Layer<SubscriptionStore> =>
  Layer.sync(SubscriptionStore, () =>
    make(
      makeMemoryDriver(
        users.map((user) => ({
          id: user.id,
          email: Option.getOrNull(user.email),
          name: Option.getOrNull(user.name)
        }))
      )
    )
  )

/** Ours: `polar()` on a store of its own, with a callback that only counts. */
import type { BillingStore } from "@kavach-polar/core/BillingStore"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import type { StoreError } from "@kavach-polar/core/StoreError"
import { CheckoutId } from "@kavach-polar/core/Subscription"
import { type PolarConfig, polar } from "@kavach-polar/http"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CheckoutSession } from "../../../packages/core/src/polar/PolarApi.ts"
import { boughtProduct, grantedKey } from "../deliveries.ts"
import { instantCheckout } from "./instantCheckout.ts"
import { mount } from "./mount.ts"
import type { Subject, SubjectSettings } from "./Subject.ts"

/** On one store, and without the others' adapters. */
export const storeOf = async ({
  store,
  url
}: Pick<SubjectSettings, "store" | "url">): Promise<Layer.Layer<BillingStore, StoreError>> => {
  switch (store) {
    case "sqlite": {
      const { SqliteStore } = await import("@kavach-polar/adapter-sqlite")
      return SqliteStore.layer({ filename: url })
    }
    case "libsql": {
      const { LibsqlStore } = await import(libsqlAdapter)
      return LibsqlStore.layer({ url: `file:${url}` })
    }
    case "postgres":
    case "postgres-js": {
      const { PostgresStore } = await import("@kavach-polar/adapter-postgres")
      return PostgresStore.layer(store === "postgres" ? { url } : { url, driver: "postgres" })
    }
    case "mysql":
    case "mariadb": {
      const { MysqlStore } = await import("@kavach-polar/adapter-mysql")
      return MysqlStore.layer({ url })
    }
  }
}

/** Not a literal, so that types do not need the package before it is there. */
const libsqlAdapter: string = "@kavach-polar/adapter-libsql"

/** Polar without the network. */
const instantClient = Layer.effect(
  PolarClient.PolarClient,
  Effect.map(PolarClient.PolarClient, (inner) => ({
    ...inner,
    createCheckout: () =>
      Effect.sync((): CheckoutSession => {
        const { expiresAt, id, url } = instantCheckout()
        return { id: CheckoutId.make(id), url, expiresAt, customerId: null }
      }),
    // All have a subscription already.
    allowsSubscription: () => Effect.succeed(true)
  }))
).pipe(Layer.provide(PolarClient.layerDisabled("The benchmark asks nothing of Polar.")))

/** Ours, with `accessCache`. */
export const startCached = (settings: SubjectSettings): Promise<Subject> =>
  startOurs(settings, { accessCache: { maxAgeSeconds: 3600 } })

export const startOurs = async (
  settings: SubjectSettings,
  more: Pick<PolarConfig, "accessCache"> = {}
): Promise<Subject> => {
  let answered: (deliveryId: string | undefined) => void = () => {}
  let notified: (subscriptionId: string) => void = () => {}
  const billing = polar({
    webhookSecret: settings.secret,
    store: await storeOf(settings),
    client: instantClient,
    logLevel: "error",
    onSubscriptionChange: (_userId, { id }) => notified(id),
    ...more
  })
  const { close, port } = await mount(billing, (deliveryId) => answered(deliveryId))
  return {
    port,
    getSubscription: billing.getSubscription,
    access: billing.access,
    has: (userId) => billing.benefits.has(userId, grantedKey),
    owns: (userId) => billing.orders.owns(userId, boughtProduct),
    createCheckout: (userId) =>
      billing.createCheckout(userId, "a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60", { reuse: false, ifSubscribed: "buy" }),
    onAnswered: (callback) => {
      answered = callback
    },
    onNotified: (callback) => {
      notified = callback
    },
    close: async () => {
      await close()
      await billing.dispose()
    }
  }
}

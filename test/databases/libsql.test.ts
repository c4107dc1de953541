/** libSQL's own server: the store contract, and what only a server can do. */
import { describe, expect, it } from "@effect/vitest"
import { LibsqlStore } from "@kavach-polar/adapter-libsql"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import { newScene, storeContract, subscriptionDelivery } from "@kavach-polar/core/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { hasSqld } from "../servers/hasSqld.ts"
import { newClient, newServer, onServer, queryOn } from "../store/LibsqlHarness.ts"

/** A store with a client of its own, as another process has it. */
const storeOn = (url: string, authToken: string) =>
  Effect.map(Layer.build(LibsqlStore.layer({ url, authToken: Redacted.make(authToken) })), (context) =>
    Context.get(context, BillingStore)
  )

describe.skipIf(!hasSqld)("libSQL server", () => {
  storeContract({ name: "libSQL server", layer: onServer, hasDatabase: true })

  it.scopedLive("a token that is none is refused, and not repeated", () =>
    Effect.gen(function* () {
      const { url } = yield* newServer
      const error = yield* Effect.flip((yield* storeOn(url, "not-the-token")).migrate)
      expect(error).toMatchObject({ operation: "migrate", reason: "denied" })
      expect(error.message).not.toContain("not-the-token")
    })
  )

  it.scopedLive("five clients that migrate one new database at once all succeed", () =>
    Effect.gen(function* () {
      const { authToken, url } = yield* newServer
      const stores = yield* Effect.all(Array.from({ length: 5 }, () => storeOn(url, authToken)))
      yield* Effect.forEach(stores, (store) => store.migrate, { concurrency: "unbounded" })
      const query = queryOn(yield* newClient({ url, authToken }))
      const rows = yield* Effect.promise(() => query("SELECT name FROM kavach_polar_migrations"))
      expect(rows).toEqual([
        { name: "0004_records" },
        { name: "0005_benefits" },
        { name: "0006_clock" },
        { name: "0007_checkout_index" },
        { name: "0008_link_changes" },
        { name: "0009_all_kinds" },
        { name: "0010_handlers" },
        { name: "0011_license_keys" },
        { name: "0012_actions" },
        { name: "0013_traceparent" }
      ])
    })
  )

  it.scopedLive("a server that went away is unavailable, and is used again when it is back, by the same client", () =>
    Effect.gen(function* () {
      const { authToken, halt, resume, url } = yield* newServer
      const store = yield* storeOn(url, authToken)
      yield* store.migrate
      const delivery = subscriptionDelivery(newScene(), "created")
      yield* Effect.promise(halt)
      const error = yield* Effect.flip(store.applyDeliveries([delivery], defaultPolicy))
      expect(error.reason).toBe("unavailable")
      yield* Effect.promise(resume)
      expect(yield* store.applyDeliveries([delivery], defaultPolicy)).toMatchObject([
        { duplicate: false, state: "unlinked" }
      ])
    })
  )

  it.scopedLive("while another client writes, a step waits; when it never ends, the step says so in time", () =>
    Effect.gen(function* () {
      const { authToken, url } = yield* newServer
      const store = yield* storeOn(url, authToken)
      yield* store.migrate
      const other = yield* newClient({ url, authToken })
      const writing = yield* Effect.promise(() => other.transaction("write"))
      yield* Effect.promise(() => writing.execute("UPDATE kavach_polar_migrations SET name = name"))
      const delivery = subscriptionDelivery(newScene(), "created")
      const began = performance.now()
      const error = yield* Effect.flip(store.applyDeliveries([delivery], defaultPolicy))
      expect(error.reason).toMatch(/^(busy|unavailable)$/)
      expect(performance.now() - began).toBeLessThan(5000)
      writing.close()
      expect(yield* store.applyDeliveries([delivery], defaultPolicy)).toMatchObject([{ state: "unlinked" }])
    })
  )
})

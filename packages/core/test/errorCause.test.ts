/** A store's error keeps where it came from, for logs, and nothing of what stood in it. */
import { assert, describe, it } from "@effect/vitest"
import { defaultPolicy } from "@kavach-polar/core/AccessPolicy"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import { Cause, Effect, HashMap, Layer, Logger, Option, Ref } from "effect"
import { makeMemoryDriver } from "../src/store/memoryDriver.ts"
import { deliveryOf, fixture } from "./deliveries.ts"

/** As drizzle wraps the errors of drivers: SQL and values in both. */
const refused = () => {
  const inner = Object.assign(
    new Error('duplicate key: INSERT INTO users VALUES ("ada@acme-mail.dev")\n    at forged'),
    {
      code: "23505"
    }
  )
  return new Error("Failed query: INSERT INTO users VALUES (?) params: ada@acme-mail.dev", { cause: inner })
}

const storeWith = (change: Partial<ReturnType<typeof makeMemoryDriver>>) =>
  BillingStore.make({
    ...makeMemoryDriver(),
    explain: () => ({ reason: "unknown" as const, detail: "23505: somebody has it" }),
    ...change
  })

describe("a StoreError", () => {
  it.effect("has a cause with a stack, and neither SQL nor values", () =>
    Effect.gen(function* () {
      const store = storeWith({
        customerOf: () => {
          throw refused()
        }
      })
      const error = yield* Effect.flip(store.customerOf("user" as never))
      assert.instanceOf(error.cause, Error)
      const cause = error.cause as Error
      assert.strictEqual(cause.message, "23505: somebody has it")
      assert.match(cause.stack ?? "", /\n +at .*errorCause\.test\.ts/)
      const all = `${cause.stack} ${Cause.pretty(Cause.fail(error), { renderErrorCause: true })} ${JSON.stringify(error)}`
      for (const secret of ["INSERT", "ada@", "forged"]) assert.notInclude(all, secret)
      // An answer that is made of it has no cause.
      assert.notInclude(JSON.stringify(error), "stack")
      assert.notInclude(Object.keys(error), "cause")
    })
  )

  it.effect("a step that cannot be decided is logged: whoever is answered 503 comes back to the same", () =>
    Effect.gen(function* () {
      const logged = yield* Ref.make<ReadonlyArray<string>>([])
      const logger = Logger.make(({ annotations, cause, message }) => {
        void HashMap.size(annotations)
        Effect.runSync(Ref.update(logged, (lines) => [...lines, `${String(message)} ${Cause.pretty(cause)}`]))
      })
      const store = storeWith({
        atomically: (_keys, decide) => {
          decide({
            get deliveries(): never {
              throw new TypeError("a bug")
            }
          } as never)
        }
      })
      const failed = yield* store
        .applyDeliveries([deliveryOf("evt", fixture("order.paid"))], defaultPolicy)
        .pipe(Effect.option, Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      assert.isTrue(Option.isNone(failed))
      assert.match((yield* Ref.get(logged)).join("\n"), /fault of this program: applyDeliveries/)
    }).pipe(Effect.provide(Layer.empty))
  )
})

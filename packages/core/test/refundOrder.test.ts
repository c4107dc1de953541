/** One refund for each key, whatever dies between two lines and whichever answer is lost. */
import { assert, describe, it } from "@effect/vitest"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { PolarForbidden, PolarTimeout, PolarUnavailable } from "@kavach-polar/core/PolarError"
import { OrderId } from "@kavach-polar/core/Subscription"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Context, Duration, Effect, Fiber, Layer, Option, type Scope, TestClock } from "effect"
import { orderKind } from "../src/records/Order.ts"
import { refundKind } from "../src/records/Refund.ts"
import { fixture } from "./deliveries.ts"

const shared = Layer.mergeAll(
  BillingStore.layerMemoryWith([]),
  PolarClient.layerMemory,
  WebhookVerifier.layerMemory,
  SubscriptionListener.layerMemory
)

type Client = PolarClient.PolarClient["Type"]

/** A process of its own, whose way to Polar may be worse. */
const process = (change: (client: Client) => Partial<Client> = () => ({})) =>
  Effect.gen(function* () {
    const client = yield* PolarClient.PolarClient
    const layer = Billing.layer({ externalIds: "trust" }).pipe(
      Layer.provide(NotificationDispatcher.layer()),
      Layer.provide(Layer.succeed(PolarClient.PolarClient, { ...client, ...change(client) }))
    )
    return Context.get(yield* Layer.build(layer), Billing.Billing)
  })

const body = new TextDecoder().decode(fixture("order.paid.purchase"))
const { data: bought } = JSON.parse(body)
const orderId = OrderId.make(bought.id)
const request = { amount: 1000, reason: "customer_request", idempotencyKey: "ticket 7" } as const

const scenario = <A, E>(test: Effect.Effect<A, E, Layer.Layer.Success<typeof shared> | Scope.Scope>) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(Date.parse("2026-11-01T00:00:00Z"))
    const polar = yield* PolarClient.MemoryPolar
    yield* polar.putRecord(orderKind, bought)
    const billing = yield* process()
    yield* billing.reconcileAll()
    return yield* test
  }).pipe(Effect.scoped, Effect.provide(shared))

const atPolar = Effect.gen(function* () {
  const client = yield* PolarClient.PolarClient
  return (yield* client.recordPage(refundKind, { orderId }, 1)).snapshots.map(({ report }) => report.id)
})

const stored = Effect.flatMap(BillingStore.BillingStore, (store) =>
  Effect.flatMap(atPolar, (ids) => Effect.forEach(ids, (id) => store.record(refundKind, id)))
)

const lost = new PolarTimeout({ operation: "create refund", seconds: 15, mayHaveActed: true })
const away = new PolarUnavailable({
  operation: "list refunds",
  status: 503,
  reason: "It answered 503.",
  retryAfterSeconds: null,
  mayHaveActed: false
})

describe("a refund", () => {
  it.effect("whose answer was lost is found among the order's refunds", () =>
    scenario(
      Effect.gen(function* () {
        const billing = yield* process(({ createRefund }) => ({
          createRefund: (input) => Effect.zipRight(createRefund(input), lost)
        }))
        const refund = yield* billing.orders.refund(orderId, request)
        assert.deepStrictEqual(yield* atPolar, [refund.id])
        assert.isTrue((yield* stored).every(Option.isSome))
        assert.strictEqual((yield* billing.orders.refund(orderId, request)).id, refund.id)
      })
    )
  )

  it.effect("that Polar makes after its answer was given up is not made again", () =>
    scenario(
      Effect.gen(function* () {
        const late = yield* process(({ createRefund }) => ({
          createRefund: (input) =>
            Effect.zipRight(Effect.forkDaemon(Effect.delay(createRefund(input), "1 minute")), lost)
        }))
        const error = yield* Effect.flip(late.orders.refund(orderId, request))
        assert.strictEqual(error._tag, "PolarTimeout")
        assert.deepStrictEqual(yield* atPolar, [])
        // Anybody who asks meanwhile is told to come back, and nobody sends it again.
        const other = yield* process()
        const waiting = yield* Effect.fork(Effect.flip(other.orders.refund(orderId, request)))
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* Fiber.join(waiting))._tag, "RefundUnderWay")
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual((yield* atPolar).length, 1)
        const refund = yield* other.orders.refund(orderId, request)
        assert.deepStrictEqual(yield* atPolar, [refund.id])
      })
    )
  )

  it.effect("of which nobody can say whether it was made is not made again, whatever the question fails with", () =>
    scenario(
      Effect.gen(function* () {
        const late = yield* process(({ createRefund, recordPage }) => {
          let isAway = false
          return {
            createRefund: (input) => {
              isAway = true
              return Effect.zipRight(Effect.forkDaemon(Effect.delay(createRefund(input), "1 minute")), lost)
            },
            // Nothing acted of a question, and nobody is to take that for the answer.
            recordPage: (...asked) => (isAway ? away : recordPage(...asked))
          }
        })
        const error = yield* Effect.flip(late.orders.refund(orderId, request))
        assert.strictEqual(error._tag, "PolarTimeout")
        assert.deepInclude(error, { operation: "create refund", mayHaveActed: true })
        const other = yield* process()
        const waiting = yield* Effect.fork(Effect.either(other.orders.refund(orderId, request)))
        yield* TestClock.adjust("10 seconds")
        assert.deepInclude(yield* Effect.flip(yield* Fiber.join(waiting)), { _tag: "RefundUnderWay" })
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual((yield* atPolar).length, 1)
      })
    )
  )

  it.effect("of a process that died at any line is made once", () =>
    scenario(
      Effect.forEach(
        ["claimJob", "continueJob", "createRefund", "getOrder", "finishJob"] as const,
        (line, index) =>
          Effect.gen(function* () {
            const key = { ...request, amount: 100 + index, idempotencyKey: `died at ${line}` }
            const store = yield* BillingStore.BillingStore
            const client = yield* PolarClient.PolarClient
            // It does this line, and never comes back from it.
            const dead = <A, E>(effect: Effect.Effect<A, E>) => Effect.zipRight(effect, Effect.never)
            const dying = { ...store, ...client } as unknown as Record<
              string,
              (...given: ReadonlyArray<unknown>) => Effect.Effect<unknown>
            >
            const original = dying[line]
            const change = { [line]: (...given: ReadonlyArray<unknown>) => dead(original?.(...given) ?? Effect.void) }
            const layer = Billing.layer({ externalIds: "trust" }).pipe(
              Layer.provide(NotificationDispatcher.layer()),
              Layer.provide(Layer.succeed(PolarClient.PolarClient, { ...client, ...change })),
              // Nothing that a dead process would still write is written.
              Layer.provide(
                Layer.succeed(BillingStore.BillingStore, {
                  ...store,
                  ...change,
                  releaseJob: () => Effect.succeed(false)
                })
              )
            )
            const process1 = Context.get(yield* Layer.build(layer), Billing.Billing)
            const fiber = yield* Effect.fork(process1.orders.refund(orderId, key))
            yield* TestClock.adjust("1 second")
            yield* Fiber.interruptFork(fiber)
            yield* TestClock.adjust("3 minutes")
            const before = yield* atPolar
            const process2 = yield* process()
            const refund = yield* process2.orders.refund(orderId, key)
            const after = yield* atPolar
            assert.include(after, refund.id)
            assert.strictEqual(after.length, index + 1, line)
            // Whatever was made was made by the first, and is not made again.
            assert.isAtMost(after.length - before.length, 1)
          }),
        { discard: true }
      )
    )
  )

  it.effect("that was refused lets the next one begin at once", () =>
    scenario(
      Effect.gen(function* () {
        const refused = yield* process(() => ({
          createRefund: () =>
            new PolarForbidden({
              operation: "create refund",
              code: "insufficient_scope",
              requiredScopes: ["refunds:write"]
            })
        }))
        assert.strictEqual((yield* Effect.flip(refused.orders.refund(orderId, request)))._tag, "PolarForbidden")
        const billing = yield* process()
        const refund = yield* billing.orders.refund(orderId, request)
        assert.deepStrictEqual(yield* atPolar, [refund.id])
      })
    )
  )

  it.effect("by eight processes at once is one", () =>
    scenario(
      Effect.gen(function* () {
        const all = yield* Effect.replicateEffect(process(), 8)
        const asked = yield* Effect.fork(
          Effect.forEach(all, (billing) => billing.orders.refund(orderId, request), { concurrency: 8 })
        )
        yield* Effect.iterate(0, {
          while: (round) => round < 20,
          body: (round) => Effect.as(TestClock.adjust(Duration.millis(200)), round + 1)
        })
        const refunds = yield* Fiber.join(asked)
        assert.deepStrictEqual([...new Set(refunds.map(({ id }) => id))], yield* atPolar)
      })
    )
  )
})

/** Deliveries: both signing schemes, retries and their times, dead events, the endpoint that is switched off, redelivery. */
import { HttpClient, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Customers, type Records, Simulator, Webhooks } from "@kavach-polar/simulator"
import { Effect, HashMap, Layer, Redacted, TestClock } from "effect"

const Polar = Simulator.layer().pipe(Layer.provide(Simulator.layerNoNetwork))

const addCustomer = (name: string) =>
  Effect.flatMap(Simulator.Simulator, (simulator) =>
    simulator.run(Customers.create({ email: `${name}@acme-mail.dev` }))
  )

interface Attempt {
  readonly at: number
  readonly id: string
  readonly type: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** An endpoint that answers as it is told, and writes down when it was asked. */
const endpoint = (options: Omit<Simulator.EndpointOptions, "url"> = {}) =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const attempts: Array<Attempt> = []
    let status = 200
    const { id } = yield* simulator.connect(
      ({ body, headers }) =>
        Effect.map(Effect.clock, (clock) => {
          const { type }: { readonly type: string } = JSON.parse(new TextDecoder().decode(body))
          attempts.push({ at: clock.unsafeCurrentTimeMillis(), id: headers["webhook-id"] ?? "", type, headers, body })
          return status
        }),
      { events: ["customer.created"], ...options }
    )
    const now = simulator.read(({ tables }): Records.WebhookEndpoint => HashMap.unsafeGet(tables.endpoints, id))
    const events = simulator.read(({ tables }) =>
      Array.from(HashMap.values(tables.events)).sort((one, other) => one.position - other.position)
    )
    return {
      attempts,
      events,
      id,
      now,
      answer: (next: number) => {
        status = next
      }
    }
  })

describe("signatures", () => {
  const secrets = [
    ["a secret of today", {}, "standard"],
    ["the original scheme", { uses_standard_webhook_signature: false }, "utf8"],
    ["a secret of before", { secret: "polar_whs_InventedInventedInventedInvented0123AbCdEf" }, "utf8"]
  ] as const
  for (const [what, options, key] of secrets) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const simulator = yield* Simulator.Simulator
        const app = yield* endpoint(options)
        yield* addCustomer("ada")
        yield* simulator.flush
        const { secret } = yield* app.now
        const { verify } = yield* WebhookVerifier.make({ secrets: [Redacted.make(secret)] })
        const [attempt] = app.attempts
        assert.isDefined(attempt)
        const verified = yield* verify(attempt)
        assert.deepStrictEqual([verified.key, verified.id], [key, attempt.id])
      }).pipe(Effect.provide(Polar))
    )
  }

  it.effect("a new secret is for Standard Webhooks, and signs what is tried again, too", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const app = yield* endpoint({ secret: "polar_whs_InventedInventedInventedInvented0123AbCdEf" })
      app.answer(403)
      yield* addCustomer("ada")
      yield* simulator.flush
      yield* simulator.run(Webhooks.renewSecret(app.id))
      app.answer(200)
      yield* simulator.advance("1 minute")
      yield* simulator.flush
      const { secret } = yield* app.now
      const { verify } = yield* WebhookVerifier.make({ secrets: [Redacted.make(secret)] })
      const attempt = app.attempts.at(-1)
      assert.isDefined(attempt)
      const verified = yield* verify(attempt)
      assert.deepStrictEqual([verified.key, verified.id], ["standard", app.attempts[0]?.id])
    }).pipe(Effect.provide(Polar))
  )

  it.effect("a secret that has no standard key is refused where one is asked for", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const refusal = yield* Effect.flip(
        simulator.addEndpoint({
          url: "http://127.0.0.1/",
          secret: "polar_whs_InventedInventedInventedInvented0123AbCdEf",
          uses_standard_webhook_signature: true
        })
      )
      assert.strictEqual(refusal.status, 422)
    }).pipe(Effect.provide(Polar))
  )
})

describe("an endpoint that fails", () => {
  it.effect("is tried ten times within 17 to 34 minutes, later each time, and then no more", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const app = yield* endpoint()
      app.answer(500)
      yield* addCustomer("ada")
      yield* simulator.advance("16 minutes")
      assert.isBelow(app.attempts.length, 10)
      yield* simulator.advance("19 minutes")
      assert.lengthOf(app.attempts, 10)
      assert.strictEqual(new Set(app.attempts.map(({ id }) => id)).size, 1)
      const [event] = yield* app.events
      assert.deepStrictEqual(
        [event?.succeeded, event?.attempts, event?.due_at, event?.last_http_code],
        [false, 10, null, 500]
      )
      // One dead event does not switch an endpoint off.
      assert.isTrue((yield* app.now).enabled)
    }).pipe(Effect.provide(Polar))
  )

  it("waits 2 s × 2ⁿ, up to half of it less, and never more than 20 minutes", () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((attempts) => [
      Webhooks.backoff(attempts, 1) / 1e6,
      Webhooks.backoff(attempts, 0) / 1e6
    ])
    assert.deepStrictEqual(waits, [
      [2, 4],
      [4, 8],
      [8, 16],
      [16, 32],
      [32, 64],
      [64, 128],
      [128, 256],
      [256, 512],
      [512, 1024]
    ])
    assert.strictEqual(Webhooks.backoff(15, 0) / 1e6, 1200)
  })

  it.effect(
    "is switched off by ten dead events in a row; what waits is skipped, and not sent when it is on again",
    () =>
      Effect.gen(function* () {
        const simulator = yield* Simulator.Simulator
        const app = yield* endpoint()
        app.answer(503)
        for (let count = 0; count < 9; count++) yield* addCustomer(`c${count}`)
        yield* simulator.advance("1 hour")
        yield* addCustomer("tenth")
        const tenth = Effect.map(app.events, (events) => events[9])
        while ((yield* tenth)?.attempts !== 9) yield* simulator.advance("1 minute")
        assert.isTrue((yield* app.now).enabled)
        yield* addCustomer("late")
        while ((yield* tenth)?.succeeded === null) yield* simulator.advance("1 minute")
        const states = (yield* app.events).map(({ skipped, succeeded }) => ({ skipped, succeeded }))
        assert.deepStrictEqual(states, [
          ...Array.from({ length: 10 }, () => ({ skipped: false, succeeded: false })),
          { skipped: true, succeeded: null }
        ])
        assert.isFalse((yield* app.now).enabled)
        const seen = app.attempts.length

        app.answer(200)
        yield* addCustomer("unseen")
        yield* simulator.advance("1 hour")
        assert.lengthOf(app.attempts, seen)
        const [dead] = yield* app.events
        yield* simulator.redeliver(dead?.id ?? "")
        yield* simulator.flush
        assert.lengthOf(app.attempts, seen, "nothing is redelivered to an endpoint that is off")

        yield* simulator.run(Webhooks.updateEndpoint(app.id, { enabled: true }))
        yield* simulator.advance("1 hour")
        assert.lengthOf(app.attempts, seen)
        yield* addCustomer("seen")
        yield* simulator.redeliver(dead?.id ?? "")
        yield* simulator.flush
        assert.sameMembers(
          app.attempts.slice(seen).map(({ id }) => id),
          [dead?.id ?? "", (yield* app.events).at(-1)?.id ?? ""]
        )
        assert.isTrue((yield* app.events)[0]?.succeeded)
      }).pipe(Effect.provide(Polar))
  )

  it.effect("what it missed first comes after what it got since, as at Polar", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const app = yield* endpoint()
      app.answer(500)
      const first = yield* addCustomer("first")
      yield* simulator.flush
      app.answer(200)
      const second = yield* addCustomer("second")
      yield* simulator.flush
      yield* TestClock.adjust("10 seconds")
      yield* simulator.flush
      const ids = app.attempts.map(({ body }) => JSON.parse(new TextDecoder().decode(body)).data.id)
      assert.deepStrictEqual(ids, [first.id, second.id, first.id])
    }).pipe(Effect.provide(Polar))
  )
})

it.effect("over HTTP: the body is the stored text, a redirect and a dead host are failures", () => {
  const sent: Array<{ readonly url: string; readonly body: string }> = []
  let status = 204
  const network = HttpClient.make((request) =>
    Effect.sync(() => {
      const { body } = request
      sent.push({ url: request.url, body: body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : "" })
      return HttpClientResponse.fromWeb(request, new Response(status === 204 ? null : "no", { status }))
    })
  )
  return Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const url = "https://app.acme.dev/webhooks/polar"
    yield* simulator.addEndpoint({ url, events: ["customer.created"] })
    yield* addCustomer("ada")
    yield* simulator.flush
    status = 302
    yield* addCustomer("grace")
    yield* simulator.flush
    const events = yield* simulator.read(({ tables }) =>
      Array.from(HashMap.values(tables.events)).sort((one, other) => one.position - other.position)
    )
    assert.deepStrictEqual(
      sent,
      events.map(({ payload }) => ({ url, body: payload }))
    )
    assert.deepStrictEqual(
      events.map(({ last_http_code, succeeded }) => [last_http_code, succeeded]),
      [
        [204, true],
        [302, null]
      ]
    )
  }).pipe(Effect.provide(Simulator.layer().pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, network)))))
})

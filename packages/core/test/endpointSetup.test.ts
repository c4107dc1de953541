/** The plan for the webhook endpoint, and what Polar may refuse of it. What it does at Polar, test/simulator/setup.test.ts says. */
import { assert, describe, it } from "@effect/vitest"
import { planEndpoint, setUpEndpoint } from "@kavach-polar/core/EndpointSetup"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { PolarRejected } from "@kavach-polar/core/PolarError"
import { Effect, Redacted } from "effect"

const url = "https://app.example.com/auth/polar/webhook"

const refusal = (path: ReadonlyArray<string | number>) =>
  new PolarRejected({
    operation: "create webhook endpoint",
    status: 422,
    code: "RequestValidationError",
    detail: null,
    issues: [{ path, message: "Input should be one of Polar's events" }]
  })

describe("setUpEndpoint", () => {
  it.effect("gives an endpoint of another format the format raw, and keeps its secret", () =>
    Effect.gen(function* () {
      const { setWebhookEndpoints } = yield* PolarClient.MemoryPolar
      const client = yield* PolarClient.PolarClient
      const made = yield* setUpEndpoint(yield* planEndpoint(url))
      yield* setWebhookEndpoints([{ ...made.endpoint, format: "discord" }])
      const plan = yield* planEndpoint(`${url}/`)
      assert.deepInclude(plan, { missingTypes: [], surplusTypes: [], differs: true })
      const corrected = yield* setUpEndpoint(plan)
      assert.deepStrictEqual(corrected, { endpoint: made.endpoint, secret: null })
      const secret = yield* client.webhookSecret(made.endpoint.id)
      assert.strictEqual(made.secret && Redacted.value(made.secret), Redacted.value(secret))
      assert.isFalse((yield* planEndpoint(url)).differs)
    }).pipe(Effect.provide(PolarClient.layerMemory))
  )

  it.effect("does without the newest types where Polar does not know them, and that is no difference later", () =>
    Effect.gen(function* () {
      const { failNext } = yield* PolarClient.MemoryPolar
      const plan = yield* planEndpoint(url)
      assert.include(plan.missingTypes, "subscription.migrated")
      yield* failNext(refusal(["events", plan.missingTypes.indexOf("subscription.migrated")]))
      const { endpoint } = yield* setUpEndpoint(plan)
      assert.sameMembers([...endpoint.events, "subscription.migrated"], [...plan.missingTypes])
      assert.isFalse((yield* planEndpoint(url)).differs)
    }).pipe(Effect.provide(PolarClient.layerMemory))
  )

  it.effect("fails where Polar refuses the address", () =>
    Effect.gen(function* () {
      const { failNext } = yield* PolarClient.MemoryPolar
      const plan = yield* planEndpoint(url)
      yield* failNext(refusal(["url"]))
      assert.strictEqual((yield* Effect.flip(setUpEndpoint(plan)))._tag, "PolarRejected")
      assert.isNull((yield* planEndpoint(url)).endpoint)
    }).pipe(Effect.provide(PolarClient.layerMemory))
  )
})

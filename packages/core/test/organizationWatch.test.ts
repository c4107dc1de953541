import { it } from "@effect/vitest"
import type { DeliveryContent } from "@kavach-polar/core/Delivery"
import type { PolarClient } from "@kavach-polar/core/PolarClient"
import { PolarNotFound } from "@kavach-polar/core/PolarError"
import { Effect, Logger, LogLevel, Ref } from "effect"
import { assert, describe } from "vitest"
import * as PolarClientMemory from "../src/polar/PolarClientMemory.ts"
import { read } from "../src/records/deliveryContent.ts"
import { makeOrganizationWatch } from "../src/useCases/organizationWatch.ts"
import { fixture } from "./deliveries.ts"

const ours = "0f6f2f0e-5b0d-4c6e-9c55-2a7b5d0c1e01"
const theirs = "11111111-1111-4111-8111-111111111111"

const body = new TextDecoder().decode(fixture("subscription.active"))

type Organizations = typeof PolarClient.Service.organizations

/** What is warned of while `use` runs. */
const warnings = (
  organizationId: string | undefined,
  use: (watch: ReturnType<typeof makeOrganizationWatch>) => Effect.Effect<unknown>,
  organizations: Organizations = Effect.succeed([])
) =>
  Effect.gen(function* () {
    const lines = yield* Ref.make<ReadonlyArray<string>>([])
    const { client } = yield* PolarClientMemory.make
    const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
      if (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning))
        Effect.runSync(Ref.update(lines, (all) => [...all, String(message)]))
    })
    yield* use(makeOrganizationWatch({ client: { ...client, organizations }, organizationId })).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
    return yield* Ref.get(lines)
  })

const deliveredTo = (organizationId: string): DeliveryContent => read(body, organizationId)

describe("deliveries", () => {
  it.effect("of another organization: told once, with both ids", () =>
    Effect.gen(function* () {
      const content = deliveredTo(theirs)
      const lines = yield* warnings(theirs, ({ received }) => Effect.replicateEffect(received(content), 3))
      assert.lengthOf(lines, 1)
      assert.include(lines[0], `organizationId is "${theirs}", but the first delivery is of the organization "${ours}"`)
    })
  )

  it.effect("a slug is called one", () =>
    Effect.gen(function* () {
      const [line] = yield* warnings("acme", ({ received }) => received(deliveredTo("acme")))
      assert.include(line, `organizationId is "acme", which is no id of Polar's and may be a slug, but`)
      assert.include(line, ours)
    })
  )

  it.effect("once one fits, those of others are what they are", () =>
    Effect.gen(function* () {
      const lines = yield* warnings(ours, ({ received }) =>
        Effect.zipRight(received(deliveredTo(ours)), received(deliveredTo(theirs)))
      )
      assert.deepStrictEqual(lines, [])
    })
  )

  it.effect("of any, where none is configured", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* warnings(undefined, ({ received }) => received(read(body, undefined))), [])
    })
  )
})

describe("at start Polar is asked", () => {
  const of = (id: string): Organizations => Effect.succeed([{ id, slug: "acme" }])

  it.effect("a token of another organization is told, and not told again by a delivery", () =>
    Effect.gen(function* () {
      const lines = yield* warnings(
        theirs,
        ({ ask, received }) => Effect.zipRight(ask, received(deliveredTo(theirs))),
        of(ours)
      )
      assert.lengthOf(lines, 1)
      assert.include(lines[0], `the access token is of the organization "${ours}" (acme)`)
    })
  )

  it.effect("the right one is not", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* warnings(ours, ({ ask }) => ask, of(ours)), [])
    })
  )

  it.effect("a Polar that does not answer, or not this token, proves nothing", () =>
    Effect.gen(function* () {
      const away = new PolarNotFound({ operation: "list organizations", code: "ResourceNotFound" })
      assert.deepStrictEqual(yield* warnings(theirs, ({ ask }) => ask, Effect.fail(away)), [])
      assert.deepStrictEqual(yield* warnings(theirs, ({ ask }) => ask, Effect.succeed([])), [])
    })
  )
})

/** How long a buyer's click waits for a Polar that is silent, where nobody has said how long. */
import { FetchHttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import * as Billing from "@kavach-polar/core/Billing"
import * as BillingStore from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import type { PolarTimeout } from "@kavach-polar/core/PolarError"
import { CustomerId, ProductId, type User, UserId } from "@kavach-polar/core/Subscription"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import { Effect, Fiber, Layer, Option, Redacted, TestClock } from "effect"
import { passSleep } from "./passSleep.ts"
import * as ScriptedServer from "./ScriptedServer.ts"

const ada: User = {
  id: UserId.make("usr_1042"),
  email: Option.some("ada.martin@acme-mail.dev"),
  name: Option.none(),
  emailVerified: true
}
const customerId = CustomerId.make("c0c0c0c0-0000-4000-8000-00000000000c")
const product = ProductId.make("a91d4e7c-33b2-4f0e-b7a5-1c2d3e4f5a60")

const billingAt = (origin: string) =>
  Billing.layer().pipe(
    Layer.provideMerge(NotificationDispatcher.layer()),
    Layer.provideMerge(
      Layer.mergeAll(
        BillingStore.layerMemoryWith([ada]),
        PolarClient.layer({ accessToken: Redacted.make("polar_oat_silent"), apiBaseUrl: origin }),
        WebhookVerifier.layerMemory,
        SubscriptionListener.layerMemory
      )
    ),
    Layer.provide(FetchHttpClient.layer)
  )

type Click = (billing: Billing.BillingService) => Effect.Effect<unknown, { readonly _tag: string }>

/** The click, while this happens at Polar, has no answer until eight seconds are over, and then has one. */
const waitsEightSeconds = (origin: string, click: Click, meanwhile: Effect.Effect<unknown>) =>
  Effect.gen(function* () {
    const billing = yield* Billing.Billing
    const began = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    const fiber = yield* Effect.fork(Effect.flip(click(billing)))
    yield* meanwhile
    yield* TestClock.setTime(began + 7999)
    assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
    yield* TestClock.setTime(began + 8000)
    const { _tag, seconds } = (yield* Fiber.join(fiber)) as PolarTimeout
    assert.deepStrictEqual({ _tag, seconds }, { _tag: "PolarTimeout", seconds: 8 })
  }).pipe(Effect.provide(billingAt(origin)))

describe("a buyer's click waits for eight seconds, and no longer, by default", () => {
  const clicks: ReadonlyArray<readonly [name: string, click: Click]> = [
    ["a checkout", (billing) => billing.createCheckout(ada.id, product)],
    ["the portal", (billing) => billing.createPortalSession(ada.id)],
    [
      "the portal of a customer who is known",
      (billing) => Effect.zipRight(billing.linkCustomer(ada.id, customerId), billing.createPortalSession(ada.id))
    ]
  ]

  for (const [name, click] of clicks) {
    it.scoped(`${name}: Polar is silent`, () =>
      Effect.gen(function* () {
        const server = yield* ScriptedServer.make
        yield* server.always({ fault: "never" })
        yield* waitsEightSeconds(server.origin, click, server.next)
      })
    )
  }

  it.scoped("the portal: Polar puts it off three times, and is silent then", () =>
    Effect.gen(function* () {
      const server = yield* ScriptedServer.make
      const later: ScriptedServer.Reply = { status: 429, headers: { "retry-after": "2" } }
      yield* server.script(later, later, later)
      yield* server.always({ fault: "never" })
      const tries = Effect.gen(function* () {
        for (let count = 0; count < 3; count++) {
          yield* server.next
          yield* passSleep(2000, 2250)
        }
        yield* server.next
      })
      yield* waitsEightSeconds(server.origin, (billing) => billing.createPortalSession(ada.id), tries)
    })
  )
})

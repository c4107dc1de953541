/** The errors that a call rejects with are all known by their tags, from every entry. */

import { SubscriptionListener } from "@kavach-polar/core"
import type { BillingService } from "@kavach-polar/core/Billing"
import type { PolarBillingError } from "@kavach-polar/http"
import * as Http from "@kavach-polar/http"
import * as Session from "@kavach-polar/http/Session"
import type * as Standalone from "@kavach-polar/http/standalone"
import { Context, Data, Effect, Layer, Option } from "effect"
import { assert, describe, expect, expectTypeOf, test } from "vitest"
import { memoryPolar, secret } from "./host.ts"

/** What the methods of a service fail with, of groups of methods too. */
type ErrorsOf<Service> = {
  [Name in keyof Service]: Service[Name] extends Effect.Effect<unknown, infer E>
    ? E
    : Service[Name] extends (...given: never) => Effect.Effect<unknown, infer E>
      ? E
      : ErrorsOf<Service[Name]>
}[keyof Service]

test("nothing that a use case fails with is missing from the union", () => {
  type Missing = Exclude<
    ErrorsOf<Omit<BillingService, "checkWebhookHeaders" | "receiveWebhook">>["_tag"],
    PolarBillingError["_tag"]
  >
  expectTypeOf<Missing>().toBeNever()
})

test("each member is exported as a class, by the name of its tag, from every entry", () => {
  const tags = Object.keys(Http).filter((name) => /^[A-Z]/.test(name))
  expect(tags).toContain("StoreError")
  expect(tags).toContain("PolarRejected")
  expectTypeOf<PolarBillingError["_tag"]>().toExtend<keyof typeof Http>()
  expectTypeOf<PolarBillingError["_tag"]>().toExtend<keyof typeof Standalone>()
})

test("a rejection is one of them", async () => {
  await using billing = Http.polar({ webhookSecret: secret, client: memoryPolar().client, logLevel: "none" })
  const error: unknown = await billing.access("usr_1").catch((error: PolarBillingError) => error)
  assert(error instanceof Http.NotConnected && error._tag === "NotConnected")
})

class MailDown extends Data.TaggedError("MailDown")<{ readonly message: string }> {}
class Mail extends Context.Tag("Mail")<Mail, { readonly send: (to: string) => Effect.Effect<void, MailDown> }>() {}

describe("ports take effects with requirements and errors of their own", () => {
  const down = Layer.succeed(Mail, { send: () => new MailDown({ message: "no route to the post office" }) })

  test("a listener", async () => {
    const Listener = SubscriptionListener.layer(({ userId }) => Effect.flatMap(Mail, (mail) => mail.send(userId)))
    expectTypeOf(Listener).toEqualTypeOf<Layer.Layer<SubscriptionListener.SubscriptionListener, never, Mail>>()
    const told = Effect.flatMap(SubscriptionListener.SubscriptionListener, (listener) =>
      listener.onSubscriptionChange({ userId: "usr_1" } as never, new AbortController().signal)
    ).pipe(Effect.provide(Layer.provide(Listener, down)), Effect.flip)
    const error = await Effect.runPromise(told)
    expect(error).toMatchObject({ _tag: "ListenerFailed", detail: "no route to the post office" })
  })

  test("a session", async () => {
    const SessionLive = Session.layer((request) =>
      Effect.flatMap(Mail, (mail) => Effect.as(mail.send(request.url), Option.none()))
    )
    expectTypeOf(SessionLive).toEqualTypeOf<Layer.Layer<Session.Session, never, Mail>>()
    const asked = Effect.flatMap(Session.Session, (session) => session.user({ url: "/" } as never)).pipe(
      Effect.provide(Layer.provide(SessionLive, down)),
      Effect.flip
    )
    const error = await Effect.runPromise(asked)
    expect(error).toMatchObject({ _tag: "SessionUnavailable", cause: { _tag: "MailDown" } })
  })
})

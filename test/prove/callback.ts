/** The proof that the app's callback can do what it likes: it harms neither Polar's deliveries nor another user. */

import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Billing from "@kavach-polar/core/Billing"
import { BillingStore } from "@kavach-polar/core/BillingStore"
import * as NotificationDispatcher from "@kavach-polar/core/NotificationDispatcher"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import * as SubscriptionListener from "@kavach-polar/core/SubscriptionListener"
import { type Scene, subscriptionDelivery } from "@kavach-polar/core/testing/polarDeliveries"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import * as Endpoints from "@kavach-polar/http/Endpoints"
import * as Session from "@kavach-polar/http/Session"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { type Cluster, openCluster, versionOf, withServer } from "./Cluster.ts"
import { signedRequest, webhookSecret } from "./node.ts"
import type { Proof, ProofOptions } from "./Proof.ts"
import { drained, eventAtOf, type Queued } from "./queue.ts"
import { randomOf } from "./seeded.ts"
import { provedTakeOver } from "./takeOver.ts"

export const callback: Proof = {
  name: "callback",
  promise: "A callback that throws, hangs or kills its process costs Polar nothing, and is called again, in order.",
  stores: ["sqlite", "postgres", "mysql", "mariadb"],
  defaultCount: 60,
  run: (options) =>
    withServer(options.store, (server) =>
      Effect.runPromise(Effect.scoped(prove(options, server)).pipe(Logger.withMinimumLogLevel(LogLevel.None)))
    )
}

const timeoutMillis = 250
const retryMillis = 40
const maxAttempts = 4

/** What the callback does when it is called for a subscription's notification the n-th time. */
type Temper = "fine" | "takes long" | "throws" | "rejects with no error" | "hangs" | "never takes it"

const tempers: readonly [Temper, ...ReadonlyArray<Temper>] = [
  "fine",
  "fine",
  "takes long",
  "throws",
  "rejects with no error",
  "hangs",
  "never takes it"
]

interface Call {
  readonly id: string
  readonly subscriptionId: string
  readonly start: number
  end: number | undefined
}

const prove = ({ count, progress, seed, store }: ProofOptions, server: string | undefined) =>
  Effect.gen(function* () {
    const random = randomOf(seed, 0)
    const cluster = yield* openCluster({ store, server, users: [], nodes: 1 })
    const scenes = Array.from(
      { length: count },
      (): Scene => ({ customerId: random.uuid(), subscriptionId: random.uuid(), productId: random.uuid() })
    )
    // The first two are set: a good one right behind a bad one.
    const temperOf = new Map(
      scenes.map(({ subscriptionId }, place): readonly [string, Temper] => [
        subscriptionId,
        place === 0 ? "never takes it" : place === 1 ? "fine" : random.pick(tempers)
      ])
    )
    const calls: Array<Call> = []

    const onChange = (
      { id, subscription }: { readonly id: string; readonly subscription: { readonly id: string } },
      signal: AbortSignal
    ) => {
      const call: Call = { id, subscriptionId: subscription.id, start: Date.now(), end: undefined }
      const times = calls.filter((earlier) => earlier.id === id).length
      calls.push(call)
      return misbehave(temperOf.get(subscription.id) ?? "fine", times, call, signal)
    }
    const webhook = yield* startReceiver(cluster, onChange)

    const violations: Array<string> = []
    const deliveries = scenes.flatMap((scene, place) =>
      ["created", "canceled", "revoked"].map((type, step) =>
        subscriptionDelivery(scene, type, { externalId: `usr_${place}`, at: place * 10 + step })
      )
    )
    yield* Effect.forEach(
      deliveries,
      ({ body, id }) =>
        Effect.map(webhook(signedRequest(id, body)), (status) => {
          if (status !== 200) violations.push(`delivery ${id} is answered ${status}`)
        }),
      { concurrency: 8, discard: true }
    )
    progress(`${deliveries.length} deliveries are answered; the callbacks are called`)
    const { inTime, queue } = yield* drained(cluster, "3 minutes")
    if (!inTime) violations.push("after three minutes there are notifications that are neither taken nor given up")
    violations.push(...wrongWith(queue, calls, temperOf))
    progress(`${queue.length} notifications are settled; a process dies in the middle of a call`)
    const takeOver = yield* provedTakeOver(store, server)
    violations.push(...takeOver.violations)
    return {
      violations: violations.map((sentence) => `${sentence}. Again: --store ${store} --count ${count} --seed ${seed}`),
      figures: {
        deliveries: deliveries.length,
        notifications: queue.length,
        calls: calls.length,
        deadLetters: queue.filter(({ state }) => state === "dead").length,
        superseded: queue.filter(({ state }) => state === "superseded").length,
        ...takeOver.figures,
        version: yield* versionOf(store, cluster)
      }
    }
  })

/** The webhook's whole way, with a dispatcher that is in a hurry. Answers with the status. */
const startReceiver = (
  { stores: [store] }: Cluster,
  onChange: Parameters<typeof SubscriptionListener.layerCallback>[0]
) => {
  const Ports = Layer.mergeAll(
    Layer.succeed(BillingStore, store),
    PolarClient.layerDisabled("A proof does not talk to Polar."),
    WebhookVerifier.layer({ secrets: [Redacted.make(webhookSecret)] }),
    SubscriptionListener.layerCallback(onChange)
  )
  const Dispatcher = NotificationDispatcher.layer({
    timeout: timeoutMillis,
    retryDelay: retryMillis,
    maxAttempts,
    pollInterval: 200,
    concurrency: 6
  })
  const BillingLive = Billing.layer().pipe(Layer.provide(Dispatcher), Layer.provide(Ports))
  const SessionLive = Session.layer(() => Effect.succeed(Option.none()))
  return Effect.map(Layer.build(Layer.provide(Endpoints.layer(), Layer.merge(BillingLive, SessionLive))), (context) => {
    const endpoints = Context.get(context, Endpoints.Endpoints)
    return (request: Request): Effect.Effect<number> =>
      Effect.map(endpoints.webhook(HttpServerRequest.fromWeb(request)), ({ status }) => status)
  })
}

const misbehave = (temper: Temper, times: number, call: Call, signal: AbortSignal): Promise<void> | void => {
  const end = () => {
    call.end = Date.now()
  }
  switch (temper) {
    case "fine":
      return end()
    case "takes long":
      return new Promise((resolve) =>
        setTimeout(() => {
          end()
          resolve()
        }, timeoutMillis * 3)
      )
    case "throws":
      end()
      if (times < 2) throw new Error("the app is not in the mood")
      return
    case "rejects with no error":
      end()
      return times < 2 ? Promise.reject([undefined, null, "no", 42, { a: 1 }][call.id.length % 5]) : undefined
    case "hangs":
      if (times >= 1) return end()
      // As what waits for something else does, and looks at its signal.
      return new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => {
          end()
          reject(signal.reason)
        })
      )
    case "never takes it":
      end()
      throw new Error("the app is broken for good")
  }
}

const failuresOf: Readonly<Record<Temper, number>> = {
  fine: 0,
  "takes long": 0,
  throws: 2,
  "rejects with no error": 2,
  hangs: 1,
  "never takes it": maxAttempts
}

const wrongWith = (
  queue: ReadonlyArray<Queued>,
  calls: ReadonlyArray<Call>,
  temperOf: ReadonlyMap<string, Temper>
): ReadonlyArray<string> => {
  const wrong: Array<string> = []
  for (const { attempts, id, lastError, state, subscriptionId } of queue) {
    const temper = temperOf.get(subscriptionId) ?? "fine"
    const failures = failuresOf[temper]
    const own = calls.filter((call) => call.id === id)
    const others = queue.filter((one) => one.subscriptionId === subscriptionId)
    const isNewest = others.every((one) => eventAtOf(one.id) <= eventAtOf(id))
    const due = state === "superseded" ? own.length : failures === maxAttempts ? maxAttempts : failures + 1
    if (state === "superseded") {
      if (isNewest) wrong.push(`notification ${id} is superseded, and nothing is newer`)
      if (failures === 0) wrong.push(`notification ${id} of one that ${temper} is superseded, although none has failed`)
      if (own.length > failures) wrong.push(`notification ${id} is superseded, although it was taken`)
    } else if (state !== (failures === maxAttempts ? "dead" : "done")) {
      wrong.push(`notification ${id} of one that ${temper} is ${state}`)
    }
    if (state === "dead" && !isNewest) wrong.push(`notification ${id} was given up, and held up a newer one`)
    if (attempts !== due || own.length !== due) {
      wrong.push(`notification ${id} of one that ${temper}: ${own.length} calls, ${attempts} attempts, not ${due}`)
    }
    if (state === "dead" && lastError?.includes("broken for good") !== true) {
      wrong.push(`dead letter ${id} does not say why`)
    }
    for (const [place, call] of own.entries()) {
      const before = own[place - 1]
      if (before === undefined) continue
      // Half of the delay that doubles is the least that jitter leaves; timers may be a millisecond early.
      const least = (retryMillis * 2 ** (place - 1)) / 2 - 2
      const pause = call.start - (before.end ?? before.start + timeoutMillis)
      if (pause < least) wrong.push(`notification ${id} is called again after ${pause} ms, and ${least} are due`)
    }
  }
  for (const subscriptionId of temperOf.keys()) {
    const own = calls.filter((call) => call.subscriptionId === subscriptionId)
    for (const [place, call] of own.entries()) {
      const before = own[place - 1]
      if (before !== undefined && eventAtOf(call.id) < eventAtOf(before.id)) {
        wrong.push(`subscription ${subscriptionId} is told of ${call.id} after ${before.id}`)
      }
      if (before !== undefined && (before.end ?? Number.POSITIVE_INFINITY) > call.start) {
        wrong.push(`subscription ${subscriptionId} is told of ${call.id} while it is told of ${before.id}`)
      }
    }
    const last = Math.max(
      ...queue.filter((one) => one.subscriptionId === subscriptionId).map(({ id }) => eventAtOf(id))
    )
    if (own.length === 0 || eventAtOf(own.at(-1)?.id ?? "") !== last) {
      wrong.push(`subscription ${subscriptionId} is not told of its last change`)
    }
  }
  // Whoever has a good callback does not wait until a bad one is given up.
  const [bad, good] = [...temperOf.keys()].map((id) => calls.filter((call) => call.subscriptionId === id))
  const [givenUp, taken] = [bad?.at(-1)?.start ?? 0, good?.[0]?.start ?? 0]
  if (good !== undefined && taken >= givenUp) wrong.push("a good callback waited until a bad one was given up")
  return wrong
}
